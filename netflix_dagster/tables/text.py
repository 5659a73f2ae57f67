"""Tidies, splits and compares delivered strings. Used by silver and gold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from unicodedata import normalize

from netflix_dagster.files.kinds import MONTH_NAME, MONTHS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

INVISIBLE = r"[\x{00AD}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FE0E}\x{FE0F}\x{FEFF}]"
"""Characters without a shape and a meaning: soft hyphens, marks of direction, variants of emoji."""
JOINERS = r"[\x{200C}\x{200D}]"
"""Zero-width (non-)joiners. Words in Persian and in the scripts of India need them, and they make one emoji of several;
beside any other character they are dirt."""
SPACE = r"[\s\x{000B}\x{0085}\x{00A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]+"
_NOTHING_JOINS = (
    rf"[\x{{0000}}-\x{{036F}}\p{{Latin}}\p{{Greek}}\p{{Cyrillic}}\p{{Han}}\p{{Hangul}}\p{{Hiragana}}\p{{Katakana}}"
    rf"\x{{3099}}\x{{309A}}{SPACE[1:-2]}]"
)
_ACCENTS = (
    r"[\x{0300}-\x{036F}\x{0591}-\x{05C7}\x{064B}-\x{065F}\x{0670}\x{1AB0}-\x{1AFF}\x{1DC0}-\x{1DFF}"
    r"\x{20D0}-\x{20FF}\x{FE20}-\x{FE2F}]"
)
"""Marks without which a word is the same word: accents, the points of Hebrew and Arabic. Vowel signs are no accents."""
_WORD = r"\p{L}\p{M}\p{N}"
LISTED_ITEM = f"[^,]*[^,{INVISIBLE[1:-1]}{JOINERS[1:-1]}{SPACE[1:-2]}][^,]*"
"""One item of a comma-separated list before it is tidied: it has a character that is neither a comma nor blank."""


VERBATIM = frozenset(("source_file", "rescued_data", "file_hash", "run_id"))
"""Columns that tell where a row came from. They stay as they are, because the record is found again by them."""


def tidy(frame: DataFrame) -> DataFrame:
    """Every text column in NFC, without invisible characters, white space folded to single spaces, empty as null.

    ``VERBATIM`` columns are not touched.
    """
    schema = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in frame.schema.fields)
    return frame.mapInArrow(_tidy_batches, schema)


def tidy_array(values: pa.Array) -> pa.Array:
    """``tidy`` for one Arrow array of strings."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pc.replace_substring_regex(values.cast(pa.string()), INVISIBLE, "")
    values = _composed(values)
    if pc.any(pc.match_substring_regex(values, JOINERS)).as_py():
        values = pc.replace_substring_regex(values, f"(^|{_NOTHING_JOINS}){JOINERS}+", r"\1")
        values = pc.replace_substring_regex(values, f"{JOINERS}+($|{_NOTHING_JOINS})", r"\1")
        values = _composed(values)
    values = pc.utf8_trim(pc.replace_substring_regex(values, SPACE, " "), " ")
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def _composed(values: pa.Array) -> pa.Array:
    """Texts in NFC. The Arrow of Databricks' runtimes, up to 19, takes them apart where it should put them together."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.utf8_normalize(pa.scalar("e\u0301"), "NFC").as_py() == "\u00e9":
        return pc.utf8_normalize(values, "NFC")
    texts = (None if text is None else normalize("NFC", text) for text in values.to_pylist())
    return pa.array(texts, pa.string())


def _tidy_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for batch in batches:
        columns = [
            tidy_array(column) if _is_text(field.type) and field.name not in VERBATIM else column
            for column, field in zip(batch.columns, batch.schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def folded(frame: DataFrame, column: str) -> DataFrame:
    """The frame with a column ``folded``: the characters of ``column`` that distinguish titles, in lower case.

    These are letters with their vowel signs, digits, and ``+`` and ``#`` after them; no accents, no punctuation:
    "Pokémon: The Movie & More" becomes "pokemonthemovieandmore", "#Alive" becomes "alive", "C++" does not become "c".
    """
    fields = [f"`{f.name}` {f.dataType.simpleString()}" for f in frame.schema.fields]

    def fold(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            bare = fold_array(batch.column(batch.schema.get_field_index(column)))
            yield pa.RecordBatch.from_arrays([*batch.columns, bare], names=[*batch.schema.names, "folded"])

    return frame.mapInArrow(fold, ", ".join([*fields, "folded string"]))


def fold_array(values: pa.Array) -> pa.Array:
    """``folded`` for one Arrow array of strings."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pc.utf8_lower(pc.utf8_normalize(values.cast(pa.string()), "NFKD"))
    values = pc.replace_substring_regex(pc.replace_substring(values, "&", "and"), _ACCENTS, "")
    values = pc.replace_substring_regex(values, rf"(^|[^{_WORD}+#])[+#]+", r"\1")
    return pc.replace_substring_regex(values, f"[^{_WORD}+#]+", "")


def title_words(title: Column) -> Column:
    """A title for comparison: in lower case, and unmangled."""
    from pyspark.sql import functions as F

    return unmangled(F.lower(title))


def unmangled(title: Column) -> Column:
    """A title that a spreadsheet turned into a day ("Oct-01", "1-Oct") in one form; any other as it is."""
    from pyspark.sql import functions as F

    months = "|".join(MONTHS)
    turned = F.regexp_replace(title, rf"(?i)^({months})-0?(\d{{1,2}})$", "$2-$1")
    return F.regexp_replace(turned, rf"(?i)^0?(\d{{1,2}})-({months})$", "$1-$2")


def items(listed: Column) -> Column:
    """The items of a comma-separated list, trimmed, without the empty ones that stray commas leave."""
    from pyspark.sql import functions as F

    split = F.transform(F.split(listed, ","), lambda item: F.trim(item))
    return F.filter(split, lambda item: item != "")


def day(text: Column) -> Column:
    """A calendar day from ``September 9, 2019``, ``9/9/2019`` (month first) or ``2019-09-09``; else null."""
    from pyspark.sql import functions as F

    named = rf"^(?i:({MONTH_NAME}))\.? (\d{{1,2}}),? ([1-9]\d{{3}})$"
    slashed = r"^(\d{1,2})/(\d{1,2})/([1-9]\d{3})$"
    month = F.array_position(
        F.array(*(F.lit(name) for name in MONTHS)), F.lower(F.substring(F.regexp_extract(text, named, 1), 1, 3))
    ).cast("string")
    iso = (
        F.when(text.rlike(named), _iso(F.regexp_extract(text, named, 3), month, F.regexp_extract(text, named, 2)))
        .when(
            text.rlike(slashed),
            _iso(
                F.regexp_extract(text, slashed, 3),
                F.regexp_extract(text, slashed, 1),
                F.regexp_extract(text, slashed, 2),
            ),
        )
        .when(text.rlike(r"^[1-9]\d{3}-\d{2}-\d{2}$"), text)
    )
    return iso.try_cast("date")


def _iso(year: Column, month: Column, day_of_month: Column) -> Column:
    from pyspark.sql import functions as F

    return F.concat_ws("-", year, F.lpad(month, 2, "0"), F.lpad(day_of_month, 2, "0"))
