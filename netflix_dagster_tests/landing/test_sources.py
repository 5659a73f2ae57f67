"""``sources.yaml``: the packaged one is sound, and a faulty one is refused with file, line, place and reason."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from netflix_dagster.landing.sources import RESERVED, Source, SourceColumn, SourcesError, fold_header, load_sources

GOOD = """\
feeds:
  films:
    description: What there is to see
    expected_every_days: 7

sources:
  releases:
    feed: films
    form: whole
    description: Every film
    columns:
      show_id: {description: Number, aliases: [id]}
      title: {description: Name, aliases: [show_title]}
      note: {description: Remark, required: false}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "sources.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> list[str]:
    """The faults that loading ``text`` is refused with, without the folder."""
    with pytest.raises(SourcesError) as refused:
        load_sources(write(folder, text))
    return [line.removeprefix(f"{folder}/") for line in str(refused.value).split("\n")]


def replaced(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} has to stand once in the example"
    return GOOD.replace(old, new)


def test_the_packaged_file_loads_and_every_source_has_a_feed() -> None:
    sources = load_sources()
    assert {"netflix_catalogue", "netflix_titles", "netflix_cast"} <= set(sources.sources)
    assert all(source.feed in sources.feeds for source in sources.sources.values())


def test_the_packaged_columns_are_all_described() -> None:
    columns = [c for source in load_sources().sources.values() for c in source.columns.values()]
    assert all(column.description.strip() for column in columns)


def test_a_source_is_called_by_its_key_and_has_a_bronze_table_of_that_name(tmp_path: Path) -> None:
    source = load_sources(write(tmp_path, GOOD)).sources["releases"]
    assert (source.name, source.bronze, source.delimiter) == ("releases", "bronze.releases", ",")


def test_tsv_is_separated_by_tabs(tmp_path: Path) -> None:
    text = replaced("    form: whole\n", "    form: whole\n    format: tsv\n")
    assert load_sources(write(tmp_path, text)).sources["releases"].delimiter == "\t"


def test_the_sources_of_a_feed_keep_the_order_of_the_file() -> None:
    sources = load_sources()
    split = [s.name for s in sources.of_feed("catalogue") if s.form == "split"]
    assert split == ["netflix_titles", "netflix_cast", "netflix_category", "netflix_countries", "netflix_directors"]
    assert sources.of_feed("unheard_of") == []


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert load_sources(path).feeds["films"].expected_every_days == 7
    write(tmp_path, replaced("expected_every_days: 7", "expected_every_days: 8"))
    os.utime(path, ns=(1, 1))
    assert load_sources(path).feeds["films"].expected_every_days == 8


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(
            replaced("    form: whole\n", "    form: whole\n    fromat: csv\n"),
            "sources.yaml:10: sources.releases.fromat: this key is not known here",
            id="wrong key",
        ),
        pytest.param(
            replaced("{description: Number, aliases", "{describtion: N, description: Number, aliases"),
            "sources.yaml:12: sources.releases.columns.show_id.describtion: this key is not known here",
            id="wrong key deep inside",
        ),
        pytest.param(
            GOOD + "seeds: {}\n", "sources.yaml:15: seeds: this key is not known here", id="wrong key at the top"
        ),
        pytest.param(
            replaced("expected_every_days: 7", "expected_every_days: weekly"),
            "sources.yaml:4: feeds.films.expected_every_days: Input should be a valid integer",
            id="wrong type",
        ),
        pytest.param(
            replaced("expected_every_days: 7", "expected_every_days: 0"),
            "sources.yaml:4: feeds.films.expected_every_days: Input should be greater than 0",
            id="wrong value",
        ),
        pytest.param(
            replaced("aliases: [id]", "aliases: id"),
            "sources.yaml:12: sources.releases.columns.show_id.aliases: Input should be a valid tuple",
            id="a text where a list should be",
        ),
        pytest.param(
            replaced("form: whole", "form: half"),
            "sources.yaml:9: sources.releases.form: Input should be 'whole' or 'split'",
            id="wrong choice",
        ),
        pytest.param(
            replaced("    form: whole\n", ""), "sources.yaml:7: sources.releases.form: Field required", id="missing key"
        ),
        pytest.param("feeds: {}\n", "sources.yaml:1: sources: Field required", id="missing key at the top"),
        pytest.param(
            replaced("    form: whole\n", "    form: whole\n    feed: films\n"),
            "sources.yaml:10: sources.releases.feed: given twice",
            id="duplicate key",
        ),
        pytest.param(
            GOOD + "      title: {description: Again}\n",
            "sources.yaml:15: sources.releases.columns.title: given twice",
            id="duplicate column",
        ),
        pytest.param(
            replaced("feed: films", "feed: flims"),
            "sources.yaml:8: sources.releases.feed: there is no feed 'flims'; known feeds: films",
            id="unknown feed",
        ),
        pytest.param(
            replaced("aliases: [show_title]", "aliases: [show_title, ID]"),
            "sources.yaml:13: sources.releases.columns.title: the header 'ID' names both 'show_id' and 'title'",
            id="alias clash",
        ),
        pytest.param(
            replaced("aliases: [show_title]", "aliases: [Show Id]"),
            "sources.yaml:13: sources.releases.columns.title: the header 'Show Id' names both 'show_id' and 'title'",
            id="alias that is another column",
        ),
        pytest.param(
            replaced("      note:", "      loaded_at:"),
            "sources.yaml:14: sources.releases.columns.loaded_at: "
            "'loaded_at' is the name of a column that bronze adds itself",
            id="reserved column name",
        ),
        pytest.param(
            replaced("      note:", "      Loaded_At:"),
            "sources.yaml:14: sources.releases.columns.Loaded_At: String should match pattern",
            id="column name that is not a plain one",
        ),
        pytest.param(
            replaced("  releases:", "  Releases 2020:"),
            "sources.yaml:7: sources.Releases 2020.name: String should match pattern",
            id="source name that cannot be a table",
        ),
        pytest.param(
            replaced("    form: whole\n", "    form: whole\n    name: other\n"),
            "sources.yaml:10: sources.releases.name: the name is the key of the entry; it cannot have another",
            id="two names for one source",
        ),
        pytest.param(
            GOOD[: GOOD.index("      show_id")] + "      {}\n",
            "sources.yaml:11: sources.releases.columns: Dictionary should have at least 1 item",
            id="no columns",
        ),
        pytest.param(
            replaced("feed: films", "feed: [films"), "sources.yaml:9: not YAML: expected ',' or ']'", id="broken YAML"
        ),
        pytest.param(
            replaced("feed: films", "feed:\tfilms: x"), "sources.yaml:8: not YAML: ", id="broken YAML with a tab"
        ),
        pytest.param(
            replaced("description: Every film", "description: !film x"),
            "sources.yaml:10: not YAML: could not determine a constructor",
            id="tag that is not plain YAML",
        ),
        pytest.param(
            replaced("description: Every film", "description: 2020-99-99"),
            "sources.yaml: not YAML: month must be in 1..12",
            id="day that there is none of",
        ),
        pytest.param(
            replaced("Every film", "Every \x07 film"),
            "sources.yaml:10: not YAML: special characters are not allowed",
            id="control character",
        ),
        pytest.param("", "sources.yaml:1: the file is empty", id="empty file"),
        pytest.param("# nothing but words\n", "sources.yaml:1: the file is empty", id="only a comment"),
        pytest.param("- feeds\n", "sources.yaml:1: the file: Input should be a valid dictionary", id="a list"),
        pytest.param(
            replaced(
                "  films:\n    description: What there is to see\n",
                "  films: words\n  other:\n    description: What there is to see\n",
            ),
            "sources.yaml:2: feeds.films: Input should be a valid dictionary",
            id="words where an entry should be",
        ),
    ],
)
def test_a_faulty_file_is_refused_with_its_line_place_and_reason(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text)[0].startswith(fault)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = replaced("form: whole", "form: half").replace("expected_every_days: 7", "expected_every_days: never")
    assert [fault.split(": ")[0] for fault in faults(tmp_path, text)] == ["sources.yaml:4", "sources.yaml:9"]


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_no_source_can_bring_a_column_of_bronze(name: str) -> None:
    with pytest.raises(ValueError, match="bronze adds itself"):
        Source(name="x", feed="f", form="whole", description="", columns={name: SourceColumn(description="")})


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"nowhere\.yaml: cannot be read"):
        load_sources(tmp_path / "nowhere.yaml")


def test_a_file_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_bytes(GOOD.replace("film", "f\xeflm").encode("latin-1"))
    with pytest.raises(SourcesError, match="cannot be read"):
        load_sources(path)


@pytest.mark.parametrize("header", ["show_id", "SHOW_ID", " Show Id ", "show-id", "Show  -  ID", "\tshow id\r", "Id"])
def test_case_space_dashes_and_aliases_of_a_header_do_not_matter(tmp_path: Path, header: str) -> None:
    assert load_sources(write(tmp_path, GOOD)).sources["releases"].canonical(header) == "show_id"


@pytest.mark.parametrize("header", ["", "showid", "show_id2", "identity", "Ｉｄ"])
def test_a_header_that_only_resembles_one_is_not_known(tmp_path: Path, header: str) -> None:
    assert load_sources(write(tmp_path, GOOD)).sources["releases"].canonical(header) is None


def test_folding_a_folded_header_changes_nothing() -> None:
    assert fold_header(fold_header(" Date - Added\tOn ")) == fold_header(" Date - Added\tOn ") == "date_added_on"


def test_the_order_of_entries_and_keys_does_not_matter(tmp_path: Path) -> None:
    feeds, sources = GOOD.split("\n\n")
    lines = sources.splitlines()
    turned = "\n".join([lines[0], lines[1], lines[5], *reversed(lines[6:9]), *reversed(lines[2:5])])
    (tmp_path / "turned").mkdir()
    straight = load_sources(write(tmp_path, GOOD))
    assert load_sources(write(tmp_path / "turned", f"{turned}\n\n{feeds}\n")) == straight


def test_an_alias_may_repeat_its_own_column(tmp_path: Path) -> None:
    text = replaced("aliases: [id]", "aliases: [id, ID, Show-Id]")
    assert load_sources(write(tmp_path, text)).sources["releases"].canonical("ID") == "show_id"


def test_a_source_says_how_many_malformed_records_it_allows(tmp_path: Path) -> None:
    assert load_sources(write(tmp_path, GOOD)).sources["releases"].tolerated == 0
    for said, share in (("refuse", 0.0), ("{quarantine: 0.01}", 0.01)):
        text = replaced("    form: whole\n", f"    form: whole\n    malformed: {said}\n")
        source = load_sources(write(tmp_path, text)).sources["releases"]
        assert source.tolerated == share
        assert Source(**source.model_dump(mode="json")) == source


@pytest.mark.parametrize(
    "said", ["quarantine", "0.01", "{quarantine: 0}", "{quarantine: 1}", "{quarantine: yes}", "{}"]
)
def test_any_other_answer_is_refused_with_what_may_be_written(tmp_path: Path, said: str) -> None:
    text = replaced("    form: whole\n", f"    form: whole\n    malformed: {said}\n")
    (fault,) = faults(tmp_path, text)
    assert fault == (
        "sources.yaml:10: sources.releases.malformed: write `refuse`, or `{quarantine: 0.01}`: a share of the records"
        " above 0 and below 1"
    )


@pytest.mark.parametrize("cron", ["0 6 * * *", "*/5 0-6,22 1 1-12/3 7", "59 23 31 12 0"])
def test_a_schedule_is_cron(cron: str) -> None:
    said = load_sources().sources["netflix_cast"].model_dump()
    assert Source.model_validate({**said, "fetch_at": cron}).fetch_at == cron


@pytest.mark.parametrize(
    "cron", ["daily", "0 6 * *", "60 6 * * *", "0 24 * * *", "0 6 0 * *", "0 6-4 * * *", "0 6 * * * *"]
)
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    said = load_sources().sources["netflix_cast"].model_dump()
    with pytest.raises(ValidationError, match="write it as cron"):
        Source.model_validate({**said, "fetch_at": cron})


@pytest.mark.parametrize(
    "origin, reason",
    [
        ({}, "say one of"),
        ({"url": "https://a.example/x.csv", "github": "a/b", "path": "x.csv"}, "say one of"),
        ({"url": "ftp://a.example/x.csv"}, "https://host/path"),
        ({"url": "https://u:p@a.example/x.csv"}, "holds no password"),
        ({"url": "https://a.example/"}, "names no file"),
        ({"url": "https://a.example/x.tsv"}, "none of the files"),
        ({"url": "https://a.example/x.csv", "ref": "main"}, "not of an origin by url"),
        ({"url": "https://a.example/x.csv", "token": "abc"}, "token"),
        ({"github": "a/b"}, "say which"),
        ({"github": "a/b", "path": "../x.csv"}, "as it stands in the repository"),
        ({"github": "a/b", "path": "x.csv", "ref": "--upload-pack=x"}, "ref"),
        ({"github": "a/b", "path": "x.csv", "checksum": "md5:1"}, "checksum"),
        ({"url": "https://a.example/x.csv", "date": "yesterday"}, "2021-01-18"),
    ],
)
def test_an_origin_that_cannot_be_is_refused(origin: dict[str, Any], reason: str) -> None:
    said = load_sources().sources["netflix_cast"].model_dump(exclude={"origin"})
    with pytest.raises(ValidationError, match=reason):
        Source.model_validate({**said, "origin": origin})
