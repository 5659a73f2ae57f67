"""A stand-in for Application Insights: what the exporter sends to ``/v2.1/track`` is kept, and can be asked in KQL.

The items become the tables that Azure shows (requests, dependencies, exceptions, traces, customMetrics), with the
columns of its documentation that the queries in infra/monitor use. The queries run in DuckDB, translated by
duckdb-kql: that proves that they are KQL and ask for what is really sent, not how Azure would answer. Who may not read
is refused as "Azure Monitor Log Analytics API errors" says (``InsufficientAccessError``).
"""

from __future__ import annotations

import gzip
import json
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.azure import telemetry
from netflix_dagster_tests.emulators.entra import claims
from netflix_dagster_tests.emulators.serving import Asked, Said, serving

KEY = "00000000-0000-0000-0000-00000000abcd"
_COLUMNS = {
    "requests": "timestamp TIMESTAMP, id VARCHAR, name VARCHAR, success BOOLEAN, duration DOUBLE",
    "dependencies": "timestamp TIMESTAMP, id VARCHAR, name VARCHAR, success BOOLEAN, duration DOUBLE",
    "exceptions": "timestamp TIMESTAMP, type VARCHAR, outerMessage VARCHAR",
    "traces": "timestamp TIMESTAMP, message VARCHAR",
    "customMetrics": "timestamp TIMESTAMP, name VARCHAR, value DOUBLE, valueCount INTEGER, valueMax DOUBLE",
}
_EVERYWHERE = "operation_Id VARCHAR, operation_ParentId VARCHAR, customDimensions JSON, itemCount INTEGER"


@dataclass
class Insights:
    """What has been received. ``status`` is how the next requests are answered."""

    port: int = 0
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    readers: tuple[str, ...] = ("managed",)
    """Who has the role Monitoring Reader: the object ids of their tokens."""

    @property
    def connection(self) -> str:
        here = f"http://127.0.0.1:{self.port}/"
        return f"InstrumentationKey={KEY};IngestionEndpoint={here};LiveEndpoint={here}"

    def take(self, asked: Asked) -> Said:
        """Answer one request as the ingestion endpoint does."""
        if asked.path.startswith("/v1/apps/"):
            return self._query(asked)
        if asked.path != "/v2.1/track":
            return Said.json({}, 404)
        plain = gzip.decompress(asked.body) if asked.headers.get("Content-Encoding") == "gzip" else asked.body
        with self.lock:
            self.bodies.append(plain)
            if self.status != 200:
                return Said.json({"itemsReceived": 1, "itemsAccepted": 0, "errors": []}, self.status)
            items = json.loads(plain)
            self.items += items
        return Said.json({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []})

    def _query(self, asked: Asked) -> Said:
        """``POST /v1/apps/{app}/query``: "Query" of the Application Insights REST API."""
        if claims(asked.headers.get("Authorization")).get("oid") not in self.readers:
            message = "The provided credentials have insufficient access to perform the requested operation"
            return Said.json({"error": {"code": "InsufficientAccessError", "message": message}}, 403)
        found = self.kql(json.loads(asked.body)["query"])
        columns = [{"name": name, "type": "string"} for name in (found[0] if found else ())]
        rows = [list(row.values()) for row in found]
        return Said.json({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]})

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows that a table of Application Insights would have, in order of time."""
        with self.lock:
            found = [row for item in self.items for name, row in _rows(item) if name == table]
        return sorted(found, key=lambda row: row["timestamp"])

    def metric(self, name: str, **about: str) -> float:
        """The sum of a metric for some of its dimensions, such as ``table="bronze.x"``."""
        wanted = {f"netflix.{key}": value for key, value in about.items()}
        found = [row for row in self.rows("customMetrics") if row["name"] == name]
        return float(sum(row["value"] for row in found if wanted.items() <= row["customDimensions"].items()))

    def clear(self) -> None:
        """Forget what was received."""
        with self.lock:
            self.items.clear()
            self.bodies.clear()

    def kql(self, query: str) -> list[dict[str, Any]]:
        """The rows that a query comes to."""
        import duckdb_kql

        database = duckdb_kql.connect()
        for table, columns in _COLUMNS.items():
            database.execute(f'CREATE TABLE "{table}" ({columns}, {_EVERYWHERE})')
            names = [part.split()[0] for part in f"{columns}, {_EVERYWHERE}".split(", ")]
            for row in self.rows(table):
                values = [json.dumps(v) if isinstance(v, dict) else v for v in (row.get(name) for name in names)]
                database.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(names))})', values)
        found = duckdb_kql.kql(database, query)
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def _rows(item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    data, tags = item["data"]["baseData"], item["tags"]
    kind = item["data"]["baseType"]
    row = {
        "timestamp": datetime.fromisoformat(item["time"].replace("Z", "+00:00")).replace(tzinfo=None),
        "operation_Id": tags.get("ai.operation.id"),
        "operation_ParentId": tags.get("ai.operation.parentId"),
        "customDimensions": dict(data.get("properties") or {}),
        "itemCount": 1,
    }
    if kind in ("RequestData", "RemoteDependencyData"):
        table = "requests" if kind == "RequestData" else "dependencies"
        milliseconds = _duration(data["duration"]) / timedelta(milliseconds=1)
        yield table, {**row, **{k: data[k] for k in ("id", "name", "success")}, "duration": milliseconds}
    elif kind == "ExceptionData":
        first = data["exceptions"][0]
        yield "exceptions", {**row, "type": first["typeName"], "outerMessage": first["message"]}
    elif kind == "MessageData":
        yield "traces", {**row, "message": data["message"]}
    elif kind == "MetricData":
        for point in data["metrics"]:
            of = {"name": point["name"], "value": point["value"], "valueCount": point.get("count") or 1}
            yield "customMetrics", {**row, **of, "valueMax": point.get("max", point["value"])}


def _duration(text: str) -> timedelta:
    """``d.hh:mm:ss.fff``, as the exporter writes it."""
    days, clock, milliseconds = text.split(".")
    hours, minutes, seconds = map(int, clock.split(":"))
    return timedelta(int(days), seconds, 0, int(milliseconds), minutes, hours)


@contextmanager
def insights() -> Iterator[Insights]:
    """An Application Insights of one's own, on a random port."""
    stub = Insights()
    with serving(stub.take) as stub.port:
        yield stub


@contextmanager
def telling(connection: str, kept: Path) -> Iterator[pytest.MonkeyPatch]:
    """The telemetry of this process goes to a connection, then nowhere; what is not taken is kept in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(telemetry.CONNECTION, connection)
        patch.setattr(tempfile, "tempdir", str(kept))
        telemetry.telemetry.cache_clear()
        try:
            yield patch
        finally:
            telemetry.telemetry.cache_clear()
