"""Reads and checks ``sources.yaml``: which feeds and sources there are, and the names of their columns.

It refuses a wrong key, a wrong type or a duplicate with file, line and reason, before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from netflix_dagster.landing import keys
from netflix_dagster.landing.origins.model import Origin
from netflix_dagster.landing.silver import Silver

PACKAGED = Path(__file__).parent.parent / "sources.yaml"
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Marks of byte order and direction, and characters of no width."""
NAME = r"^[a-z][a-z0-9_]*$"
RESERVED = frozenset(
    (
        *keys.COLUMNS,
        "rescued_data",
        "source_file",
        "source_header",
        "record_number",
        "line_number",
        "file_hash",
        "loaded_at",
        "run_id",
    )
)
"""Columns that bronze adds to every source; a source cannot have columns of these names."""
MOST_NAME = 128
"""The longest name, in characters, of a column that evolves."""
FILLED = ("sheet", "preamble")
"""Columns of a workbook that its reader fills: the name of the sheet, and the text above the header."""
MAY_FILL = ("sheet_state",)
"""Columns that the reader fills only if the source names them: whether the sheet is hidden."""


class SourcesError(ValueError):
    """``sources.yaml`` cannot be used: each line says where and why."""


class _MisplacedError(ValueError):
    """A fault of several entries together. ``where`` is the key, below the one that is checked, at which to mend it."""

    def __init__(self, reason: str, *where: str) -> None:
        super().__init__(reason)
        self.where = where


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceColumn(_Strict):
    """One column of a delivered file, by its canonical name."""

    description: str
    aliases: tuple[str, ...] = ()
    required: bool = True


class EvolvedColumn(SourceColumn):
    """A column that ``sources.yaml`` does not name, kept under its own name because the source lets its table evolve.

    It has no rules: no fault in it refuses a file.
    """


OnDrift = Literal["evolve", "rescue", "refuse"]


class Quarantine(_Strict):
    """Up to this share of the records of a file may be malformed: they go to the quarantine, the others are taken."""

    quarantine: float


class Source(_Strict):
    """One kind of delivered file and the feed that it belongs to.

    ``on_drift`` decides about columns that the source does not name: bronze keeps them in ``rescued_data`` (rescue) or
    as columns of their own (evolve), or the door refuses the file (refuse).

    ``malformed`` decides about records that do not fit the header: the door refuses the whole file, which is right for
    a release; or, for a feed of many files, up to a share of the records goes to the quarantine.

    ``every`` is how often its feed delivers, by the day or by the hour; it is taken from the feed.

    ``origin`` is where its files come from, if they are fetched: one place, or several with a file each. ``fetch_at``
    is when Dagster looks there, as cron in UTC, once its schedule is switched on.

    ``silver`` is what its silver table is, for a source that needs no code of its own.
    """

    name: str = Field(pattern=NAME)
    feed: str
    form: Literal["whole", "split"]
    description: str
    files: str = "*.csv"
    format: Literal["csv", "tsv", "xlsx", "jsonl", "debezium", "parquet"] = "csv"
    separator: Literal[",", ";", "|", "\t"] | None = None
    on_drift: OnDrift = "rescue"
    malformed: Literal["refuse"] | Quarantine = "refuse"
    every: keys.Every = "day"
    origin: tuple[Origin, ...] = ()
    silver: Silver | None = None
    fetch_at: str = "0 6 * * *"
    columns: dict[Annotated[str, Field(pattern=NAME)], SourceColumn] = Field(min_length=1)

    @field_validator("malformed", mode="before")
    @classmethod
    def _malformed_is_one_of_two(cls, value: Any) -> Any:
        share = value.get("quarantine") if isinstance(value, dict) and len(value) == 1 else None
        plain = isinstance(share, int | float) and not isinstance(share, bool) and 0 < share < 1
        if value == "refuse" or isinstance(value, Quarantine) or plain:
            return value
        raise ValueError("write `refuse`, or `{quarantine: 0.01}`: a share of the records above 0 and below 1")

    @field_validator("origin", mode="before")
    @classmethod
    def _one_origin_is_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

    @field_validator("fetch_at")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        parts = value.split(" ")
        if len(parts) != len(_CRON) or not all(map(_is_of_cron, parts, _CRON)):
            raise ValueError("write it as cron in UTC: minute, hour, day, month, weekday, such as 30 14 * * 3")
        return value

    @property
    def tolerated(self) -> float:
        """The share of the records of a file that may be malformed without refusing it."""
        return self.malformed.quarantine if isinstance(self.malformed, Quarantine) else 0.0

    @property
    def delimiter(self) -> str:
        return self.separator or ("\t" if self.format == "tsv" else ",")

    @property
    def filled(self) -> tuple[str, ...]:
        """The columns that the reader fills; a file cannot deliver them."""
        return (*FILLED, *(name for name in MAY_FILL if name in self.columns)) if self.format == "xlsx" else ()

    @property
    def bronze(self) -> str:
        """The bronze table that keeps this source as delivered."""
        return f"bronze.{self.name}"

    def canonical(self, header: str) -> str | None:
        """The canonical name of a delivered column header, or None when the source does not know it."""
        return self.by_header.get(fold_header(header))

    @cached_property
    def by_header(self) -> dict[str, str]:
        """Every header that this source knows, folded, to the canonical name of its column."""
        delivered = {name: column for name, column in self.columns.items() if name not in self.filled}
        return {fold_header(h): name for name, column in delivered.items() for h in (name, *column.aliases)}

    def evolved(self, names: Iterable[str]) -> Source:
        """The source with a column for each header that it does not know.

        A header that cannot be the name of a column, or is that of a column which bronze or a reader adds, stays
        unknown.
        """
        new = {fold_header(name): name for name in names if self.canonical(name) is None}
        grown = {
            name: EvolvedColumn(description=f"Delivered as {header!r}; not in sources.yaml", required=False)
            for name, header in sorted(new.items())
            if re.fullmatch(NAME, name) and len(name) <= MOST_NAME and name not in (*RESERVED, *FILLED, *MAY_FILL)
        }
        # Built anew, not copied: a copy would keep the cached headers.
        fields = {field: getattr(self, field) for field in Source.model_fields}
        return Source(**{**fields, "columns": {**self.columns, **grown}}) if grown else self

    @model_validator(mode="after")
    def _filled_columns_are_there(self) -> Source:
        if lacking := [name for name in self.filled if name not in self.columns]:
            raise _MisplacedError(
                f"a workbook has the columns {', '.join(lacking)} too; its reader fills them", "columns"
            )
        return self

    @model_validator(mode="after")
    def _silver_is_of_its_columns(self) -> Source:
        for where, reason in self.silver.faults(frozenset(self.columns)) if self.silver else ():
            raise _MisplacedError(reason, "silver", where)
        if self.separator and self.format not in ("csv", "tsv"):
            raise _MisplacedError(f"a {self.format} file has no separator", "separator")
        return self

    @model_validator(mode="after")
    def _what_is_fetched_is_taken(self) -> Source:
        if self.format != "parquet" and any(origin.database for origin in self.origin):
            raise _MisplacedError("a database is delivered as Parquet: say `format: parquet`", "format")
        for number, origin in enumerate(self.origin):
            if not fnmatch(origin.lands_as, self.files):
                reason = (
                    f"{origin.lands_as!r} is none of the files {self.files}: say under which name it lands, `file:`"
                )
                raise _MisplacedError(reason, "origin", str(number))
        names = [origin.name for origin in self.origin]
        if len(set(names)) < len(names):
            raise _MisplacedError("two of its places are the same", "origin")
        return self

    @model_validator(mode="after")
    def _names_are_unambiguous(self) -> Source:
        seen: dict[str, str] = {}
        for name, column in self.columns.items():
            if name in RESERVED:
                raise _MisplacedError(f"{name!r} is the name of a column that bronze adds itself", "columns", name)
            for header in (name, *column.aliases):
                other = seen.setdefault(fold_header(header), name)
                if other != name:
                    raise _MisplacedError(f"the header {header!r} names both {other!r} and {name!r}", "columns", name)
        return self


class Feed(_Strict):
    """A family of sources that describe the same thing and meet in the same silver tables."""

    name: str = Field(pattern=NAME)
    description: str
    owners: tuple[str, ...] = ()
    expected_every_days: int = Field(gt=0, description="a feed silent for longer than this is stale")
    every: keys.Every = Field("day", description="what one delivery is of: a day, or an hour of a day")


class ExternalJob(_Strict):
    """A job of a Databricks workspace that others start there, and that lands deliveries of some sources.

    ``job`` is its number, or its name, which is the same in every workspace.
    """

    name: str = Field(pattern=NAME)
    job: int | str
    description: str
    lands: tuple[str, ...] = ()


class Sources(_Strict):
    """The content of ``sources.yaml``."""

    feeds: dict[str, Feed]
    sources: dict[str, Source]
    external_jobs: dict[str, ExternalJob] = {}

    def of_feed(self, feed: str) -> list[Source]:
        return [source for source in self.sources.values() if source.feed == feed]

    @model_validator(mode="before")
    @classmethod
    def _names_from_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for group in ("feeds", "sources", "external_jobs"):
                entries = data.get(group)
                if isinstance(entries, dict):
                    data = {**data, group: {k: _named(group, k, v) for k, v in entries.items()}}
        return _with_every(data)

    @model_validator(mode="after")
    def _feeds_exist(self) -> Sources:
        for source in self.sources.values():
            if source.feed not in self.feeds:
                known = ", ".join(sorted(self.feeds))
                reason = f"there is no feed {source.feed!r}; known feeds: {known}"
                raise _MisplacedError(reason, "sources", source.name, "feed")
            if source.every != self.feeds[source.feed].every:
                reason = f"its feed states how often {source.name} delivers: feeds.{source.feed}.every"
                raise _MisplacedError(reason, "sources", source.name, "every")
        for job in self.external_jobs.values():
            if unknown := [source for source in job.lands if source not in self.sources]:
                reason = f"there is no source {', '.join(map(repr, unknown))}"
                raise _MisplacedError(reason, "external_jobs", job.name, "lands")
        return self


_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""The bounds of the fields of cron."""


def _is_of_cron(field: str, bounds: tuple[int, int]) -> bool:
    """Whether a field of cron is ``*``, numbers, ranges, or steps of them, within its bounds."""
    for part in field.split(","):
        found = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/([1-9]\d?))?", part, re.ASCII)
        if not found:
            return False
        numbers = [int(number) for number in found.groups()[:2] if number]
        if any(not bounds[0] <= number <= bounds[1] for number in numbers) or numbers != sorted(numbers):
            return False
    return True


def fold_header(header: str) -> str:
    """A header for comparison: case, spaces, dashes, underscores and invisible characters make no difference."""
    return re.sub(r"[\s\-_]+", "_", _INVISIBLE.sub("", header).strip().lower())


def _named(group: str, key: Any, entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    if entry.get("name", key) != key:
        raise _MisplacedError("the name is the key of the entry; it cannot have another", group, str(key), "name")
    return {**entry, "name": key}


def _with_every(data: Any) -> Any:
    """The content, with ``every: hour`` in each source of a feed that delivers by the hour."""
    if not isinstance(data, dict) or not all(isinstance(data.get(group), dict) for group in ("feeds", "sources")):
        return data
    hourly = {name for name, feed in data["feeds"].items() if isinstance(feed, dict) and feed.get("every") == "hour"}
    sources = {
        name: {"every": "hour", **source} if isinstance(source, dict) and source.get("feed") in hourly else source
        for name, source in data["sources"].items()
    }
    return {**data, "sources": sources}


def load_sources(path: Path | None = None) -> Sources:
    """Read a ``sources.yaml`` (the packaged one by default).

    Raises ``SourcesError`` with one line per fault: ``file:line: where: why``.
    """
    path = path or PACKAGED
    return _load(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=8)
def _load(path: Path, _modified: int) -> Sources:
    try:
        # a cluster may have this package as an archive, in which there are no paths
        text = (resources.files("netflix_dagster") / "sources.yaml" if path == PACKAGED else path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourcesError(f"{path}: cannot be read: {error}") from error
    try:
        root, data = _parsed(text)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is a date or number that there is none of
        raise _not_yaml(path, text, error) from error
    if root is None:
        raise SourcesError(f"{path}:1: the file is empty")
    lines: dict[tuple[str, ...], int] = {}
    faults = [f"{path}:{line}: {'.'.join(where)}: given twice" for where, line in _walk(root, (), lines)]
    if faults:
        raise SourcesError("\n".join(faults))
    try:
        return Sources.model_validate(data)
    except ValidationError as error:
        # Not `from error`: its text repeats what was said, which may be a secret that does not belong there.
        raise SourcesError("\n".join(_fault(path, lines, e) for e in error.errors())) from None


def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    """The nodes, which know their lines, and the data. libyaml takes a tenth of the time; what it refuses, and why, is
    said by the reader in Python."""
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.compose(text, Loader=fast), yaml.load(text, Loader=fast)
    except (yaml.YAMLError, ValueError):
        return yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)


def _not_yaml(path: Path, text: str, error: Exception) -> SourcesError:
    line = ""
    if mark := getattr(error, "problem_mark", None):
        line = f":{mark.line + 1}"
    elif isinstance(error, yaml.reader.ReaderError):
        line = f":{text.count(chr(10), 0, error.position) + 1}"
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
    return SourcesError(f"{path}{line}: not YAML: {reason}")


def _fault(path: Path, lines: dict[tuple[str, ...], int], error: Any) -> str:
    where = tuple(str(part) for part in error["loc"] if part != "[key]")
    where += getattr(error.get("ctx", {}).get("error"), "where", ())
    known = where
    while known and known not in lines:
        known = known[:-1]
    reason = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        reason = "this key is not known here"
    return f"{path}:{lines.get(known, 1)}: {'.'.join(where) or 'the file'}: {reason}"


def _walk(
    node: yaml.Node, where: tuple[str, ...], lines: dict[tuple[str, ...], int]
) -> list[tuple[tuple[str, ...], int]]:
    """Note the line of every key below ``node``; return the keys that are given twice."""
    twice: list[tuple[tuple[str, ...], int]] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*where, str(key.value))
            line = key.start_mark.line + 1
            if place in lines:
                twice.append((place, line))
            lines[place] = line
            twice += _walk(value, place, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            lines[(*where, str(number))] = value.start_mark.line + 1
            twice += _walk(value, (*where, str(number)), lines)
    return twice
