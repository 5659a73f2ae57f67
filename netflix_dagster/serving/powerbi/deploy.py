"""Model and report into a workspace, by Microsoft's own fabric-cicd: an item that is there is changed, none is removed.

It is the tool that knows how a report finds its model in a workspace; the REST API would leave that to us.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netflix_dagster.serving.powerbi import project, tmdl
from netflix_dagster.serving.powerbi.source import Source

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ITEMS = ["SemanticModel", "Report"]
"""The order matters: the report asks for its model."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment would write, and with which parameters. None of them is a secret: the credential of the source
    is kept by Power BI, and given there."""

    files: Mapping[str, str]
    source: Source
    parameters: Mapping[str, str]

    @property
    def items(self) -> dict[str, int]:
        """By item how many files it has."""
        found: dict[str, int] = {}
        for path in self.files:
            item, _, inner = path.partition("/")
            if inner:
                found[item] = found.get(item, 0) + 1
        return found


def plan(source: Source, parameters: Mapping[str, str]) -> Plan:
    """What is to be deployed. Raises ``LookupError`` unless the source is told all that it needs, and no more."""
    if missing := [name for name in tmdl.PARAMETERS[source] if not parameters.get(name)]:
        raise LookupError(
            f"{source} has to be told {', '.join(missing)}; nothing was deployed. Say --set"
            f" {missing[0]}={tmdl.PARAMETERS[source][missing[0]]}"
        )
    return Plan(project.files(source, parameters), source, dict(parameters))


def deploy(workspace: str, planned: Plan, credential: TokenCredential) -> None:
    """Put model and report into a workspace. Raises what fabric-cicd raises; what it did before that stays."""
    from fabric_cicd import FabricWorkspace, publish_all_items

    with tempfile.TemporaryDirectory(prefix="powerbi-") as folder:
        project.export(Path(folder), planned.source, planned.parameters)
        there = FabricWorkspace(
            workspace_id=workspace,
            repository_directory=folder,
            item_type_in_scope=ITEMS,
            token_credential=credential,
        )
        publish_all_items(there)
