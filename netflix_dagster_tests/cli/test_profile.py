"""``netflix-dagster profile``: YAML that can be used as it is, one JSON document, never a traceback."""

from __future__ import annotations

from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import sample_files
from netflix_dagster_tests.cli.shell import Shell

UNKNOWN = "Sendung;Datum;Sender\n" + "".join(f"Größe {n};{n}.5.2024;{('ARD', 'ZDF')[n % 2]}\n" for n in range(1, 29))


def test_what_is_printed_is_a_sources_file(shell: Shell) -> None:
    (shell.cwd / "Neue Sendungen.csv").write_bytes(UNKNOWN.encode("cp1252"))
    said = shell.here("profile", "Neue Sendungen.csv")
    assert (said.code, said.err) == (0, "")
    (shell.cwd / "proposed.yaml").write_text(said.out, encoding="utf-8")
    (source,) = load_sources(shell.cwd / "proposed.yaml").sources.values()
    assert (source.name, list(source.columns)) == ("neue_sendungen", ["sendung", "datum", "sender"])
    assert "semicolon-separated, cp1252" in said.out and "28 rows, 3 columns" in said.out
    assert "the door would refuse this file" in said.out and "Windows-1252" in said.out
    assert 'in_set("sender", ("ARD", "ZDF"))' in said.out
    assert shell.here("doctor", NETFLIX_SOURCES="proposed.yaml").out.count("1 sources in") == 1


def test_the_answer_is_one_json_document_when_asked(shell: Shell) -> None:
    place = next(place for place in sample_files() if place.startswith("netflix_catalogue/"))
    (shell.cwd / "some file.csv").write_bytes(sample_files()[place])
    said = shell.here("profile", "some file.csv", "--json")
    assert (said.code, said.err) == (0, "")
    found = said.json
    assert (found["sources"][0]["source"], found["sources"][0]["verdict"]) == ("netflix_catalogue", "same")
    assert found["file"]["rows"] == found["columns"][0]["distinct"] + found["keys"]["repeated_rows"]
    assert {column["name"] for column in found["columns"]} == set(load_sources().sources["netflix_catalogue"].columns)
    assert found["proposal"]["sources"]["sources"].keys() == {"netflix_catalogue"}
    assert found["proposal"]["refused_by_the_door"] is None


def test_a_file_cannot_steer_the_terminal(shell: Shell) -> None:
    rows = "".join(f"\x1b[2J{n}\u202e,\x1b]0;own\x07\n" for n in range(5))
    (shell.cwd / "rude.csv").write_text(f"\x1b[31mname,\u2028other\n{rows}", encoding="utf-8")
    said = shell.here("profile", "rude.csv")
    assert said.code == 0, said.err
    assert not set(said.out) & set("\x1b\x07\u202e\u2028")
    (shell.cwd / "proposed.yaml").write_text(said.out, encoding="utf-8")
    assert load_sources(shell.cwd / "proposed.yaml").sources["rude"].columns["other"]


def test_what_cannot_be_profiled_is_told_in_a_sentence(shell: Shell) -> None:
    (shell.cwd / "page.csv").write_text("<html><title>Moved Permanently</title></html>")
    (shell.cwd / "noise.csv").write_bytes(bytes(range(256)) * 10)
    (shell.cwd / "sheet.xlsx").write_bytes(b"PK\x03\x04" + bytes(50))
    for name, reason in {
        "page.csv": "Moved Permanently",
        "noise.csv": "NUL byte in line 1",
        "sheet.xlsx": "no workbook that can be read",
        "nope.csv": "there is no file nope.csv",
        ".": "is a folder",
        "/dev/zero": "not an ordinary file",
    }.items():
        said = shell.here("profile", name)
        assert (said.code, said.out, said.quiet) == (2, "", True), said
        assert reason in said.err and said.err.count("\n") == 1
    refused = shell.here("profile", "nope.csv", "--json")
    assert refused.json == {"status": "wrong call", "exit_code": 2, "error": "there is no file nope.csv"}
    assert shell.here("profile", "page.csv", "--megabytes", "0").code == 2


def test_of_a_long_file_a_part_is_looked_at_and_said_to_be(shell: Shell) -> None:
    with (shell.cwd / "long.csv").open("w") as file:
        file.write("number,word\n")
        file.writelines(f"{n},{'x' * 100}\n" for n in range(20_000))
    said = shell.here("profile", "long.csv", "--megabytes", "1")
    assert said.code == 0 and "only the first 1,048,576 of" in said.out
    assert "door" not in said.out, "what the door says of the whole is not known"
