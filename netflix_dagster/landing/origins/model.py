"""An origin as ``sources.yaml`` says it: where the files of a source come from, and what is asked of what comes."""

from __future__ import annotations

import re
from datetime import date as Date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from netflix_dagster import storage

Kind = Literal["url", "github", "git", "storage", "kaggle", "database"]
KINDS: tuple[Kind, ...] = ("url", "github", "git", "storage", "kaggle", "database")
SECRET = r"^(secret://[0-9A-Za-z-]{1,127}(/[0-9a-f]{32})?|env://[A-Za-z_][A-Za-z0-9_]*)$"
_PINNED = re.compile(r"[0-9a-f]{40}")
_TABLE = r"^[^./\\]+(\.[^./\\]+)?$"
_REPOSITORY = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$"


class Origin(BaseModel):
    """One place where files of a source come from; exactly one of ``url``, ``github``, ``git``, ``storage``,
    ``kaggle`` and ``database`` says where.

    What is said of the data (``license``, ``see``) is for people. The rest bounds what is taken: a file that is larger,
    slower, of another type or checksum than said is refused, and nothing of it lands.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(None, description="a file by http or https")
    github: str | None = Field(None, pattern=_REPOSITORY, description="owner/repository; `path` is the file in it")
    git: str | None = Field(None, description="the URL of any other git repository; `path` is the file in it")
    storage: str | None = Field(None, description="a file in a storage account, abfss://...")
    kaggle: str | None = Field(None, pattern=_REPOSITORY, description="owner/data set; `path` is the file in it")

    database: str | None = Field(None, pattern=SECRET, description="the secret that holds the URL of a database")

    table: str | None = Field(None, pattern=_TABLE, description="of a database: table or view, schema.name")
    columns: tuple[str, ...] = Field((), description="of a database: the columns to take; all without it")
    cursor: str | None = Field(None, description="of a database: the column that grows with every new or changed row")
    lag: int = Field(0, ge=0, description="how late a row may come: seconds, or steps of a cursor that is a number")

    path: str | None = Field(None, min_length=1, description="the file in the repository or the data set")
    ref: str = Field("HEAD", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", description="branch, tag, or a commit: pinned")
    version: int | None = Field(None, ge=1, description="of Kaggle: the version of the data set; the newest without it")
    query: dict[str, str] = Field({}, description="further parameters of the URL; a value may be a secret")
    token: str | None = Field(None, pattern=SECRET, description="secret://name or env://NAME")

    date: Date | None = Field(None, description="delivery date, of a file that does not change any more")
    file: str | None = Field(None, pattern=r"^[^/\\]+$", description="the name under which it lands")
    member: str | None = Field(None, description="the file to take out of the zip that comes")
    checksum: str | None = Field(
        None, pattern=r"^(sha256:[0-9a-f]{64}|git:[0-9a-f]{40})$", description="of the file, or its id in git"
    )
    types: tuple[str, ...] = Field((), description="content types to take, instead of all but pages and pictures")
    max_mb: int = Field(512, ge=1, description="a larger file is refused")
    max_seconds: int = Field(900, ge=1, description="a fetch that takes longer is given up")
    private: bool = Field(False, description="whether its host may be one of a private network")
    license: str | None = Field(None, description="under which the data may be used")
    see: str | None = Field(None, description="a second place to look, for people")

    @property
    def kind(self) -> Kind:
        """Which of them it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def pinned(self) -> bool:
        """Whether what lies there cannot change: a commit, a checksum, a version of a data set."""
        return bool(self.checksum or _PINNED.fullmatch(self.ref) or self.version)

    @property
    def of_git(self) -> bool:
        return self.kind in ("github", "git")

    @property
    def has_history(self) -> bool:
        """Whether it says of each state or row of which day it is."""
        return (self.of_git and self.date is None) or self.cursor is not None

    @property
    def repository(self) -> str:
        """The URL of the git repository."""
        return f"https://github.com/{self.github}.git" if self.github else str(self.git)

    @property
    def name(self) -> str:
        """The origin as people and logs may read it: without parameters, which may hold secrets. Key of its state."""
        if self.of_git:
            where = self.github if self.github else shown(str(self.git))
            return f"{where}@{self.ref}:{self.path}"
        if self.kaggle:
            return f"kaggle:{self.kaggle}/{self.path}" + (f"@{self.version}" if self.version else "")
        if self.database:
            return f"{self.database}#{self.table}"
        return shown(str(self.url or self.storage))

    @property
    def lands_as(self) -> str:
        """The name of the file that lands."""
        if self.table:
            return self.file or f"{self.table}.parquet"
        path = self.file or self.member or self.path or urlsplit(str(self.url or self.storage)).path
        return path.rsplit("/", 1)[-1]

    @model_validator(mode="after")
    def _is_one_place(self) -> Origin:
        said = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(said) != 1:
            raise ValueError(f"say one of {', '.join(KINDS)}: where the files come from")
        needs_path = self.kind in ("github", "git", "kaggle")
        if needs_path != bool(self.path):
            raise ValueError("path is the file in a repository or data set: " + ("say which" if needs_path else "no"))
        if self.path and (self.path.startswith("/") or {"..", ""} & set(self.path.split("/"))):
            raise ValueError("path is written as it stands in the repository, such as data/titles.csv")
        misplaced = {
            "ref": self.ref != "HEAD" and not self.of_git,
            "version": self.version is not None and not self.kaggle,
            "table": self.table is not None and not self.database,
            "cursor": self.cursor is not None and not self.database,
            "columns": bool(self.columns) and not self.database,
            "lag": bool(self.lag) and not self.cursor,
            "date": self.date is not None and self.database is not None,
            "checksum": self.checksum is not None and self.database is not None,
            "member": self.member is not None and self.database is not None,
            "query": bool(self.query) and not self.url,
            "token": self.token is not None and self.kind not in ("url", "kaggle"),
            "types": bool(self.types) and self.kind not in ("url", "kaggle"),
        }
        if odd := [name for name, is_odd in misplaced.items() if is_odd]:
            raise ValueError(f"{', '.join(odd)}: not of an origin by {self.kind}")
        if self.database and not self.table:
            raise ValueError("say which table of the database: schema.name")
        if not self.lands_as:
            raise ValueError("the URL names no file: say under which name it lands, file: titles.csv")
        return self

    @field_validator("url", "git")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https", "file", "git") or not (parts.hostname or parts.scheme == "file"):
            raise ValueError("write it as https://host/path")
        if parts.username or parts.password:
            raise ValueError("a URL holds no password: say token: secret://name")
        return value

    @field_validator("git")
    @classmethod
    def _has_no_parameters(cls, value: str | None) -> str | None:
        if value and urlsplit(value).query:  # git would write it down, and repeat it
            raise ValueError("the URL of a repository holds no parameters, and no token")
        return value

    @field_validator("storage")
    @classmethod
    def _is_a_place(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.query or parts.password:
            raise ValueError("a place holds no password and no signature: this machine's identity is asked for")
        storage.at(value)
        return value

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("write it as https://host/path")
        return value

    @field_validator("date", mode="before")
    @classmethod
    def _is_a_day(cls, value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError("write it as 2021-01-18")
        return value


Origins = Annotated[tuple[Origin, ...], Field(min_length=1)]


def shown(url: str) -> str:
    """A URL as it may be told: without user, parameters and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] if parts.scheme in ("http", "https") else parts.netloc
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
