"""The Databricks bundle as its files say it, put together and resolved for a target as the Databricks CLI would."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import yaml
from databricks.bundles.cluster_policies import ClusterPolicy
from databricks.bundles.core import Resource
from databricks.bundles.jobs import Job
from databricks.bundles.pipelines import Pipeline
from databricks.bundles.schemas import Schema
from databricks.bundles.volumes import Volume
from pydantic import BaseModel, ConfigDict

import netflix_dagster

FOLDER = Path(netflix_dagster.__file__).parent.parent / "infra" / "databricks"
REFERENCE = re.compile(r"\$\{([^}]+)\}")
MODELS: dict[str, type[Resource]] = {
    "jobs": Job,
    "pipelines": Pipeline,
    "schemas": Schema,
    "volumes": Volume,
    "cluster_policies": ClusterPolicy,
}
USER = "jane_doe"
"""Who deploys to dev."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BundleName(_Strict):
    name: str
    databricks_cli_version: str


class Variable(_Strict):
    description: str
    default: str | int | None = None


class Files(_Strict):
    source: str


class Artifact(_Strict):
    type: Literal["whl"]
    path: str
    build: str
    files: list[Files]


class Principal(_Strict):
    service_principal_name: str


class Permission(_Strict):
    level: Literal["CAN_VIEW", "CAN_MANAGE", "CAN_RUN"]
    group_name: str | None = None
    service_principal_name: str | None = None


class Workspace(_Strict):
    root_path: str


class Target(_Strict):
    mode: Literal["development", "production"]
    default: bool = False
    variables: dict[str, str | int] = {}
    workspace: Workspace | None = None
    run_as: Principal | None = None
    permissions: list[Permission] = []


class Top(_Strict):
    """The keys of ``databricks.yml`` that are used here. ``databricks-bundles`` has models of resources only."""

    bundle: BundleName
    include: list[str]
    variables: dict[str, Variable]
    artifacts: dict[str, Artifact]
    targets: dict[str, Target]


@dataclass(frozen=True)
class Bundle:
    """What all files say together."""

    top: Top
    resources: Mapping[str, Mapping[str, dict[str, Any]]]

    def texts(self) -> Iterator[str]:
        """Every text in which something may be referred to."""
        yield from _texts(self.top.model_dump())
        yield from _texts(self.resources)

    def references(self) -> set[str]:
        return {found for text in self.texts() for found in REFERENCE.findall(text)}

    def resolve(self, target: str, given: Mapping[str, str]) -> dict[str, Any]:
        """The resources as the target has them, with the values that who deploys has ``given``."""
        own = self.top.targets[target].variables
        values: dict[str, Any] = {
            "bundle.name": self.top.bundle.name,
            "bundle.target": target,
            "workspace.current_user.short_name": USER,
            **{f"var.{name}": own.get(name, given.get(name, v.default)) for name, v in self.top.variables.items()},
        }
        resources = copy.deepcopy(dict(self.resources))
        if self.top.targets[target].mode == "development":
            _developed(resources)
        for kind, named in resources.items():
            for key, said in named.items():
                values[f"resources.{kind}.{key}.id"] = job_id(key) if kind == "jobs" else f"id of {kind} {key}"
                values |= {f"resources.{kind}.{key}.{name}": value for name, value in said.items()}
        resolved: dict[str, Any] = _resolved(resources, values)
        return resolved


def load(folder: Path = FOLDER) -> Bundle:
    """Read and judge a bundle. Raises ``ValueError`` where a key is not known or a value is not possible."""
    top = Top.model_validate(yaml.safe_load((folder / "databricks.yml").read_text()))
    resources: dict[str, dict[str, dict[str, Any]]] = {}
    for path in sorted({path for pattern in top.include for path in folder.glob(pattern)}):
        said = yaml.safe_load(path.read_text())
        if set(said) != {"resources"}:
            raise ValueError(f"{path.name}: {', '.join(set(said) - {'resources'})}: this key is not known here")
        for kind, named in said["resources"].items():
            if kind not in MODELS:
                raise ValueError(f"{path.name}: there is no model of {kind}")
            for key, resource in named.items():
                if key in resources.setdefault(kind, {}):
                    raise ValueError(f"{path.name}: {kind}.{key} is there twice")
                resources[kind][key] = resource
                MODELS[kind].from_dict(copy.deepcopy(resource))  # type: ignore[attr-defined]
    return Bundle(top, resources)


def job_id(key: str) -> int:
    """The number that a workspace gives to a job of the bundle."""
    return crc32(key.encode())


def _developed(resources: Mapping[str, Mapping[str, dict[str, Any]]]) -> None:
    """Apply the presets of ``mode: development`` as their documentation lists them.

    Names of jobs, pipelines and schemas get a prefix; scopes, policies and volumes get none. A trigger is paused only
    when it says nothing of its own.
    """
    for kind, prefix in (("jobs", f"[dev {USER}] "), ("pipelines", f"[dev {USER}] "), ("schemas", f"dev_{USER}_")):
        for said in resources.get(kind, {}).values():
            said["name"] = prefix + said["name"]
    for job in resources.get("jobs", {}).values():
        for started_by in ("trigger", "schedule", "continuous"):
            if started_by in job:
                job[started_by].setdefault("pause_status", "PAUSED")


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, Mapping):
        for value in said.values():
            yield from _texts(value)
    elif isinstance(said, list):
        for value in said:
            yield from _texts(value)


def _resolved(said: Any, values: Mapping[str, Any]) -> Any:
    """The same with every reference replaced; one that stands alone keeps its type."""
    if isinstance(said, Mapping):
        return {key: _resolved(value, values) for key, value in said.items()}
    if isinstance(said, list):
        return [_resolved(value, values) for value in said]
    if not isinstance(said, str) or not REFERENCE.search(said):
        return said
    alone = REFERENCE.fullmatch(said)
    if alone:
        return _resolved(values[alone[1]], values)
    return _resolved(REFERENCE.sub(lambda found: str(values[found[1]]), said), values)
