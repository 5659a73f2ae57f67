"""The console script ``netflix-dagster``. With ``--json`` one JSON document goes to stdout, the rest to stderr.

Exit codes: 0 all is well, 3 the work is done but a delivery is held back, 1 something failed, 2 a wrong call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from netflix_dagster.cli.progress import working
from netflix_dagster.cli.trouble import Failed, WrongCall, told, writing
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster.storage import Place, PlaceError, at, is_local

if TYPE_CHECKING:
    from netflix_dagster.landing.sources import Sources

HELP = """A medallion lakehouse on Netflix's public data: land deliveries, build the tables, look at them.

Exit codes: 0 all is well, 3 the work is done but a delivery is held back, 1 something failed, 2 a wrong call.
"""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)
err = Console(stderr=True, highlight=False)

LandingOption = Annotated[
    str | None, typer.Option(help="Folder of <source>/<delivery date>/<file>; a path or an abfss:// URL.")
]
LakeOption = Annotated[
    str | None,
    typer.Option(help="Folder of <layer>/<table>; a path or an abfss:// URL, container {zone} for one a layer."),
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], help="The tables as they stood then, UTC."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class Format(StrEnum):
    """How a query's answer is printed."""

    table = "table"
    json = "json"
    csv = "csv"


class Engine(StrEnum):
    """What runs the PySpark steps."""

    sail = "sail"
    spark = "spark"
    remote = "remote"


@app.command()
def run(
    landing: LandingOption = None,
    lake: LakeOption = None,
    source: Annotated[str | None, typer.Option(help="Only the deliveries of this source.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also take up what is held back, though its files have not changed.")
    ] = False,
    engine: Annotated[Engine | None, typer.Option(help="What builds the tables.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Build what has arrived and is not built yet, from landing to gold, through Dagster."""
    with told(err, as_json, stopped="what is built stays"):
        settings = _settings(landing, lake, engine)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.progress import real_stderr
        from netflix_dagster.cli.run import run_pending
        from netflix_dagster.cli.summary import print_summary
        from netflix_dagster.engine.sessions import missing

        if lacking := missing(settings):
            raise Failed(lacking)
        _declared(settings)
        summary = run_pending(settings, source, again, real_stderr())
    if as_json:
        print_json(summary)
    else:
        print_summary(summary, Console(highlight=False))
    raise typer.Exit(summary["exit_code"])


@app.command()
def land(
    file: Annotated[Path, typer.Argument(help="The delivered file.")],
    source: Annotated[str, typer.Option(help="The source that it belongs to, see sources.yaml.")],
    date: Annotated[
        str | None,
        typer.Option(
            help="Delivery date, YYYY-MM-DD, or YYYY-MM-DDTHH of a feed by the hour; now, in UTC, by default."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove the other files of that delivery: this one takes their place.")
    ] = False,
    landing: LandingOption = None,
    lake: LakeOption = None,
) -> None:
    """Put a file into the landing folder as a delivery of a source, and say whether the door will take it."""
    with told(err, doing=f"landing {file.name}", stopped="a file lands whole or not at all"):
        settings = _settings(landing, lake)
        from netflix_dagster.cli.land import land as land_file
        from netflix_dagster.cli.land import print_landed
        from netflix_dagster.landing import keys
        from netflix_dagster.landing.sources import load_sources

        known = load_sources(settings.sources).sources
        if source not in known:
            raise WrongCall(f"there is no source {source!r}; the sources are {', '.join(known)}")
        if not file.is_file():
            raise WrongCall(f"{file} is not a file" if file.exists() else f"there is no file {file}")
        day = date or keys.at(datetime.now(UTC), known[source].every)
        _declared(settings)
        landed = land_file(settings, file, known[source], day, replace)
    print_landed(landed, settings, err)
    raise typer.Exit(3 if landed.refused else 0)


@app.command()
def fetch(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources with an origin in sources.yaml; all of them without names.")
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Every commit of a file in git, or the rows of each day of a table with a cursor, as deliveries.",
        ),
    ] = False,
    landing: LandingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Get what is new at the origins of sources (HTTP, GitHub, a database, another storage) into the landing folder."""
    with told(err, as_json, stopped="what has landed is whole and stays, what has come of the rest is kept aside"):
        settings = _settings(landing, None)
        from netflix_dagster.cli.fetch import fetch as fetch_all
        from netflix_dagster.cli.output import print_json

        done = fetch_all(settings, sources or [], history, err)
    if as_json:
        print_json(done)
    raise typer.Exit(done["exit_code"])


@app.command()
def accept(
    feed: Annotated[str, typer.Argument(help="The feed, such as catalogue, or one source of it.")],
    delivery: Annotated[str, typer.Argument(help="Its delivery date, as YYYY-MM-DD.")],
    because: Annotated[str, typer.Option(help="Why it is right; kept with the decision in quality.deliveries.")],
    lake: LakeOption = None,
) -> None:
    """Take in one delivery as it is, although it lacks more than the contract allows. Only a person can know."""
    with told(err, doing=f"deciding about {feed} {delivery}"):
        settings = _settings(None, lake)
        _declared(settings)
        from netflix_dagster.cli.deliveries import print_accepted
        from netflix_dagster.deliveries import decisions
        from netflix_dagster.deliveries.life import Life

        try:
            attempts = decisions.to_accept(Life.read(settings.lake), feed, delivery)
            decisions.accept(settings.lake, feed, delivery, because)
        except decisions.DecisionError as error:
            raise WrongCall(str(error)) from error
    print_accepted(attempts, err)


@app.command()
def sample(
    folder: Annotated[str, typer.Argument(help="The landing folder to fill: a path or an abfss:// URL.")],
    garbage: Annotated[
        bool,
        typer.Option(
            "--garbage", help="Also three files that hold no data (two web pages, a null), to see them refused."
        ),
    ] = False,
    events: Annotated[
        int, typer.Option("--events", min=0, metavar="HOURS", help="Also viewing events, one delivery an hour.")
    ] = 0,
    files: Annotated[
        int, typer.Option("--files", min=1, help="In so many files an hour, of about 20 events each.")
    ] = 1_000,
    seed: Annotated[int, typer.Option("--seed", help="Of the events: the same seed makes the same bytes.")] = 20260301,
) -> None:
    """Write small sample deliveries, invented, with every kind of dirt that real ones have."""
    from netflix_dagster.sample import write_events, write_sample

    with told(err, doing="writing the sample"):
        landing = _place(folder)
        if not is_local(landing):
            _settings(None, None)
        with writing("the landing folder", landing):
            written = len(write_sample(landing, garbage))
            written += write_events(landing, events, files, seed)
    err.print(f"{written} sample files in {landing}", markup=False, soft_wrap=True)


@app.command()
def jars() -> None:
    """Fetch what Apache Spark needs besides itself, once: Delta, and the driver of Azure's storage."""
    with told(err, doing="fetching jars"):
        folder = _settings(None, None).spark_jars
        from netflix_dagster.engine.jars import JarsError, fetch

        err.print(f"fetching the jars of Apache Spark into {folder} ...", markup=False, soft_wrap=True)
        try:
            with writing("the folder of the jars", folder):
                fetched = fetch(folder)
        except JarsError as error:
            raise Failed(str(error)) from error
    err.print(f"{len(fetched)} jars in {folder}", markup=False, soft_wrap=True)
    from netflix_dagster.cli import hints

    err.print(f"next   {hints.me()} run --engine spark")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='For example "SELECT * FROM gold.dim_title LIMIT 5".')],
    output: Annotated[Format, typer.Option("--format", help="How the answer is printed.")] = Format.table,
    as_of: AsOfOption = None,
    lake: LakeOption = None,
) -> None:
    """SQL over bronze, silver, gold and quality (quarantine), by the names of the tables, and over metrics."""
    with told(err, doing="asking the tables"):
        settings = _settings(None, lake)
        from netflix_dagster.cli.output import print_answer
        from netflix_dagster.lake.query import QueryError
        from netflix_dagster.lake.query import query as ask
        from netflix_dagster.serving.warehouse import asked_for

        try:
            answer = ask(settings.lake, sql, as_of.replace(tzinfo=UTC) if as_of else None, asked_for(sql))
        except QueryError as error:
            raise WrongCall(str(error)) from error
    print_answer(answer, output.value)


@app.command()
def sql(
    output: Annotated[Format, typer.Option("--format", help="How answers are printed.")] = Format.table,
    as_of: AsOfOption = None,
    lake: LakeOption = None,
) -> None:
    """A shell for SQL over the tables and the metrics, with completion and history; reads stdin if it is piped."""
    with told(err):
        settings = _settings(None, lake)
        _declared(settings)
        from netflix_dagster.cli.sql_shell import shell

        wrong = shell(settings, as_of.replace(tzinfo=UTC) if as_of else None, output.value, err)
    raise typer.Exit(2 if wrong else 0)


@app.command()
def dashboard(
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    lake: LakeOption = None,
) -> None:
    """Make the dashboard anew from the lake as it is, and say where it is."""
    with told(err, doing="making the dashboard", stopped="the dashboard before it stays"):
        settings = _settings(None, lake)
        sources = _declared(settings)
        from dagster import DagsterInstance

        from netflix_dagster.cli.run import at_home
        from netflix_dagster.defs.dashboard import seconds_of_tables
        from netflix_dagster.serving.dashboard import build, places

        with writing("the dashboard", places(settings)[0]):
            at_home(settings)
            with DagsterInstance.get() as instance:
                made = build(settings.lake, sources, places(settings), seconds_of_tables(instance))
    typer.echo(made.site.index)
    if open_it:
        typer.launch(str(made.site.index))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A folder of its own, made if it is not there.")] = Path(
        "netflix-demo"
    ),
    ui: Annotated[bool, typer.Option("--ui", help="Then serve Dagster's UI, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="Of the UI.")] = 3000,
) -> None:
    """Show the lakehouse: land the sample, build it, open its dashboard. Needs no network and no settings."""
    with told(err):
        settings = _settings(str(folder.absolute() / "landing"), str(folder.absolute() / "lake"))
        _declared(settings)
        from netflix_dagster.cli.progress import real_stderr
        from netflix_dagster.cli.run import run_pending
        from netflix_dagster.cli.summary import print_summary
        from netflix_dagster.sample import write_sample
        from netflix_dagster.serving.dashboard import places

        with writing("the landing folder", settings.landing):
            write_sample(settings.landing)
        summary = run_pending(settings, None, False, real_stderr())
    print_summary(summary, Console(highlight=False))
    if summary["exit_code"]:
        raise typer.Exit(summary["exit_code"])
    page = str(places(settings)[0] / "index.html")
    typer.echo(page)
    typer.launch(page)
    if not ui:
        err.print(f"Dagster's UI on the same tables: netflix-dagster demo {folder} --ui", markup=False, soft_wrap=True)
        return
    from netflix_dagster.cli.home import ensure_home

    os.environ["DAGSTER_HOME"] = str(ensure_home(get_settings()))
    os.execv(
        sys.executable, [sys.executable, "-m", "dagster", "dev", "-m", "netflix_dagster.definitions", "-p", str(port)]
    )


@app.command()
def profile(
    file: Annotated[Path, typer.Argument(help="A csv, tsv or xlsx file, whatever its encoding and delimiter.")],
    megabytes: Annotated[int, typer.Option(min=1, help="How much of a longer text file is looked at.")] = 64,
    as_json: JsonOption = False,
) -> None:
    """What an unknown file holds, what is odd about it, and the sources.yaml entry and expectations for it."""
    with told(err, as_json, doing=f"looking at {file.name}"):
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.profile import as_document, print_profile, profile_file

        found = profile_file(file, _settings(None, None), megabytes)
    if as_json:
        print_json(as_document(found))
    else:
        print_profile(found)


source_app = typer.Typer(
    no_args_is_help=True, help="The sources: a new one without code, all looked over, one removed."
)
app.add_typer(source_app, name="source")


@source_app.command("add")
def add_source(
    name: Annotated[str, typer.Argument(help="What it shall be called, such as pets.")],
    file: Annotated[
        Path | None, typer.Option(help="A csv, tsv, JSON lines, Parquet or xlsx file of it, or Debezium's envelopes.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Where such a file lies; it becomes the origin of the source.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="The URL may be of a private network.")] = False,
    database: Annotated[
        str | None,
        typer.Option(
            help="A database, instead: secret://name or env://NAME that holds its URL, or the URL, which is not kept."
        ),
    ] = None,
    table: Annotated[str | None, typer.Option(help="Its table or view, schema.name.")] = None,
    cursor: Annotated[
        str | None, typer.Option(help="The column of it that grows with every new or changed row.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A column that identifies a row, if you know; repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write the entry without asking.")] = False,
) -> None:
    """Look at a file or table and put an entry into sources.yaml: bronze and silver, typed, keyed, with rules."""
    with told(err):
        settings = _settings(None, None)
        from netflix_dagster.cli import source

        given = source.Given(file, url, private, database, table, cursor, tuple(key or ()))
        found, entry = source.proposed(settings, name, given, err)
        source.tell(found, err)
        typer.echo(entry, nl=False)
        if not yes and not (sys.stdin.isatty() and typer.confirm("Write this into the file of the sources?", err=True)):
            raise WrongCall("nothing was written; say --yes to write it")
        path = source.write_entry(settings, name, entry)
    said = found.document["sources"][name]
    made = [f"bronze.{name}", f"silver.{name}"]
    made += [f"silver.{name}_{changes['keep']}"] if (changes := said["silver"].get("changes")) else []
    err.print(f"wrote {path}: {', '.join(made)}; a word about each column is for you", markup=False, soft_wrap=True)
    from netflix_dagster.cli import hints

    for variable, what in source.to_be_set(given, said.get("origin", {})).items():
        err.print(f"first  set {variable} in the environment: {what}, which is written nowhere", markup=False)
    land_it = f"land {file} --source {name}" if file else f"fetch {name}"
    err.print(f"next   {hints.me()} {land_it} && {hints.command(settings, 'run')}", markup=False, soft_wrap=True)


@source_app.command("check")
def check_source(
    name: Annotated[str | None, typer.Argument(help="One source; all of them without it.")] = None,
    landing: LandingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether the file of the sources can be used, what is built of each, and what lies in landing."""
    with told(err, as_json, doing="looking at the sources"):
        settings = _settings(landing, None)
        from netflix_dagster.cli import source
        from netflix_dagster.cli.output import print_json

        findings = source.check(settings, name)
    code = 0 if all(finding["ok"] for finding in findings) else 1
    if as_json:
        print_json({"exit_code": code, "findings": findings})
    else:
        source.print_findings(findings, Console(highlight=False))
    raise typer.Exit(code)


@source_app.command("remove")
def remove_source(
    name: Annotated[str, typer.Argument(help="The source.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    lake: LakeOption = None,
) -> None:
    """Take a source out of sources.yaml, and say what becomes of its files, tables and history: they stay."""
    with told(err):
        settings = _settings(None, lake)
        from netflix_dagster.cli import source

        if not yes and not (sys.stdin.isatty() and typer.confirm(f"Take {name} out of the sources?", err=True)):
            raise WrongCall("nothing was changed; say --yes to remove it")
        for sentence in source.remove(settings, name):
            err.print(sentence, markup=False, soft_wrap=True)


contracts = typer.Typer(no_args_is_help=True, help="What is promised of the tables, for people and for other tools.")
app.add_typer(contracts, name="contracts")


@contracts.command()
def dictionary(
    to: Annotated[Path | None, typer.Option(help="The file to write; stdout without it.")] = None,
) -> None:
    """The data dictionary: every table with its meaning, grain, key, columns and rules, as Markdown."""
    with told(err):
        settings = _settings(None, None)
        from netflix_dagster.serving.dictionary import render

        text = render(_declared(settings))
        if to is None:
            typer.echo(text, nl=False)
        else:
            with writing("the data dictionary", to):
                to.write_text(text, encoding="utf-8", newline="\n")
            err.print(f"wrote {to}", markup=False, soft_wrap=True)


@contracts.command()
def export(
    to: Annotated[Path, typer.Option(help="The folder for <layer>.<name>.odcs.yaml.")],
    tables: Annotated[list[str] | None, typer.Argument(help="Names such as gold.dim_title; all without them.")] = None,
    lake: LakeOption = None,
    azure: Annotated[
        str, typer.Option(help="The lake in Azure Data Lake Storage.")
    ] = "abfss://{zone}@account.dfs.core.windows.net",
) -> None:
    """Every contract as a document of the Open Data Contract Standard (ODCS 3.2)."""
    with told(err, doing="writing the contracts"):
        settings = _settings(None, lake)
        from netflix_dagster.serving.odcs import export as export_contracts

        try:
            with writing("the folder", to):
                written = export_contracts(tables or [], to, _declared(settings), settings.lake, azure)
        except LookupError as error:
            raise WrongCall(str(error.args[0])) from error
    from netflix_dagster.cli.output import plural

    err.print(f"{plural(len(written), 'contract')} in {to}", markup=False, soft_wrap=True)


class Dialect(StrEnum):
    """Where views of the metrics are to be made."""

    duckdb = "duckdb"
    tsql = "tsql"
    databricks = "databricks"


@contracts.command("metrics")
def export_metrics(
    to: Annotated[Path, typer.Option(help="The folder for netflix.ossie.yaml.")],
) -> None:
    """Every metric, as a semantic model of Apache Ossie (Open Semantic Interchange)."""
    with told(err, doing="writing the metrics"):
        _declared(_settings(None, None))
        from netflix_dagster.serving import ossie

        with writing("the folder", to):
            path = ossie.export(to)
    err.print(f"wrote {path}", markup=False, soft_wrap=True)


@contracts.command()
def views(dialect: Annotated[Dialect, typer.Option(help="tsql is Synapse's.")] = Dialect.tsql) -> None:
    """SQL that makes a view metrics.<name> of every metric over the gold tables."""
    with told(err):
        _declared(_settings(None, None))
        from netflix_dagster.contracts.metrics import METRICS
        from netflix_dagster.serving.metric_sql import view

        try:
            said = [view(metric, dialect.value) for metric in METRICS.values()]
        except ModuleNotFoundError as error:
            raise Failed(f"{error.name} is not installed: pip install 'netflix-dagster[dialects]'") from error
        end = ";\nGO\n\n" if dialect is Dialect.tsql else ";\n\n"
        typer.echo("".join(f"{statement}{end}" for statement in said), nl=False)


class PowerBISource(StrEnum):
    """Where a model of Power BI loads its tables from."""

    synapse = "synapse"
    databricks = "databricks"
    warehouse = "warehouse"


SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A parameter of the source, as Server=name.sql...; repeatable.")
]


@contracts.command("powerbi")
def export_powerbi(
    to: Annotated[Path, typer.Option(help="The folder for Netflix.pbip, the model and the report.")],
    source: Annotated[PowerBISource, typer.Option(help="What the tables are loaded from.")] = PowerBISource.synapse,
    given: SetOption = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw the pages of the report into this SVG.")] = None,
) -> None:
    """The semantic model and the report of Power BI, as a project of files that are the same at every call."""
    with told(err, doing="writing the project"):
        _declared(_settings(None, None))
        with _of_powerbi():
            from netflix_dagster.serving.powerbi import picture as pictures
            from netflix_dagster.serving.powerbi import project

            with writing("the project", to):
                written = project.export(to, source.value, _parameters(given))
            if picture is not None:
                with writing("the picture", picture):
                    picture.write_text(pictures.svg(), encoding="utf-8", newline="\n")
    from netflix_dagster.cli.output import plural

    err.print(f"{plural(len(written), 'file')} in {to}", markup=False, soft_wrap=True)


@contracts.command()
def unity(
    catalog: Annotated[str, typer.Option(help="The catalog of Unity Catalog; its schemas are the layers.")],
    lake: LakeOption = None,
) -> None:
    """SQL that makes Unity Catalog show every table where it lies, with what it and its columns mean."""
    with told(err):
        settings = _settings(None, lake)
        from netflix_dagster.serving.unity import statements

        _declared(settings)
        typer.echo("".join(f"{statement};\n\n" for statement in statements(catalog, settings.lake)), nl=False)


powerbi = typer.Typer(no_args_is_help=True, help="Model and report of Power BI, in a workspace.")
app.add_typer(powerbi, name="powerbi")


@powerbi.command("deploy")
def deploy_powerbi(
    workspace: Annotated[str | None, typer.Option(help="Its id, instead of NETFLIX_POWERBI_WORKSPACE.")] = None,
    source: Annotated[PowerBISource, typer.Option(help="What the tables are loaded from.")] = PowerBISource.synapse,
    given: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deployed; asks nobody.")] = False,
) -> None:
    """Put the model and the report into a workspace, as this machine's identity. No data is loaded by it."""
    with told(err):
        settings = _settings(None, None)
        _declared(settings)
        there = workspace or settings.powerbi_workspace
        if there is None:
            raise WrongCall("which workspace? Say --workspace or set NETFLIX_POWERBI_WORKSPACE; nothing was deployed")
        with _of_powerbi():
            from netflix_dagster.serving.powerbi import deploy

            planned = deploy.plan(source.value, _parameters(given))
            for item, files in planned.items.items():
                typer.echo(f"{item}: {files} files")
            for name, value in planned.parameters.items():
                typer.echo(f"{name} = {value}")
            if dry_run:
                err.print(f"nothing was deployed to {there}", markup=False, soft_wrap=True)
                return
            from netflix_dagster.azure.identity import IdentityError, credential
            from netflix_dagster.azure.redaction import redact

            try:
                with working("deploying", err):
                    deploy.deploy(there, planned, credential())
            except IdentityError as error:
                raise Failed(str(error)) from error
            except Exception as error:
                if type(error).__module__.split(".")[0] not in ("fabric_cicd", "azure", "requests"):
                    raise
                raise Failed(
                    f"the deployment to {there} failed: {redact(str(error))}. What it says is published stays, and"
                    " loads no data. Mend the reason, then run the same command again"
                ) from error
    err.print(f"deployed to {there}", markup=False, soft_wrap=True)


@powerbi.command("verify")
def verify_powerbi(
    workspace: Annotated[str | None, typer.Option(help="Its id, instead of NETFLIX_POWERBI_WORKSPACE.")] = None,
    lake: LakeOption = None,
) -> None:
    """Ask the workspace for every measure and compare it with the lake. It changes nothing."""
    with told(err):
        settings = _settings(None, lake)
        _declared(settings)
        there = workspace or settings.powerbi_workspace
        if there is None:
            raise WrongCall("which workspace? Say --workspace or set NETFLIX_POWERBI_WORKSPACE")
        with _of_powerbi():
            from netflix_dagster.azure.identity import IdentityError
            from netflix_dagster.serving.powerbi import service, verify

            try:
                with working("asking for every measure", err):
                    found = verify.compared(service.opened(there), settings.lake)
            except (service.PowerBIError, IdentityError) as error:
                raise Failed(str(error)) from error
        for one in found:
            typer.echo(f"{'equal  ' if one.equal else 'DIFFERS'} {one.metric}: {one.there} there, {one.here} here")
        if not all(one.equal for one in found):
            raise Failed("figures differ: refresh the model (the job refresh_powerbi), then ask again")


@contextmanager
def _of_powerbi() -> Iterator[None]:
    """Says in a sentence what is not installed, and which parameter is not right."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = "fabric-cicd" if error.name == "fabric_cicd" else "netflix-dagster[powerbi]"
        raise Failed(f"{error.name} is not installed: pip install '{extra}'") from error
    except LookupError as error:
        raise WrongCall(str(error.args[0])) from error


def _parameters(given: list[str] | None) -> dict[str, str]:
    return dict(said.partition("=")[::2] for said in given or [])


deliveries = typer.Typer(no_args_is_help=True, help="What has become of every delivery, and how one is taken away.")
app.add_typer(deliveries, name="deliveries")


class State(StrEnum):
    """What a delivery can be."""

    landed = "landed"
    refused = "refused"
    accepted = "accepted"
    held = "held"
    standing = "standing"
    superseded = "superseded"
    withdrawn = "withdrawn"


@deliveries.command("list")
def list_deliveries(
    source: Annotated[str | None, typer.Option(help="Only the deliveries of this source.")] = None,
    feed: Annotated[str | None, typer.Option(help="Only the deliveries of this feed.")] = None,
    status: Annotated[State | None, typer.Option(help="Only those that are this now.")] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every delivery: what it is, since when, and why. Oldest first."""
    with told(err, as_json, doing="reading the deliveries"):
        settings = _settings(None, lake)
        from netflix_dagster.cli.deliveries import every, print_every
        from netflix_dagster.cli.output import print_json

        rows = every(settings, source=source, feed=feed, status=status.value if status else None)
    if as_json:
        print_json({"deliveries": rows})
    else:
        print_every(rows)


SourceArgument = Annotated[str, typer.Argument(help="The source that delivered it, see sources.yaml.")]
DateArgument = Annotated[str, typer.Argument(help="Its delivery date, as YYYY-MM-DD.")]


@deliveries.command("show")
def show_delivery(
    source: SourceArgument, date: DateArgument, lake: LakeOption = None, as_json: JsonOption = False
) -> None:
    """One delivery: every attempt at it, what people decided, the builds of its date, what is still due."""
    with told(err, as_json, doing="reading the deliveries"):
        settings = _settings(None, lake)
        from netflix_dagster.cli.deliveries import one, print_one
        from netflix_dagster.cli.output import print_json

        found = one(settings, source, date)
    if as_json:
        print_json(found)
    else:
        print_one(found, Console(highlight=False))


@deliveries.command("withdraw")
def withdraw_delivery(
    source: SourceArgument,
    date: DateArgument,
    because: Annotated[str, typer.Option(help="Why it is taken away; kept with the decision in quality.deliveries.")],
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take one delivery away: the next build removes its rows from every table."""
    with told(err, as_json, doing=f"deciding about {source} {date}"):
        settings = _settings(None, lake)
        from netflix_dagster.cli.deliveries import print_withdrawn, withdraw
        from netflix_dagster.cli.output import print_json

        found = withdraw(settings, source, date, because)
    if as_json:
        print_json(found)
    else:
        print_withdrawn(found, err)


refused = typer.Typer(no_args_is_help=True, help="The rows and files that were refused: why, and how they pass.")
app.add_typer(refused, name="quarantine")

TableOption = Annotated[str | None, typer.Option("--table", help="The table that refused it, such as silver.titles.")]
DeliveryOption = Annotated[str | None, typer.Option("--delivery", help="Its delivery date, as YYYY-MM-DD.")]
RuleOption = Annotated[str | None, typer.Option("--rule", help="A rule that it breaks.")]


@refused.command("list")
def list_refused(
    table: TableOption = None,
    delivery: DeliveryOption = None,
    rule: RuleOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What lies in the quarantine, numbered, oldest delivery first."""
    with told(err, as_json, doing="reading the quarantine"):
        settings = _settings(None, lake)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.quarantine import print_rows, select

        selection, rows = select(settings, table=table, delivery=delivery, rule=rule)
    if as_json:
        print_json({"rows": rows})
    else:
        print_rows(rows, selection)


@refused.command("show")
def show_refused(
    number: Annotated[int | None, typer.Argument(help="Its number in `quarantine list`.")] = None,
    table: TableOption = None,
    delivery: DeliveryOption = None,
    record: Annotated[int | None, typer.Option(help="Its record number in the file.")] = None,
    file: Annotated[str | None, typer.Option(help="The name of the file.")] = None,
    landing: LandingOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything about one refused row: as delivered, what is wrong with it, where that is said, how to mend it."""
    with told(err, as_json, doing="reading the quarantine"):
        settings = _settings(landing, lake)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.quarantine import explain, print_explained

        rows = explain(settings, number, table=table, delivery=delivery, record=record, file=file)
    if as_json:
        print_json({"rows": rows})
    else:
        print_explained(rows, Console(highlight=False))


@refused.command()
def replay(
    table: TableOption = None,
    delivery: DeliveryOption = None,
    rule: RuleOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be built again.")] = False,
    landing: LandingOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge refused rows anew, after the file, its alias in sources.yaml or the rule was mended."""
    with told(err, as_json, stopped="what is built stays"):
        settings = _settings(landing, lake)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.progress import real_stderr
        from netflix_dagster.cli.quarantine import print_replay
        from netflix_dagster.cli.quarantine import replay as judge_anew

        found = judge_anew(settings, dry_run, real_stderr(), table=table, delivery=delivery, rule=rule)
    if as_json:
        print_json(found)
    else:
        print_replay(found, Console(highlight=False))
    raise typer.Exit(found["exit_code"])


synapse = typer.Typer(no_args_is_help=True, help="Gold and metrics in Synapse, from the scripts of infra/synapse.")
app.add_typer(synapse, name="synapse")


@synapse.command("plan")
def plan_synapse(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """What `synapse apply` would do; it only reads."""
    _synapse(lake, as_json, do=False)


@synapse.command("apply")
def apply_synapse(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Bring the database of the serverless pool up to the scripts."""
    _synapse(lake, as_json, do=True)


def _synapse(lake: str | None, as_json: bool, do: bool) -> None:
    with told(err, as_json, doing="asking Synapse"):
        settings = _settings(None, lake)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.synapse import as_document, asked, print_plan
        from netflix_dagster.serving.synapse.applying import apply, plan

        with asked():
            found = apply(settings) if do else plan(settings)
    if as_json:
        print_json(as_document(found))
    else:
        print_plan(found, Console(highlight=False))


@synapse.command("load")
def load_synapse(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Load what has changed of gold into the dedicated pool, if the settings name one."""
    with told(err, as_json, doing="loading the pool"):
        settings = _settings(None, lake)
        from dataclasses import asdict

        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.synapse import asked, print_loaded
        from netflix_dagster.serving.synapse.pool import load

        with asked():
            loaded = list(load(settings))
    if as_json:
        print_json({"loaded": [asdict(table) for table in loaded]})
    else:
        print_loaded(loaded, Console(highlight=False))


@app.command()
def doctor(landing: LandingOption = None, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """What is configured, what is missing, and how to mend it."""
    with told(err, as_json, doing="looking around"):
        settings = _settings(landing, lake)
        from netflix_dagster.cli.doctor import diagnose, print_findings
        from netflix_dagster.cli.output import print_json

        findings = diagnose(settings)
    if as_json:
        print_json({"findings": findings})
    else:
        print_findings(findings, Console(highlight=False))
    raise typer.Exit(0 if all(finding["ok"] for finding in findings) else 1)


@app.command()
def verify(
    target: Annotated[str, typer.Argument(help="storage, events, vault, telemetry, databricks, unity; platform: all.")],
    to: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("data/verify"),
    wait: Annotated[float, typer.Option(min=1, help="Seconds that an event or a trace may take to arrive.")] = 300,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before anything is tried.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try the platform on the real thing, step by step: what works, what is missing, and the command that grants it."""
    with told(err, as_json):
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.verify import verify

        said = verify(_settings(None, None), target, to, wait, yes, err)
    if as_json:
        print_json(said)
    raise typer.Exit(0 if said["ok"] else 1)


@app.command()
def home(lake: LakeOption = None) -> None:
    """Make Dagster's home for the lake, if it is not there yet, and print its path (DAGSTER_HOME)."""
    from netflix_dagster.cli.alone import clear_up
    from netflix_dagster.cli.home import ensure_home

    with told(err):
        settings = _settings(None, lake)
        made = ensure_home(settings)
        clear_up(made, settings.lake, err)
        typer.echo(made)


def _settings(landing: str | None, lake: str | None, engine: Engine | None = None) -> Settings:
    """The settings with the options of the command, also for everything this process starts."""
    try:
        settings = get_settings()
    except ValidationError as error:
        raise WrongCall("\n".join(map(_wrong, error.errors()))) from error
    chosen: dict[str, object] = {
        name: _place(text) for name, text in (("landing", landing), ("lake", lake)) if text is not None
    }
    if engine is not None:
        chosen["engine"] = engine.value
    os.environ.update(settings.model_copy(update=chosen).as_environment())
    get_settings.cache_clear()
    from netflix_dagster.azure import access

    access.connect(get_settings())
    return get_settings()


def _declared(settings: Settings) -> Sources:
    """The sources of the settings, whose tables are now declared."""
    from netflix_dagster import tables
    from netflix_dagster.landing.sources import load_sources

    sources = load_sources(settings.sources)
    tables.declare(sources)
    return sources


def _place(text: str) -> Place:
    try:
        return at(text)
    except PlaceError as error:
        raise WrongCall(str(error)) from error


def _wrong(error: Any) -> str:
    """One thing that is wrong with the settings; those that concern several have no name."""
    said = error["msg"].removeprefix("Value error, ")
    return f"NETFLIX_{str(error['loc'][0]).upper()}={error['input']}: {said}" if error["loc"] else said
