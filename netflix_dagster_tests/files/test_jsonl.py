"""JSON lines: every value as it was written, every fault with its line, and nothing taken of a file that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netflix_dagster.files.parsing import ParsedFile, parse_bytes
from netflix_dagster.files.reading import open_bytes
from netflix_dagster.landing.sources import Source, SourceColumn

EVENTS = Source(
    name="events",
    feed="events",
    form="whole",
    description="Events",
    files="*.jsonl",
    format="jsonl",
    columns={
        "event_id": SourceColumn(description="Its number", aliases=("id",)),
        "what": SourceColumn(description="What happened", required=False),
    },
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def parsed(text: str | bytes, **more: Any) -> ParsedFile:
    source = EVENTS.model_copy(update=more) if more else EVENTS
    return parse_bytes(text if isinstance(text, bytes) else text.encode(), source, "events.jsonl")


@given(st.lists(st.tuples(st.integers(), VALUES, VALUES), min_size=1, max_size=6), st.booleans())
def test_every_value_is_kept_as_it_was_said(records: list[tuple[int, Any, Any]], ends: bool) -> None:
    """A text as itself, anything else as JSON that says the same; what the source does not know is rescued."""
    lines = [json.dumps({"id": n, "what": value, "More": other}, ensure_ascii=False) for n, value, other in records]
    file = parsed("\n".join(lines) + "\n" * ends)
    assert not file.refusals and file.records == len(records)
    for row, (number, value, other) in zip(file.rows, records, strict=True):
        assert row.values[0] == str(number)
        rescued = json.loads(row.rescued)["More"] if row.rescued else None
        for kept, said in ((row.values[1], value), (rescued, other)):
            if said in (None, ""):
                assert kept is None
            else:
                assert kept == said if isinstance(said, str) else json.loads(str(kept)) == said


def test_numbers_stay_digit_by_digit_and_lines_are_counted() -> None:
    file = parsed(
        '\ufeff{"event_id": 1.500, "what": [1e400, 12345678901234567890.0]}\r\n\n{"event_id": 007}\n'.replace(
            "007", "7"
        )
    )
    assert [(row.number, row.line, row.values) for row in file.rows] == [
        (1, 1, ("1.500", "[1e400,12345678901234567890.0]")),
        (2, 3, ("7", None)),
    ]
    (batch,) = open_bytes(b'{"id": 1}\n{"what": null, "id": 2}\n', EVENTS, "a.jsonl")
    assert batch.column("event_id").to_pylist() == ["1", "2"] and batch.column("line_number").to_pylist() == [1, 2]


@pytest.mark.parametrize(
    "text, rule, said",
    [
        ('{"event_id": 1}\n{"event_id": 2, \n{"event_id": 3}\n', "json", r"record 2 \(line 2\) is no JSON"),
        ('{"event_id": 1}\n[1]\n', "json", "no object"),
        ('{"event_id": 1, "event_id": 2}\n', "json", "says 'event_id' twice"),
        ('{"event_id": NaN}\n', "json", "NaN"),
        ('{"event_id": 1}\n{"event_', "complete_file", "cut short"),
        ('{"error": "quota exceeded"}\n', "columns", "missing columns: event_id"),
        ('{"event_id": 1, "id": 2}\n', "header", "are both 'event_id'"),
        ("<html><title>Moved</title></html>", "not_a_page", "Moved"),
        ("null", "not_empty", "null"),
        ("event_id,what\n1,x\n", "json", "is no JSON"),
        (b'{"event_id": "\xe9"}\n', "encoding", "line 1"),
        (b"\x1f\x8b\x08" + b"\xff" * 20, "another_format", "gzip"),
        ("\n\n", "not_empty", "empty"),
        ('{"event_id": ' + "[" * 100_000 + "\n", "json", "no JSON"),
    ],
)
def test_what_is_none_is_refused_with_its_line(text: str | bytes, rule: str, said: str) -> None:
    import re

    file = parsed(text)
    assert file.refusals and any(r.rule == rule and re.search(said, r.reason) for r in file.refusals), file.refusals


def test_a_source_may_set_some_records_aside() -> None:
    lines = "".join(f'{{"event_id": {n}}}\n' for n in range(99)) + "oops\n"
    assert parsed(lines).refusals
    tolerant = Source.model_validate({**EVENTS.model_dump(), "malformed": {"quarantine": 0.02}})
    file = parse_bytes(lines.encode(), tolerant, "events.jsonl")
    assert (file.taken, file.set_aside, file.records, file.refusals) == (99, 1, 100, ())
    (aside,) = file.quarantined
    assert (aside.line, aside.raw) == (100, "oops")
