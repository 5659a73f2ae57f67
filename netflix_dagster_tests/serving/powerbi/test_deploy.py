"""A deployment puts model and report into a workspace: fabric-cicd as it is, in front of a stand-in of Fabric's API."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken
from typer.testing import CliRunner

from netflix_dagster.cli import app
from netflix_dagster.serving.powerbi import deploy
from netflix_dagster_tests.emulators.powerbi import WORKSPACE
from netflix_dagster_tests.serving.powerbi.test_project import FILES

SET = {"Server": "here-ondemand.sql.azuresynapse.net", "Database": "netflix"}
MODEL = "11111111-1111-1111-1111-111111111111"


class Nobody:
    """A credential whose token says when it ends."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        end = base64.urlsafe_b64encode(json.dumps({"exp": 9_999_999_999}).encode()).decode().rstrip("=")
        return AccessToken(f"head.{end}.signature", 9_999_999_999)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """The files of each item that is created, by its kind."""
    found: dict[str, dict[str, str]] = {}

    def answered(self: Any, method: str, url: str, json: Any = None, **_: Any) -> requests.Response:
        path, said = url.partition(f"/workspaces/{WORKSPACE}")[2], requests.Response()
        said.status_code, body = 200, {"value": []} if path else {"id": WORKSPACE, "capacityId": "f2"}
        if method == "POST":
            assert path == "/items"
            parts = json["definition"]["parts"]
            found[json["type"]] = {part["path"]: base64.b64decode(part["payload"]).decode() for part in parts}
            said.status_code, body = 201, {"id": MODEL}
        said._content, said.url = _json(body), url
        said.headers["Content-Type"] = "application/json"
        return said

    monkeypatch.setattr(requests.Session, "request", answered)
    return found


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


def test_model_and_report_are_published_as_they_are_committed(published: dict[str, dict[str, str]]) -> None:
    deploy.deploy(WORKSPACE, deploy.plan("synapse", SET), Nobody())
    assert list(published) == ["SemanticModel", "Report"]
    for kind, files in published.items():
        committed = {path.partition("/")[2] for path in FILES if path.startswith(f"Netflix.{kind}/")}
        assert files.keys() == committed
    definition = published["SemanticModel"]
    table = "definition/tables/fact_engagement.tmdl"
    assert definition[table] == FILES[f"Netflix.SemanticModel/{table}"].read_text()
    assert f'expression Server = "{SET["Server"]}"' in definition["definition/expressions.tmdl"]
    assert MODEL in published["Report"]["definition.pbir"]


def test_a_dry_run_says_what_and_asks_nobody(published: dict[str, dict[str, str]]) -> None:
    call = ["powerbi", "deploy", "--dry-run", "--workspace", WORKSPACE]
    told = CliRunner().invoke(app, [*call, *(word for one in SET.items() for word in ("--set", "=".join(one)))])
    assert told.exit_code == 0 and "Netflix.SemanticModel: 27 files" in told.stdout
    assert "Server = here-ondemand.sql.azuresynapse.net" in told.stdout and "nothing was deployed" in told.stderr
    wrong = CliRunner().invoke(app, call)
    assert wrong.exit_code == 2 and "synapse has to be told Server, Database" in wrong.stderr
    assert published == {}
