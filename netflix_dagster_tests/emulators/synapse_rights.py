"""What the serverless pool lets somebody do who is not its administrator: log in, and read what was granted to him.

Who has no user in a database does not get in ("Troubleshoot serverless SQL pool": login failed). SELECT is granted on
a view or on its schema ("GRANT Object Permissions"), and covers the views beneath it, which have the same owner
("Ownership chains"). The files beneath are opened as who asks: that takes ADMINISTER DATABASE BULK OPERATIONS and
REFERENCES on the credential of the data source ("Control storage account access for serverless SQL pool"). Everything
else is the owner's ("Database-level roles"). Numbers and sentences are those of "Database engine events and errors".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import duckdb

from netflix_dagster_tests.emulators.tds import TsqlError

_HELD = """
SELECT permission_name, class, major_id FROM sys.database_permissions WHERE grantee_principal_id IN (
    SELECT principal_id FROM sys.database_principals WHERE name = $who
    UNION SELECT m.role_principal_id FROM sys.database_role_members AS m
    JOIN sys.database_principals AS u ON u.principal_id = m.member_principal_id WHERE u.name = $who)
"""
_VIEWS = """
SELECT s.name || '.' || o.name, o.object_id, s.schema_id, m.definition FROM sys.objects AS o
JOIN sys.schemas AS s ON s.schema_id = o.schema_id JOIN sys.sql_modules AS m ON m.object_id = o.object_id
"""
_SOURCES = """
SELECT s.name, c.name, c.credential_id FROM sys.external_data_sources AS s
JOIN sys.database_scoped_credentials AS c ON c.credential_id = s.credential_id
"""
_DATABASE, _OBJECT, _SCHEMA, _CREDENTIAL = 0, 1, 3, 32
_OWNERS = {
    r"CREATE OR ALTER VIEW": (262, "CREATE VIEW permission denied in database '{database}'."),
    r"ALTER ROLE": (15151, "Cannot alter the role, because it does not exist or you do not have permission."),
    r"GRANT|REVOKE": (15151, "Cannot find the object, because it does not exist or you do not have permission."),
}


def enter(sql: duckdb.DuckDBPyConnection, who: str) -> None:
    """Let somebody in who has a user."""
    if not sql.execute("SELECT 1 FROM sys.database_principals WHERE type = 'X' AND name = ?", [who]).fetchall():
        raise TsqlError(18456, "Login failed for user '<token-identified principal>'.")


def judge(sql: duckdb.DuckDBPyConnection, database: str, who: str, statement: str) -> None:
    """Raise the refusal that a statement deserves."""
    if not statement.lstrip().upper().startswith("SELECT"):
        for pattern, (number, words) in _OWNERS.items():
            if re.search(rf"\b({pattern})\b", statement):
                raise TsqlError(number, words.format(database=database))
        raise TsqlError(15247, "User does not have permission to perform this action.")
    held = set(sql.execute(_HELD, {"who": who}).fetchall())
    views = {name: (ids, text) for name, *ids, text in sql.execute(_VIEWS).fetchall()}
    for name in _named(views, statement):
        (view, schema), _ = views[name]
        if not {("SELECT", _OBJECT, view), ("SELECT", _SCHEMA, schema)} & held:
            of, _, short = name.partition(".")
            raise TsqlError(
                229,
                f"The SELECT permission was denied on the object '{short}', database '{database}', schema '{of}'.",
            )
    opened = set(_opened({name: text for name, (_, text) in views.items()}, statement))
    for source, credential, number in sql.execute(_SOURCES).fetchall():
        if source not in opened:
            continue
        if ("ADMINISTER DATABASE BULK OPERATIONS", _DATABASE, 0) not in held:
            raise TsqlError(4834, "You do not have permission to use the bulk load statement.")
        if ("REFERENCES", _CREDENTIAL, number) not in held:
            raise TsqlError(
                15151,
                f"Cannot find the CREDENTIAL '{credential}', because it does not exist or you do not have permission.",
            )


def _named(views: Collection[str], text: str) -> list[str]:
    """The views that a text names."""
    return [name for name in set(re.findall(r"\b\w+\.\w+\b", text)) if name in views]


def _opened(views: dict[str, str], text: str) -> Iterator[str]:
    """The data sources of the files that a statement opens, itself or by views."""
    yield from re.findall(r"DATA_SOURCE = '([^']+)'", text)
    for name in _named(views, text):
        yield from _opened({other: said for other, said in views.items() if other != name}, views[name])
