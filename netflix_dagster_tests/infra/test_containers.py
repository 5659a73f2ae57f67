"""The images and ``compose.yaml``: what they promise, and their steps and services really run, without containers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from netflix_dagster.settings import Settings
from netflix_dagster_tests.emulators.azurite import KEY, missing
from netflix_dagster_tests.infra.house import COMPOSE, CONTAINERS, ROOT, House, command_of, house, postgres, stages

STAGES = stages()
FINAL = ("code", "dagster")
OURS = [name for name, said in COMPOSE["services"].items() if "build" in said]


def test_everything_from_elsewhere_is_pinned_by_digest() -> None:
    """CIS Docker 4.2, Checkov CKV_DOCKER_7: an image is what it was when it was looked at."""
    bases = [lines[0].split()[1] for lines in STAGES.values()]
    elsewhere = [base for base in bases if base not in STAGES]
    images = [said["image"] for said in COMPOSE["services"].values() if "build" not in said]
    assert len(elsewhere) >= 2 and len(images) == 2
    for image in (*elsewhere, *images):
        assert re.fullmatch(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


@pytest.mark.parametrize("name", FINAL)
def test_an_image_runs_as_nobody_and_says_whether_it_is_well(name: str) -> None:
    """CIS Docker 4.1 and 4.6, Checkov CKV_DOCKER_3 and CKV_DOCKER_2."""
    lines = [*STAGES["base"], *STAGES[name]]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users[-1:] == ["10001:10001"]
    assert [line for line in lines if line.startswith("HEALTHCHECK ")]
    assert not [line for line in lines if re.match(r"(ENV|ARG) .*(?i:password|secret|token|key)", line)]
    assert not [line for line in lines if line.startswith("ADD ")]


def test_what_is_copied_exists_and_is_let_through() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_through = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    copies = [line for lines in STAGES.values() for line in lines if line.startswith("COPY ") and "--from" not in line]
    for line in copies:
        for source in line.split()[1:-1]:
            assert list(ROOT.glob(source)), source
            assert any(source == rule or fnmatch(source, f"{rule}/*") for rule in let_through), source


@pytest.mark.parametrize("service", OURS)
def test_a_container_may_write_nothing_but_what_it_must(service: str) -> None:
    said = COMPOSE["services"][service]
    assert said["read_only"] is True and said["security_opt"] == ["no-new-privileges:true"]
    if service != "prepare":  # makes the volume writable for the others, and ends
        assert said["cap_drop"] == ["ALL"] and "user" not in said
    for port in said.get("ports", []):
        assert port.startswith("127.0.0.1:"), "reachable from this machine only"


def test_services_wait_for_what_they_need() -> None:
    services = COMPOSE["services"]
    for name, said in services.items():
        for other, how in said.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                target = services[other].get("build", {}).get("target")
                assert "healthcheck" in services[other] or target in FINAL, f"{name} waits for {other} for ever"
            else:
                assert services[other]["restart"] == "no", f"{other} never ends"


def test_variables_are_those_that_the_package_and_the_instance_read() -> None:
    read = {name for path in CONTAINERS.glob("*.yaml") for name in re.findall(r"env: (\w+)", path.read_text())}
    said = set(COMPOSE["services"]["code"]["environment"])
    azure = (CONTAINERS / "instance.azure.yaml").read_text()
    assert {name for name in read if f"env: {name}" not in azure} <= said
    ours = {name for name in said if name.startswith("NETFLIX_")} - {"NETFLIX_CODE_HOST", "NETFLIX_CODE_PORT"}
    assert {name.removeprefix("NETFLIX_").lower() for name in ours} <= set(Settings.model_fields)


@pytest.mark.parametrize("instance", ["azure", "compose"])
def test_the_instance_is_one_that_dagster_takes(instance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of ``dagster.yaml`` as the entry point puts them together, read by Dagster without connecting."""
    from dagster._core.instance.config import dagster_instance_config
    from dagster._core.instance.ref import InstanceRef

    for path in [*CONTAINERS.glob("*.yaml"), CONTAINERS / "entrypoint.sh"]:
        shutil.copy(path, tmp_path)
    home = tmp_path / "home"
    ran = subprocess.run(
        ["bash", tmp_path / "entrypoint.sh", "echo", "started"],
        env={"DAGSTER_INSTANCE": instance, "DAGSTER_HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "started\n"
    for name in re.findall(r"env: (\w+)", (home / "dagster.yaml").read_text()):
        monkeypatch.setenv(name, "5432" if name.endswith("PORT") else "2" if name.endswith("RUNS") else "x")
    said, _ = dagster_instance_config(str(home))
    assert said["run_retries"]["enabled"] and said["run_monitoring"]["enabled"]
    own = [set(yaml.safe_load(path.read_text())) for path in sorted(CONTAINERS.glob("instance*.yaml"))]
    assert not [1 for one in own for other in own if one is not other and "telemetry" in one and one & other]
    ref = InstanceRef.from_dir(str(home))
    storage: Any = ref.storage_data
    assert storage and storage.class_name == "DagsterPostgresStorage"
    assert ("auth_provider" in storage.config_dict) == (instance == "azure")
    assert "password" not in (CONTAINERS / "instance.azure.yaml").read_text().replace("No password", "")


def test_an_instance_that_is_none_starts_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["bash", CONTAINERS / "entrypoint.sh", "echo", "started"],
        env={"DAGSTER_INSTANCE": "elsewhere", "DAGSTER_HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "") and "nothing was started" in ran.stderr


@pytest.mark.soak
@pytest.mark.parametrize("image", FINAL)
def test_the_steps_of_an_image_make_it_in_an_empty_folder(image: str, tmp_path: Path) -> None:
    """What the Dockerfile copies and runs, and then the image's own command, as far as it tells its version."""
    source = tmp_path / "source"
    source.mkdir()
    for line in [*STAGES["build"], *STAGES[f"build-{image}"]]:
        if line.startswith("COPY "):
            *copied, to = line.split()[1:]
            for name in copied:
                place = source / (name if to.endswith("/") is False or to == "./" else f"{to}{Path(name).name}")
                place.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place)
    venv = tmp_path / "venv"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "UV_PYTHON": sys.executable, "UV_LINK_MODE": "hardlink"}
    environment.pop("PYTHONPATH", None)
    subprocess.run(
        ["bash", "infra/containers/install.sh", image, venv], cwd=source, env=environment, check=True, timeout=900
    )
    program = command_of({"code": "code", "dagster": "webserver"}[image])[0]
    asked = subprocess.run([venv / "bin" / program, "--version"], capture_output=True, text=True, check=True)
    assert "1.13.27" in asked.stdout
    holds = {path.name.partition("-")[0] for path in (venv / "lib").rglob("*.dist-info")}
    assert {"dagster", "dagster_postgres", "dagster_azure", "psycopg2_binary"} <= holds
    assert ({"netflix_dagster", "pysail"} <= holds) == (image == "code")
    assert not {"pytest", "ruff", "pulumi"} & holds


@pytest.mark.soak
def test_both_identities_of_dagster_own_its_tables_and_strangers_none(tmp_path: Path) -> None:
    """``infra/azure/roles.sql`` on a real PostgreSQL: what one of them makes the other may change."""
    import psycopg2

    with postgres(tmp_path) as (port, _):

        def as_(user: str, *statements: str) -> list[Any]:
            with closing(psycopg2.connect(host="127.0.0.1", port=port, user=user, dbname="dagster")) as open_:
                open_.autocommit = True
                with open_.cursor() as cursor:
                    for statement in statements:
                        cursor.execute(statement)
                    return cursor.fetchall() if cursor.description else []

        as_("postgres", *(f'CREATE ROLE "{name}" LOGIN' for name in ("id-builder", "id-orchestrator", "stranger")))
        said = (ROOT / "infra" / "azure" / "roles.sql").read_text().replace("CREATE ROLE dagster NOLOGIN;", "")
        as_("postgres", said.replace(':"builder"', '"id-builder"').replace(':"orchestrator"', '"id-orchestrator"'))
        as_("id-orchestrator", "CREATE TABLE runs (id int)", "INSERT INTO runs VALUES (1)")
        as_("id-builder", "ALTER TABLE runs ADD COLUMN status text", "INSERT INTO runs VALUES (2, 'done')")
        assert as_("id-orchestrator", "SELECT count(*), current_user FROM runs GROUP BY 2") == [(2, "dagster")]
        for tried in ("SELECT * FROM public.runs", "CREATE TABLE public.mine (id int)"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                as_("stranger", tried)


@pytest.mark.soak
def test_the_services_of_compose_build_the_sample(tmp_path: Path) -> None:
    """Every service as a process, on a real PostgreSQL and Azurite: the sensors see the sample and every run succeeds;
    the webserver is killed and started again in between."""
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with house(tmp_path) as running:
        running.prepare()
        keep(running, "netflix_catalogue/", "most_popular/")

        running.start("code")
        running.start("webserver")
        running.wait("the webserver knows the code location", running.located)
        running.start("daemon")
        running.wait("a run has begun", lambda: running.runs("STARTED") or running.runs("SUCCESS"))
        running.kill("webserver")
        running.start("webserver")
        done = running.wait("every run has ended well", running.over, seconds=900)
        assert set(done) == {"SUCCESS"} and done["SUCCESS"] >= 2
        tables = (
            "{ assetsOrError { ... on AssetConnection { nodes"
            " { key { path } assetMaterializations(limit: 1) { runId } } } } }"
        )
        built = [n["key"]["path"] for n in running.ask(tables)["assetsOrError"]["nodes"] if n["assetMaterializations"]]
        assert ["gold", "dim_title"] in built and ["gold", "fact_most_popular"] in built


def keep(running: House, *sources: str) -> None:
    """Leave the first delivery of some sources in landing: enough to see that every part does its work."""
    from azure.storage.blob import ContainerClient

    with ContainerClient(running.storage.blob_url, "landing", credential=KEY) as landing:
        names = sorted(landing.list_blob_names())
        first = {next(name for name in names if name.startswith(source)).rpartition("/")[0] for source in sources}
        for name in names:
            if name.rpartition("/")[0] not in first:
                landing.delete_blob(name)


def test_the_files_are_yaml_and_nothing_is_said_twice() -> None:
    class Once(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if key.value != "<<"]
            assert len(keys) == len(set(keys)), keys
            return super().construct_mapping(node, deep)

    for path in [ROOT / "compose.yaml", *CONTAINERS.glob("*.yaml")]:
        assert yaml.load(path.read_text(), Once), path.name
