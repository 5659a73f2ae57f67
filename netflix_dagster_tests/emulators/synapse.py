"""A stand-in for the serverless pool of Synapse: the DDL that it has, its catalog, and views over Delta tables.

Behind it is DuckDB; T-SQL is read by sqlglot. What the pool does not know is refused with its numbers, those of
"Database engine events and errors" and "Troubleshoot serverless SQL pool". A text that is
longer than the view says is refused as well, so that lengths are tried.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from zlib import crc32

import duckdb
import sqlglot

from netflix_dagster.lake import store
from netflix_dagster.serving.synapse.tsql import COLLATION
from netflix_dagster_tests.emulators import synapse_rights
from netflix_dagster_tests.emulators.tds import Answer, TsqlError
from netflix_dagster_tests.figures import READ_BACK

NOTHING: Answer = ((), (), ())
_NAME = r"\[?([\w@. -]+?)\]?"
_CATALOG = """
CREATE SCHEMA dbo;
CREATE SCHEMA sys;
CREATE SEQUENCE sys.ids START 100;
CREATE TABLE sys.databases (name VARCHAR, collation_name VARCHAR);
CREATE TABLE sys.schemas (name VARCHAR, schema_id INTEGER DEFAULT nextval('sys.ids'));
CREATE TABLE sys.objects (name VARCHAR, object_id INTEGER DEFAULT nextval('sys.ids'), schema_id INTEGER, type VARCHAR);
CREATE TABLE sys.sql_modules (object_id INTEGER, definition VARCHAR);
CREATE TABLE sys.symmetric_keys (name VARCHAR);
CREATE TABLE sys.database_scoped_credentials
    (name VARCHAR, credential_id INTEGER DEFAULT nextval('sys.ids'), credential_identity VARCHAR);
CREATE TABLE sys.external_data_sources (name VARCHAR, location VARCHAR, credential_id INTEGER);
CREATE TABLE sys.database_principals
    (name VARCHAR, principal_id INTEGER DEFAULT nextval('sys.ids'), type VARCHAR, is_fixed_role BOOLEAN);
CREATE TABLE sys.database_role_members (role_principal_id INTEGER, member_principal_id INTEGER);
CREATE TABLE sys.database_permissions
    (class INTEGER, major_id INTEGER, grantee_principal_id INTEGER, permission_name VARCHAR);
INSERT INTO sys.schemas (name) VALUES ('dbo'), ('sys');
INSERT INTO sys.database_principals (name, type, is_fixed_role)
    VALUES ('public', 'R', false), ('db_owner', 'R', true), ('dbo', 'S', false);
"""
_REFUSED = re.compile(r"\b(GROUPING SETS|CREATE TABLE|INSERT|UPDATE|MERGE|sp_addextendedproperty|SECURITY POLICY)\b")


class Pool:
    """The databases of one workspace. Files are those of a lake on this machine, and have the URL that it has."""

    def __init__(self, lake: Path) -> None:
        self.lake, self.url = lake, str(lake)
        self.databases: dict[str, Database] = {}
        self.create("master", "Latin1_General_100_CI_AS_SC_UTF8")

    def create(self, name: str, collation: str) -> None:
        self.databases[name] = Database(self)
        for database in self.databases.values():
            database.sql.execute("DELETE FROM sys.databases WHERE name = ?", [name])
            database.sql.execute("INSERT INTO sys.databases VALUES (?, ?)", [name, collation])

    def drop(self, name: str) -> None:
        self.databases.pop(name).sql.close()
        for database in self.databases.values():
            database.sql.execute("DELETE FROM sys.databases WHERE name = ?", [name])

    def close(self) -> None:
        for database in self.databases.values():
            database.sql.close()

    def enter(self, database: str, who: str | None = None) -> None:
        if database not in self.databases:
            raise TsqlError(4060, f'Cannot open database "{database}" requested by the login. The login failed.')
        if who is not None:
            synapse_rights.enter(self.databases[database].sql, who)

    def answer(self, database: str, sql: str, who: str | None = None) -> Answer:
        if who is not None:
            synapse_rights.judge(self.databases[database].sql, database, who, sql)
        return self.databases[database].answer(sql)


class Database:
    """One database."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.sql = duckdb.connect()
        self.sql.execute(_CATALOG).fetchall()

    def answer(self, sql: str) -> Answer:
        sql = sql.strip().removesuffix(";")
        if found := _REFUSED.search(sql):
            raise TsqlError(15868, f"{found[1]} is not supported in serverless SQL pool.")
        if sql.upper().startswith("SELECT"):
            return self._select(sql)
        if (conditional := self._conditional(sql)) is not None:
            holds, statement = conditional
            return self._statement(statement) if holds else NOTHING
        return self._statement(sql)

    def _select(self, sql: str) -> Answer:
        try:
            answer = self.sql.execute(read(self._opened(sql)))
            described = [(column[0], str(column[1])) for column in answer.description or ()]
            return [name for name, _ in described], [kind for _, kind in described], answer.fetchall()
        except duckdb.Error as error:
            raise TsqlError(4860 if "truncated" in str(error) else 208, str(error)) from error

    def _conditional(self, sql: str) -> tuple[bool, str] | None:
        if found := re.fullmatch(r"IF (\w+)_ID\('([^']+)'\) IS NULL\s+(.*)", sql, re.DOTALL):
            of = {"DB": "databases", "SCHEMA": "schemas", "DATABASE_PRINCIPAL": "database_principals"}[found[1]]
            return not self._one(f"SELECT count(*) FROM sys.{of} WHERE name = ?", found[2]), found[3]
        if found := re.fullmatch(r"IF NOT EXISTS \((SELECT 1 FROM [^()]+)\)\s+(.*)", sql, re.DOTALL):
            return not self.sql.execute(found[1]).fetchall(), found[2]
        return None

    def _statement(self, sql: str) -> Answer:
        if found := re.fullmatch(r"EXEC\('(CREATE SCHEMA [^']+)'\)", sql):
            sql = found[1]
        for pattern, run in _STATEMENTS:
            if found := re.fullmatch(pattern, sql, re.DOTALL):
                run(self, *found.groups())
                return NOTHING
        raise TsqlError(102, f"Incorrect syntax near '{sql[:40]}'.")

    def _one(self, sql: str, *given: Any) -> Any:
        rows = self.sql.execute(sql, list(given)).fetchall()
        return rows[0][0] if rows else None

    def _id(self, kind: str, name: str) -> int:
        """The id of something that must be there."""
        table, column = _IDS[kind]
        found: int | None = self._one(f"SELECT {column} FROM sys.{table} WHERE name = ?", name)
        if found is None:
            raise TsqlError(15151, f"Cannot find the {kind} '{name}', because it does not exist.")
        return found

    def _object(self, name: str) -> int:
        schema, _, short = name.partition(".")
        found: int | None = self._one(
            "SELECT object_id FROM sys.objects WHERE name = ? AND schema_id = ?", short, self._id("schema", schema)
        )
        if found is None:
            raise TsqlError(15151, f"Cannot find the object '{name}', because it does not exist.")
        return found

    # DDL

    def create_database(self, name: str, collation: str) -> None:
        if self is not self.pool.databases["master"]:
            raise TsqlError(226, "CREATE DATABASE is only supported in master")
        if collation != COLLATION:
            raise TsqlError(448, f"Invalid collation '{collation}'.")
        self.pool.create(name, collation)

    def create_key(self) -> None:
        self.sql.execute("INSERT INTO sys.symmetric_keys VALUES ('##MS_DatabaseMasterKey##')")

    def create_credential(self, name: str, identity: str) -> None:
        if not self._one("SELECT count(*) FROM sys.symmetric_keys"):
            raise TsqlError(15581, "Please create a master key in the database")
        self.sql.execute(
            "INSERT INTO sys.database_scoped_credentials (name, credential_identity) VALUES (?, ?)", [name, identity]
        )

    def create_source(self, name: str, location: str, credential: str) -> None:
        if not location.startswith(self.pool.url):
            raise TsqlError(46530, f"External data source location {location} is not supported.")
        given = [name, location, self._id("credential", credential)]
        self.sql.execute("INSERT INTO sys.external_data_sources VALUES (?, ?, ?)", given)

    def drop_source(self, name: str) -> None:
        self.sql.execute("DELETE FROM sys.external_data_sources WHERE name = ?", [name])

    def drop_credential(self, name: str) -> None:
        of = self._id("credential", name)
        if self._one("SELECT count(*) FROM sys.external_data_sources WHERE credential_id = ?", of):
            raise TsqlError(
                33127, f"Cannot drop the credential '{name}' because it is used by an external data source."
            )
        self.sql.execute("DELETE FROM sys.database_scoped_credentials WHERE name = ?", [name])

    def create_schema(self, name: str) -> None:
        self.sql.execute("INSERT INTO sys.schemas (name) VALUES (?)", [name])
        self.sql.execute(f"CREATE SCHEMA {name}")

    def create_view(self, name: str, made: str, select: str) -> None:
        schema, _, short = name.partition(".")
        in_schema = self._id("schema", schema)
        try:
            self.sql.execute(f"CREATE OR REPLACE VIEW {name} AS {read(self._opened(select))}")
        except duckdb.Error as error:
            raise TsqlError(208, str(error)) from error
        of = self._one("SELECT object_id FROM sys.objects WHERE name = ? AND schema_id = ?", short, in_schema)
        if of is None:
            self.sql.execute("INSERT INTO sys.objects (name, schema_id, type) VALUES (?, ?, 'V')", [short, in_schema])
            of = self._object(name)
        self.sql.execute("DELETE FROM sys.sql_modules WHERE object_id = ?", [of])
        definition = f"CREATE   VIEW {name} AS {made}{select}"
        self.sql.execute("INSERT INTO sys.sql_modules VALUES (?, ?)", [of, definition])

    def _opened(self, select: str) -> str:
        """The SELECT, over a view of the files that it names, with the types that it says."""

        def rows(found: re.Match[str]) -> str:
            path, source, columns = found.groups()
            location = self._one("SELECT location FROM sys.external_data_sources WHERE name = ?", source)
            if location is None:
                raise TsqlError(12703, f"Referenced external data source '{source}' not found.")
            folder = f"{location}/{path.strip('/')}".rstrip("/")
            table = folder.removeprefix(f"{self.pool.url}/").replace("/", ".")
            dataset = store.dataset(self.pool.lake, table)
            if dataset is None:
                raise TsqlError(13807, f"Content of directory on path '{folder}' cannot be listed.")
            files = table.replace(".", "_")
            self.sql.register(f"raw_{files}", dataset)
            said = [
                re.fullmatch(r"\s*\[(\w+)\] (\w+)(?:\((\d+)\) COLLATE (\w+))?", one) for one in columns.split(",\n")
            ]
            typed = ", ".join(_typed(*one.groups()) for one in said if one)
            view = f"files_{files}_{crc32(typed.encode())}"
            self.sql.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT {typed} FROM raw_{files}")
            return f"FROM {view} AS files"

        return re.sub(
            r"FROM OPENROWSET\(BULK '([^']+)', DATA_SOURCE = '([^']+)', FORMAT = 'DELTA'\) WITH \(\n(.*?)\n\) AS files",
            rows,
            select,
            flags=re.DOTALL,
        )

    def drop_view(self, name: str) -> None:
        of = self._object(name)
        self.sql.execute(f"DROP VIEW {name}")
        for table, column in (("objects", "object_id"), ("sql_modules", "object_id")):
            self.sql.execute(f"DELETE FROM sys.{table} WHERE {column} = ?", [of])
        self.sql.execute("DELETE FROM sys.database_permissions WHERE class = 1 AND major_id = ?", [of])

    def create_role(self, name: str) -> None:
        self.sql.execute(
            "INSERT INTO sys.database_principals (name, type, is_fixed_role) VALUES (?, 'R', false)", [name]
        )

    def create_user(self, name: str) -> None:
        self.sql.execute(
            "INSERT INTO sys.database_principals (name, type, is_fixed_role) VALUES (?, 'X', false)", [name]
        )

    def drop_principal(self, name: str) -> None:
        of = self._id("principal", name)
        if self._one("SELECT count(*) FROM sys.database_role_members WHERE role_principal_id = ?", of):
            raise TsqlError(15144, "The role has members. It must be empty before it can be dropped.")
        self.sql.execute("DELETE FROM sys.database_principals WHERE principal_id = ?", [of])

    def change_member(self, role: str, do: str, user: str) -> None:
        given = [self._id("principal", role), self._id("principal", user)]
        where = "role_principal_id = ? AND member_principal_id = ?"
        self.sql.execute(f"DELETE FROM sys.database_role_members WHERE {where}", given)
        if do == "ADD":
            self.sql.execute("INSERT INTO sys.database_role_members VALUES (?, ?)", given)

    def change_right(self, do: str, right: str, kind: str | None, on: str | None, _: str, role: str) -> None:
        of_class = {None: 0, "OBJECT": 1, "SCHEMA": 3, "DATABASE SCOPED CREDENTIAL": 32}[kind]
        name = on or ""
        ids = {0: lambda: 0, 1: lambda: self._object(name), 3: lambda: self._id("schema", name)}
        major = ids.get(of_class, lambda: self._id("credential", name))()
        given = [of_class, major, self._id("principal", role), right]
        where = "class = ? AND major_id = ? AND grantee_principal_id = ? AND permission_name = ?"
        self.sql.execute(f"DELETE FROM sys.database_permissions WHERE {where}", given)
        if do == "GRANT":
            self.sql.execute("INSERT INTO sys.database_permissions VALUES (?, ?, ?, ?)", given)


class Dedicated:
    """A dedicated pool: tables of its own, loaded by COPY from files of ``folder``, which has the URL ``url``."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.sql = duckdb.connect()
        self.sql.execute(_CATALOG)
        self.sql.execute("CREATE TABLE sys.tables (name VARCHAR, schema_id INTEGER)")
        self.lost = 0
        """Rows that the next COPY leaves out."""

    def enter(self, database: str, who: str | None = None) -> None:
        """Everybody who has a token may."""

    def close(self) -> None:
        self.sql.close()

    def answer(self, _: str, sql: str, who: str | None = None) -> Answer:
        if "CREATE OR ALTER" in sql or "VARCHAR(MAX)" in sql or "COLLATE" in sql:
            raise TsqlError(103010, "Parse error at line: 1, column: 8: Incorrect syntax.")
        if sql.startswith("SELECT"):
            answer = self.sql.execute(read(sql))
            described = [(column[0], str(column[1])) for column in answer.description or ()]
            return [name for name, _ in described], [kind for _, kind in described], answer.fetchall()
        for pattern, run in _OF_DEDICATED:
            if found := re.fullmatch(pattern, sql, re.DOTALL):
                run(self, *found.groups())
                return NOTHING
        raise TsqlError(103010, f"Parse error: Incorrect syntax near '{sql[:40]}'.")

    def create_schema(self, name: str) -> None:
        if not self.sql.execute("SELECT 1 FROM sys.schemas WHERE name = ?", [name]).fetchall():
            self.sql.execute("INSERT INTO sys.schemas (name) VALUES (?)", [name])
            self.sql.execute(f"CREATE SCHEMA {name}")

    def create_table(self, schema: str, name: str, columns: str, layout: str) -> None:
        if not re.fullmatch(_LAYOUT, layout):
            raise TsqlError(103010, f"Parse error: {layout}")
        said = re.sub(r"NVARCHAR\(\d+\)", "VARCHAR", columns.replace("[", '"').replace("]", '"'))
        said = re.sub(r"\bBIT\b", "BOOLEAN", re.sub(r"\bFLOAT\b", "DOUBLE", said))
        self.sql.execute(f'CREATE TABLE {schema}."{name}" ({said})')
        of = "(SELECT schema_id FROM sys.schemas WHERE name = ?)"
        self.sql.execute(f"INSERT INTO sys.tables VALUES (?, {of})", [name, schema])

    def drop_table(self, schema: str, name: str) -> None:
        self.sql.execute(f'DROP TABLE IF EXISTS {schema}."{name}"')
        self.sql.execute("DELETE FROM sys.tables WHERE name = ?", [name])

    def copy(self, schema: str, name: str, url: str) -> None:
        files = [str(path) for path in self.folder.glob(url.removeprefix(f"{self.url}/"))]
        if not url.startswith(self.url) or not files:
            raise TsqlError(105215, f"COPY statement failed: no files at {url}")
        try:
            self.sql.execute(f'INSERT INTO {schema}."{name}" SELECT * FROM read_parquet({files}) OFFSET {self.lost}')
        except duckdb.Error as error:
            raise TsqlError(110802, str(error)) from error

    def view(self, do: str, schema: str, name: str, select: str) -> None:
        there = self.sql.execute("SELECT object_id FROM sys.objects WHERE name = ?", [name]).fetchall()
        if bool(there) is not (do == "ALTER"):
            raise TsqlError(2714, f"There is already an object named '{name}', or none.")
        self.sql.execute(f"CREATE OR REPLACE VIEW {schema}.{name} AS {read(select)}")
        if not there:
            of = "(SELECT schema_id FROM sys.schemas WHERE name = ?)"
            self.sql.execute(f"INSERT INTO sys.objects (name, schema_id, type) VALUES (?, {of}, 'V')", [name, schema])
            there = self.sql.execute("SELECT object_id FROM sys.objects WHERE name = ?", [name]).fetchall()
        self.sql.execute("DELETE FROM sys.sql_modules WHERE object_id = ?", [there[0][0]])
        definition = f"CREATE VIEW {schema}.{name} AS {select}"
        self.sql.execute("INSERT INTO sys.sql_modules VALUES (?, ?)", [there[0][0], definition])


_LAYOUT = (
    r"DISTRIBUTION = (REPLICATE|ROUND_ROBIN|HASH\(\[\w+\]\)),"
    r" (HEAP|CLUSTERED COLUMNSTORE INDEX|CLUSTERED INDEX \(\[\w+\](, \[\w+\])*\))"
)
_OF_DEDICATED = [
    (r"IF SCHEMA_ID\('\w+'\) IS NULL\s+EXEC\('CREATE SCHEMA (\w+)'\)", Dedicated.create_schema),
    (r"CREATE TABLE (\w+)\.\[(\w+)\] \(\n(.*)\n\)\nWITH \((.*)\)", Dedicated.create_table),
    (r"(?:IF OBJECT_ID\('[\w.]+'\) IS NOT NULL\s+)?DROP TABLE (\w+)\.\[(\w+)\]", Dedicated.drop_table),
    (
        r"COPY INTO (\w+)\.\[(\w+)\] FROM '([^']+)'"
        r" WITH \(FILE_TYPE = 'PARQUET', CREDENTIAL = \(IDENTITY = 'Managed Identity'\)\)",
        Dedicated.copy,
    ),
    (r"(CREATE|ALTER) VIEW (\w+)\.(\w+) AS (SELECT .*)", Dedicated.view),
]
_IDS = {
    "schema": ("schemas", "schema_id"),
    "credential": ("database_scoped_credentials", "credential_id"),
    "principal": ("database_principals", "principal_id"),
}
_STATEMENTS = [
    (rf"DROP DATABASE {_NAME}", lambda database, name: database.pool.drop(name)),
    (rf"CREATE DATABASE {_NAME} COLLATE (\w+)", Database.create_database),
    (r"CREATE MASTER KEY", Database.create_key),
    (rf"CREATE DATABASE SCOPED CREDENTIAL {_NAME} WITH IDENTITY = '(Managed Identity)'", Database.create_credential),
    (
        rf"CREATE EXTERNAL DATA SOURCE {_NAME} WITH \(LOCATION = '([^']+)', CREDENTIAL = {_NAME}\)",
        Database.create_source,
    ),
    (rf"DROP EXTERNAL DATA SOURCE {_NAME}", Database.drop_source),
    (rf"DROP DATABASE SCOPED CREDENTIAL {_NAME}", Database.drop_credential),
    (r"CREATE SCHEMA (\w+)", Database.create_schema),
    (r"CREATE OR ALTER VIEW ([\w.]+) AS (/\*[^*]*\*/\s)(.*)", Database.create_view),
    (r"DROP VIEW ([\w.]+)", Database.drop_view),
    (rf"CREATE ROLE {_NAME}", Database.create_role),
    (rf"CREATE USER {_NAME} FROM EXTERNAL PROVIDER", Database.create_user),
    (rf"DROP (?:ROLE|USER) {_NAME}", Database.drop_principal),
    (rf"ALTER ROLE {_NAME} (ADD|DROP) MEMBER {_NAME}", Database.change_member),
    (
        rf"(GRANT|REVOKE) ([A-Z ]+?)(?: ON (OBJECT|SCHEMA|DATABASE SCOPED CREDENTIAL)::([\w.]+))? (TO|FROM) {_NAME}",
        Database.change_right,
    ),
]
_TYPES = {"INT": "INTEGER", "BIGINT": "BIGINT", "FLOAT": "DOUBLE", "BIT": "BOOLEAN", "DATE": "DATE"}


def read(sql: str) -> str:
    """T-SQL in the words of DuckDB."""
    said: str = sqlglot.transpile(sql, read="tsql", write="duckdb")[0]
    for left, meant in READ_BACK.items():
        said = said.replace(left, meant)
    return said


def _typed(name: str, kind: str, length: str | None, collation: str | None) -> str:
    """A column as the pool reads it from files, or a refusal when it does not fit."""
    if kind != "VARCHAR":
        return f'CAST("{name}" AS {_TYPES[kind]}) AS "{name}"'
    if collation != COLLATION:
        raise TsqlError(
            15883, f"Potential conversion error while reading VARCHAR column '{name}' from UTF8 encoded text"
        )
    as_json = f'THEN CAST(to_json("{name}") AS VARCHAR) ELSE CAST("{name}" AS VARCHAR) END'
    said = f"CASE WHEN typeof(\"{name}\") LIKE '%[]' {as_json}"
    fault = f"error('String or binary data would be truncated while reading column ''{name}''.')"
    return f'CASE WHEN octet_length(encode({said})) > {length} THEN {fault} ELSE {said} END AS "{name}"'
