"""The Databricks bundle: every key is known, every reference leads somewhere, targets differ as they should."""

from __future__ import annotations

import argparse
import ast
import copy
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.sdk.service.catalog import Privilege
from databricks.sdk.service.jobs import JobSettings

from netflix_dagster.contracts.contract import LAYERS
from netflix_dagster.databricks import workflow
from netflix_dagster.storage import AzureFolder, at
from netflix_dagster_tests.infra.bundle import FOLDER, MODELS, USER, Bundle, job_id, load
from netflix_dagster_tests.infra.wheel import Wheel

ROOT = FOLDER.parents[1]
GIVEN = {
    "storage_account": "lakeaccount",
    "tenant_id": "00000000-0000-0000-0000-000000000001",
    "service_principal": "00000000-0000-0000-0000-000000000002",
    "service_credential": "jobs-netflix-dev-weu",
    "key_vault": "netflix-vault",
}
"""What has no default: who deploys says it."""
OURS = {"permissions", "grants", "lifecycle"}
"""Keys of resources that bundles add to those of the REST API."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the bundle, to break."""
    return Path(shutil.copytree(FOLDER, tmp_path / "bundle"))


def test_every_file_is_included_and_every_kind_is_there(bundle: Bundle) -> None:
    assert set(MODELS) == set(bundle.resources)
    included = {path for pattern in bundle.top.include for path in FOLDER.glob(pattern)}
    assert included == {path for path in FOLDER.rglob("*.yml") if path.parent.name == "resources"}


def test_the_cli_is_pinned_to_the_releases_whose_models_judge_the_bundle(bundle: Bundle) -> None:
    """The CLI takes ``1.22.*`` for every patch of that release and refuses all others; ``databricks-bundles``, whose
    models these are, has its numbers. GitHub's action has a CLI of its own, so the workflow says which one."""
    release = re.fullmatch(r"(\d+\.\d+\.)\*", bundle.top.bundle.databricks_cli_version)
    assert release, "a minimum alone would deploy with a CLI that nobody has tried"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "stack.yml").read_text())
    (setup,) = [s for s in workflow["jobs"]["bundle"]["steps"] if s.get("uses", "").startswith("databricks/setup-cli@")]
    for installed in (setup["with"]["version"], metadata.version("databricks-bundles")):
        assert installed.startswith(release[1]) and installed[len(release[1]) :].isdecimal(), installed


@pytest.mark.parametrize("kind", ["jobs", "pipelines", "schemas", "volumes", "cluster_policies"])
def test_a_key_that_databricks_does_not_know_is_refused(broken: Path, kind: str) -> None:
    path = next(path for path in (broken / "resources").glob("*.yml") if f"\n  {kind}:" in path.read_text())
    said = yaml.safe_load(path.read_text())
    next(iter(said["resources"][kind].values()))["colour"] = "red"
    path.write_text(yaml.safe_dump(said))
    with pytest.raises(ValueError, match="Unexpected field 'colour'"):
        load(broken)


@pytest.mark.parametrize(
    ("file", "what", "instead", "why"),
    [
        ("databricks.yml", "mode: development", "mode: sandbox", "targets.dev.mode"),
        ("databricks.yml", "type: whl", "typ: whl", "artifacts.wheel.typ"),
        ("resources/job.yml", "file_arrival:", "file_arival:", "Unexpected field 'file_arival'"),
        ("resources/job.yml", "spark_env_vars:", "env_vars:", "Unexpected field 'env_vars'"),
        ("resources/job.yml", "data_security_mode: SINGLE_USER", "data_security_mode: OPEN", "OPEN"),
        ("resources/job.yml", "run_if: ALL_DONE", "run_if: ALWAYS", "ALWAYS"),
        ("resources/schemas.yml", "CREATE_TABLE", "CREATE_TABEL", "CREATE_TABEL"),
        ("resources/volumes.yml", "volumes:", "volume:", "no model of volume"),
    ],
)
def test_a_fault_is_found(broken: Path, file: str, what: str, instead: str, why: str) -> None:
    text = (broken / file).read_text()
    assert what in text
    (broken / file).write_text(text.replace(what, instead, 1))
    with pytest.raises(ValueError, match=re.escape(why)):
        load(broken)


def test_what_is_referred_to_is_declared_and_what_is_declared_is_used(bundle: Bundle) -> None:
    variables = {name.removeprefix("var.") for name in bundle.references() if name.startswith("var.")}
    assert variables == set(bundle.top.variables)
    for target in bundle.top.targets.values():
        assert set(target.variables) <= set(bundle.top.variables)
    for name in bundle.references():
        if name.startswith("resources."):
            _, kind, key, attribute = name.split(".")
            assert attribute == "id" or attribute in bundle.resources[kind][key], name
        else:
            assert name.startswith("var.") or name in ("bundle.name", "bundle.target", _SHORT_NAME), name


_SHORT_NAME = "workspace.current_user.short_name"


def test_only_what_differs_by_account_must_be_given(bundle: Bundle) -> None:
    without = {name for name, variable in bundle.top.variables.items() if variable.default is None}
    assert without - set.intersection(*(set(t.variables) for t in bundle.top.targets.values())) == set(GIVEN)


@pytest.mark.parametrize("target", ["dev", "staging", "prod"])
def test_a_target_resolves(bundle: Bundle, target: str) -> None:
    resolved = bundle.resolve(target, GIVEN)
    assert not [text for text in texts(resolved) if "${" in text or "None" in text]
    for kind, named in resolved.items():
        for said in named.values():
            MODELS[kind].from_dict(copy.deepcopy(said))  # type: ignore[attr-defined]
    for job in resolved["jobs"].values():
        said = {key: value for key, value in job.items() if key not in OURS}
        assert JobSettings.from_dict(said).as_dict() == said  # the other client drops what it does not know
    for kind in ("schemas", "volumes"):
        granted = [p for said in resolved[kind].values() for grant in said["grants"] for p in grant["privileges"]]
        assert granted
        assert {Privilege(privilege) for privilege in granted}


def test_targets_do_not_share_anything(bundle: Bundle) -> None:
    resolved = {target: bundle.resolve(target, GIVEN) for target in bundle.top.targets}
    catalogs = [said["schemas"]["gold"]["catalog_name"] for said in resolved.values()]
    assert len(set(catalogs)) == len(catalogs) == 3
    parameters = {name: build_task(said)["named_parameters"] for name, said in resolved.items()}
    assert parameters["dev"]["lake"] == f"abfss://{{zone}}@lakeaccount.dfs.core.windows.net/{USER}"
    assert parameters["prod"]["lake"] == "abfss://{zone}@lakeaccount.dfs.core.windows.net"
    assert resolved["dev"]["volumes"]["deliveries"]["storage_location"] == parameters["dev"]["landing"]
    prod = bundle.top.targets["prod"]
    assert (prod.mode, prod.run_as is not None, bundle.top.targets["dev"].run_as) == ("production", True, None)
    assert [name for name, target in bundle.top.targets.items() if target.default] == ["dev"]


def test_the_places_are_places(bundle: Bundle) -> None:
    for target in bundle.top.targets:
        said = build_task(bundle.resolve(target, GIVEN))["named_parameters"]
        landing, lake = at(said["landing"]), at(said["lake"])
        assert isinstance(landing, AzureFolder) and isinstance(lake, AzureFolder)
        assert (landing.container, str(lake / "gold").split("@")[0]) == ("landing", "abfss://gold")


def test_only_gold_is_for_analysts(bundle: Bundle) -> None:
    schemas = bundle.resolve("prod", GIVEN)["schemas"]
    assert set(schemas) == {*LAYERS, "quality", "landing"}
    open_to = {name for name, said in schemas.items() if "data-analysts" in [g["principal"] for g in said["grants"]]}
    assert open_to == {"gold"}


def test_the_trigger_watches_the_volume_of_the_landing_zone(bundle: Bundle) -> None:
    said = bundle.resolve("prod", GIVEN)
    job = said["jobs"]["build_pending"]
    assert job["trigger"]["file_arrival"]["url"] == "/Volumes/netflix/landing/deliveries/"
    assert (job["max_concurrent_runs"], job["queue"]) == (1, {"enabled": True})


def test_a_replaced_file_is_found_too(bundle: Bundle) -> None:
    jobs = bundle.resolve("prod", GIVEN)["jobs"]
    assert jobs["look_again"]["trigger"] == {"periodic": {"interval": 6, "unit": "HOURS"}}
    assert jobs["look_again"]["tasks"][0]["run_job_task"] == {"job_id": job_id("build_pending")}


def test_nobody_starts_a_developer_s_jobs_and_nobody_else_has_what_is_theirs(bundle: Bundle) -> None:
    dev, prod = bundle.resolve("dev", GIVEN), bundle.resolve("prod", GIVEN)
    assert {job["trigger"]["pause_status"] for job in dev["jobs"].values()} == {"PAUSED"}
    assert not [job for job in prod["jobs"].values() if "pause_status" in job["trigger"]], "the default is unpaused"
    for kind in ("jobs", "pipelines", "schemas", "cluster_policies"):
        assert [said["name"] for said in dev[kind].values() if USER not in said["name"]] == [], kind
    assert all(USER in said["catalog"] for said in dev["pipelines"].values())


def test_a_failed_build_fails_the_run_and_somebody_hears_of_it(bundle: Bundle) -> None:
    """The result of a run is that of its leaves, the tasks on which no other depends."""
    job = bundle.resolve("prod", GIVEN)["jobs"]["build_pending"]
    needs = {task["task_key"]: {each["task_key"] for each in task.get("depends_on", ())} for task in job["tasks"]}
    leaves = needs.keys() - set().union(*needs.values())
    assert leaves == {"outcome"} and needs["outcome"] == {"build", "register"}
    assert "run_if" not in next(task for task in job["tasks"] if task["task_key"] == "outcome")
    assert {task["max_retries"] for task in job["tasks"] if "python_wheel_task" in task} == {0}
    assert [rule["metric"] for rule in job["health"]["rules"]] == ["RUN_DURATION_SECONDS"]
    heard = job["email_notifications"]
    assert heard["on_failure"] == heard["on_duration_warning_threshold_exceeded"] != []


def test_notebooks_are_thin_and_ask_for_what_the_workflow_gives(bundle: Bundle) -> None:
    """A notebook has widgets, one call, and what it hands on: nothing that would need a test of its own."""
    job = bundle.resolve("prod", GIVEN)["jobs"]["workflow"]
    parameters = {each["name"] for each in job["parameters"]}
    tasks = [task.get("for_each_task", {}).get("task", task) for task in job["tasks"]]
    asked = {task["notebook_task"]["notebook_path"]: task for task in tasks if "notebook_task" in task}
    paths = {(FOLDER / "resources" / name).resolve(): task for name, task in asked.items()}
    assert set(paths) == set((FOLDER / "notebooks").glob("*.py"))
    for path, task in paths.items():
        text = path.read_text()
        widgets = re.findall(r'widgets\.text\("(\w+)"', text)
        assert set(widgets) == set(re.findall(r'widgets\.get\("(\w+)"', text))
        assert set(widgets) <= parameters | set(task["notebook_task"].get("base_parameters", {}))
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        ours = [ast.unparse(call.func) for call in calls if ast.unparse(call.func).startswith("workflow.")]
        assert len(ours) == 1 and hasattr(workflow, ours[0].removeprefix("workflow.")), path.name
        assert task["max_retries"] == 0 and task["job_cluster_key"] in {
            c["job_cluster_key"] for c in job["job_clusters"]
        }


def test_there_is_no_secret(bundle: Bundle) -> None:
    """What the jobs are in Azure is in Unity Catalog: no password in the bundle, and none that it names."""
    environment = job_cluster(bundle.resolve("prod", GIVEN))["spark_env_vars"]
    assert environment["NETFLIX_SERVICE_CREDENTIAL"] == GIVEN["service_credential"]
    assert not [name for name in environment if name.startswith("AZURE_")]
    assert not [path.name for path in FOLDER.rglob("*.yml") if "{{secrets/" in path.read_text()]


@pytest.mark.parametrize("target", ["dev", "staging", "prod"])
def test_the_policy_allows_the_cluster_of_the_job(bundle: Bundle, target: str) -> None:
    said = bundle.resolve(target, GIVEN)
    policy = said["cluster_policies"]["jobs"]["definition"]
    assert against(policy, job_cluster(said)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"node_type_id": "Standard_E64ds_v5"}, "node_type_id"),
        ({"autoscale": {"min_workers": 1, "max_workers": 40}}, "autoscale.max_workers"),
        ({"data_security_mode": "NONE"}, "data_security_mode"),
        ({"custom_tags": {"project": "netflix-lakehouse", "cost_center": "of another"}}, "custom_tags.cost_center"),
        ({"custom_tags": {"cost_center": "netflix-lakehouse"}}, "custom_tags.project"),
    ],
)
def test_the_policy_refuses_another_cluster(bundle: Bundle, change: dict[str, Any], fault: str) -> None:
    said = bundle.resolve("prod", GIVEN)
    assert against(said["cluster_policies"]["jobs"]["definition"], {**job_cluster(said), **change}) == [fault]


def test_a_cluster_to_work_on_ends_by_itself_and_is_paid_for_by_somebody(bundle: Bundle) -> None:
    definition = bundle.resolve("prod", GIVEN)["cluster_policies"]["interactive"]["definition"]
    assert 0 < definition["autotermination_minutes"]["maxValue"] <= 60
    assert definition["custom_tags.cost_center"]["type"] == definition["custom_tags.project"]["type"] == "fixed"


def test_the_entry_points_of_the_tasks_are_in_the_wheel(bundle: Bundle, wheel: Wheel) -> None:
    tasks = wheel_tasks(bundle.resolve("prod", GIVEN))
    assert tasks
    for task in tasks.values():
        assert task["package_name"] == wheel.package
        assert task["entry_point"] in wheel.entry_points
    assert {name for name in wheel.files if name.startswith("netflix_dagster/tables/gold")}
    assert "netflix_dagster/sources.yaml" in wheel.files


def test_the_libraries_of_the_tasks_are_what_is_built(bundle: Bundle, wheel: Wheel) -> None:
    artifact = bundle.top.artifacts["wheel"]
    (built,) = [FOLDER / files.source for files in artifact.files]
    for job in bundle.resources["jobs"].values():
        for task in (task for task in job["tasks"] if "python_wheel_task" in task):
            (library,) = task["libraries"]
            assert (FOLDER / "resources" / library["whl"]).resolve().match(str(built))
    assert Path(artifact.files[0].source).parent == Path(artifact.path) / "dist"
    assert wheel.path.match(Path(artifact.files[0].source).name)


def test_the_parameters_of_the_tasks_are_those_of_the_entry_points(bundle: Bundle, wheel: Wheel) -> None:
    for task in wheel_tasks(bundle.resolve("dev", GIVEN)).values():
        module, _, function = wheel.entry_points[task["entry_point"]].partition(":")
        parser: argparse.ArgumentParser = import_module(module).arguments()
        assert callable(getattr(import_module(module), function))
        named = task.get("named_parameters", {})
        said = parser.parse_args([f"--{name}={value}" for name, value in named.items()] + task.get("parameters", []))
        assert vars(said).items() >= {n: v for n, v in named.items() if n != "schemas"}.items()
        with pytest.raises(SystemExit):
            parser.parse_args(["--colour=red"])


def test_the_catalog_is_told_of_every_layer(bundle: Bundle) -> None:
    from netflix_dagster.serving import unity

    said = wheel_tasks(bundle.resolve("prod", GIVEN))["register"]["named_parameters"]["schemas"]
    assert unity.schemas_of(said) == {layer: layer for layer in unity.LAYERS}


def texts(said: Any) -> Iterator[str]:
    if isinstance(said, Mapping):
        for value in said.values():
            yield from texts(value)
    elif isinstance(said, list):
        for value in said:
            yield from texts(value)
    else:
        yield str(said)


def wheel_tasks(resolved: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    tasks = [task for job in resolved["jobs"].values() for task in job["tasks"]]
    return {task["task_key"]: task["python_wheel_task"] for task in tasks if "python_wheel_task" in task}


def build_task(resolved: Mapping[str, Any]) -> dict[str, Any]:
    return wheel_tasks(resolved)["build"]


def job_cluster(resolved: Mapping[str, Any]) -> dict[str, Any]:
    (cluster,) = resolved["jobs"]["build_pending"]["job_clusters"]
    said: dict[str, Any] = cluster["new_cluster"]
    return said


def against(policy: Mapping[str, Mapping[str, Any]], cluster: Mapping[str, Any]) -> list[str]:
    """The settings by which a cluster breaks a policy, as Databricks judges it; absent ones get their default."""
    flat: dict[str, Any] = {"cluster_type": "job"}
    for name, value in cluster.items():
        flat |= {f"{name}.{key}": v for key, v in value.items()} if isinstance(value, Mapping) else {name: value}
    wrong = []
    for name, rule in policy.items():
        value = flat.get(name, rule.get("defaultValue"))
        if value is None and rule.get("isOptional"):
            continue
        kept = {
            "fixed": lambda rule=rule, value=value: value == rule["value"],
            "allowlist": lambda rule=rule, value=value: value in rule["values"],
            "range": lambda rule=rule, value=value: rule["minValue"] <= value <= rule["maxValue"],
        }[rule["type"]]
        if not kept():
            wrong.append(name)
    return wrong
