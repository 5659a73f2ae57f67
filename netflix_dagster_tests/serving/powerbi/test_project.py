"""What is committed in infra/powerbi is what contracts and metrics give, whole, and made of things that exist."""

from __future__ import annotations

import difflib
import json
from datetime import date

import duckdb
import pydantic
import pytest
import sqlglot

from netflix_dagster.contracts.bookkeeping import arrow_schema
from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.serving.dashboard.cards import CARDS
from netflix_dagster.serving.powerbi import dax, model, pbir, picture, project, report, source, tmdl
from netflix_dagster_tests.figures import with_facts
from netflix_dagster_tests.serving.powerbi import judge

FILES = {path.relative_to(judge.PROJECT).as_posix(): path for path in judge.PROJECT.rglob("*") if path.is_file()}
JSON = [path for path in FILES if path.endswith((".json", ".pbir", ".pbism", ".pbip", ".platform"))]
TABLES_READ = {table["name"]: table for table in judge.model()["tables"]}
COLUMNS = {(name, column["name"]) for name, table in TABLES_READ.items() for column in table["columns"]}
MEASURES = {(name, measure["name"]) for name, table in TABLES_READ.items() for measure in table["measures"]}


def test_the_committed_project_is_what_contracts_and_metrics_give() -> None:
    """If it fails: ``make docs`` writes it anew."""
    said = project.files()
    assert FILES.keys() - {"README.md"} == said.keys()
    assert [path for path, text in said.items() if FILES[path].read_text(encoding="utf-8") != text] == []


def test_the_picture_is_that_of_the_report() -> None:
    drawn = (judge.PROJECT.parents[1] / "docs/images/powerbi.svg").read_text(encoding="utf-8")
    assert drawn == picture.svg()
    assert drawn.count('class="visual"') == sum(path.endswith("visual.json") for path in FILES)


def _differing(before: str, after: str) -> list[str]:
    said = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line[0] + line[1:].strip() for line in said if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize("path", JSON)
def test_a_file_is_what_its_schema_says(path: str) -> None:
    said = json.loads(FILES[path].read_text(encoding="utf-8"))
    kind = pbir.FILES[said["$schema"]] if "RegisteredResources" not in path else pbir.Theme
    assert json.loads(kind.model_validate(said).json_text()) == said
    with pytest.raises(pydantic.ValidationError, match="Extra inputs"):
        kind.model_validate(said | {"invented": 1})


def test_everything_that_the_report_uses_is_in_the_model() -> None:
    seen = set()
    for path in (path for path in JSON if path.endswith("visual.json")):
        visual = pbir.Visual.model_validate_json(FILES[path].read_text(encoding="utf-8"))
        for role in visual.visual.query.query_state.values():
            for projection in role.projections:
                of = MEASURES if projection.field.measure else COLUMNS
                assert projection.field.names in of, f"{path}: {projection.query_ref}"
                seen.add(projection.field.names)
        (general,) = visual.visual.container.general
        assert len(general.properties.alt_text.expr.literal.value) > 20, path
        assert path.replace("visual.json", "mobile.json") in FILES
    assert len(seen & MEASURES) >= 25
    shown = {card.page for card in CARDS}
    pages = json.loads(FILES["Netflix.Report/definition/pages/pages.json"].read_text())["pageOrder"]
    assert set(pages) == shown and len(pages) == 4


@pytest.mark.parametrize("drawn", report.DRAWN, ids=lambda drawn: f"{drawn.page}-{drawn.card}-{drawn.kind}")
def test_a_label_says_by_what_a_visual_is_drawn(drawn: report.Drawn) -> None:
    """What a label speaks of after *by*, and on the sides of *against*, is what the visual has there."""
    label, words = report.title(drawn).lower(), {"half-year": "period", "country": "member", "genre": "member"}
    _, _, by = label.partition(" by ")
    if by and drawn.by:
        assert words.get(by, by).replace(" ", "_") in drawn.by[1], label
    if drawn.kind == "scatterChart":
        for said, metric in zip(label.split(" against "), drawn.metrics, strict=True):
            assert METRICS[metric].unit in said, label


def test_visuals_lie_side_by_side() -> None:
    for placed in report.pages().values():
        assert len({one.visual.name for one in placed}) == len(placed)
        for here in ("desktop", "phone"):
            boxes = [one.visual.position if here == "desktop" else one.mobile.position for one in placed]
            for nth, one in enumerate(boxes):
                assert one.x + one.width <= (report.WIDTH if here == "desktop" else report.PHONE)
                for other in boxes[nth + 1 :]:
                    apart = one.x + one.width <= other.x or other.x + other.width <= one.x
                    assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_the_model_says_what_the_contracts_say() -> None:
    """As another reader of TMDL understands it."""
    assert {(metric.of.name, dax.name(metric)) for metric in METRICS.values()} == MEASURES
    for name, table in TABLES_READ.items():
        contract = TABLES[f"gold.{name}"]
        types = {column.name: source.TYPES[column.type] for column in contract.columns if column.type in source.TYPES}
        read = {column["name"]: column["tmdl_data_type"] for column in table["columns"]}
        assert types.items() <= read.items()
        assert {column["source_column"] for column in table["columns"]} == read.keys()
        assert all((name, c["sort_by_column"]) in COLUMNS for c in table["columns"] if c["sort_by_column"])
        assert all((name, level["column"]) in COLUMNS for h in table["hierarchies"] for level in h["levels"])
    relationships = judge.model()["relationships"]
    assert len(relationships) == len(model.RELATIONSHIPS) and not all(said["is_active"] for said in relationships)
    for said in relationships:
        assert (said["from_table"], said["from_column"]) in COLUMNS and (said["to_table"], said["to_column"]) in COLUMNS
    tags = [c["lineage_tag"] for table in TABLES_READ.values() for c in (table, *table["columns"], *table["measures"])]
    assert len(set(tags)) == len(tags)


def test_no_two_active_ways_lead_from_one_table_to_another() -> None:
    ways = {(said["from_table"], said["to_table"]) for said in judge.model()["relationships"] if said["is_active"]}
    assert len(ways) == sum(said["is_active"] for said in judge.model()["relationships"])
    for start in TABLES_READ:
        reached: list[str] = []
        edge = [start]
        while edge:
            edge = [to for here in edge for table, to in ways if table == here]
            reached += edge
        assert len(reached) == len(set(reached)), f"{start} reaches a table in two ways"


@pytest.mark.parametrize("of", ["databricks", "warehouse"])
def test_another_source_changes_only_how_rows_come(of: source.Source) -> None:
    here, there = project.files(), project.files(of)
    changed = [path for path in here if here[path] != there[path]]
    assert all(path.startswith("Netflix.SemanticModel/definition/") for path in changed)
    for path in (path for path in changed if "/tables/" in path):
        assert all("Rows(" in line for line in _differing(here[path], there[path]))
    with pytest.raises(LookupError, match="has no parameter Port"):
        project.files(of, {"Port": "1"})


def test_every_query_is_sql_of_its_source() -> None:
    database = duckdb.connect()
    database.execute("CREATE SCHEMA gold")
    for table in model.tables():
        rows = arrow_schema(table.contract).empty_table()  # noqa: F841  read by its name
        database.execute(f"CREATE TABLE {table.contract.name} AS SELECT * FROM rows")
        asked = database.execute(source.query(table.contract, "duckdb"))
        assert [column[0] for column in asked.description] == [column.of.name for column in table.columns]
        for dialect in ("tsql", "databricks"):
            (said,) = sqlglot.parse(source.query(table.contract, dialect), read=dialect)  # type: ignore[arg-type]
            assert said is not None and said.named_selects == [column.of.name for column in table.columns]


def test_related_tables_filter_and_a_stock_is_that_of_the_last_period_shown() -> None:
    days = [date(2020, 1, 1), date(2020, 7, 1), date(2021, 1, 1)]
    rows = [
        {"release_date": day, "title_key": str(nth), "type": "Movie", "rating": "PG" if nth % 2 else "R"}
        for many, day in enumerate(days, 2)
        for nth in range(many)
    ]
    with with_facts({"gold.fact_release_title": rows}) as database:
        tables = judge.load(database, ["gold.fact_release_title"])
    tables["dim_rating"]["rows"] = [[name, *[None] * 5] for name in ("PG", "R")]
    at = tables["dim_date"]["columns"]
    tables["dim_date"]["rows"] = [
        [{"date": judge._as_dax(day), "year": day.year}.get(name) for name in at] for day in days
    ]
    titles, growth = METRICS["titles"], METRICS["net_growth"]
    assert judge.value(titles, tables, {}) == 4 and judge.value(titles, tables, {"dim_date.year": 2020}) == 3
    assert judge.value(titles, tables, {"dim_date.year": 2020, "dim_rating.rating": "R"}) == 2
    assert judge.value(growth, tables, {"dim_date.year": 2021}) == judge.value(growth, tables, {}) == 1


def test_what_the_model_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    many = model.Relationship(("fact_engagement", "kind"), ("dim_title", "title"))
    monkeypatch.setattr(model, "RELATIONSHIPS", (*model.RELATIONSHIPS, many))
    model.tables.cache_clear()
    with pytest.raises(ContractError, match=r"dim_title\.title does not tell the rows of dim_title apart"):
        model.tables()
    monkeypatch.undo()
    drawn = report.Drawn("catalogue", "genres", "clusteredBarChart", ("genre_titles",), ("fact_release_title", "type"))
    monkeypatch.setattr(report, "DRAWN", (*report.DRAWN, drawn))
    report.pages.cache_clear()
    with pytest.raises(ContractError, match=r"genre_titles is not cut by fact_release_title\.type"):
        report.pages()
    monkeypatch.undo()
    report.pages.cache_clear()


def test_names_are_quoted() -> None:
    assert (tmdl.name("Net growth"), tmdl.name("it's"), tmdl.m_text('a "b"')) == (
        "'Net growth'",
        "'it''s'",
        '"a ""b"""',
    )
