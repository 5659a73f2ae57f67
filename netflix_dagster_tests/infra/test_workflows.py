"""What GitHub runs: pinned, with no more rights than needed, and made of steps that run here as well."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import netflix_dagster

ROOT = Path(netflix_dagster.__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SAID: dict[str, dict[str, Any]] = {path.stem: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
JOBS = {(flow, name): job for flow, said in SAID.items() for name, job in said["jobs"].items()}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


CALLED = {(flow, name): job for (flow, name), job in JOBS.items() if "uses" in job}
"""Jobs that are a workflow of their own."""


def steps() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for (flow, name), job in JOBS.items():
        for step in job.get("steps", []):
            yield f"{flow}.{name}", step


def test_every_action_is_pinned_by_commit_and_everywhere_by_the_same() -> None:
    """zizmor unpinned-uses; the comment says to people, and to Dependabot, which version that is."""
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for line in path.read_text().splitlines():
            if "uses:" in line and "uses: ./.github/workflows/" not in line:
                found = re.search(r"uses: ([\w./-]+)@([0-9a-f]{40}) # (v[\d.]+|without)", line)
                assert found or re.search(r"uses: ([\w./-]+)@([0-9a-f]{40}) #", line), f"{path.name}: {line.strip()}"
                action, commit = re.findall(r"uses: ([\w./-]+)@(\w+)", line)[0]
                pins.setdefault(action, set()).add(commit)
    assert len(pins) > 8 and all(len(commits) == 1 for commits in pins.values()), pins


def test_a_job_has_only_the_rights_that_it_needs() -> None:
    for flow, said in SAID.items():
        assert said["permissions"] == {}, f"{flow}: nothing unless a job asks for it"
        assert "pull_request_target" not in str(said.get(True, said.get("on")))
    writes = {}
    for (flow, name), job in JOBS.items():
        assert job["permissions"]["contents"] == "read", name
        assert (flow, name) in CALLED or 0 < job["timeout-minutes"] <= (
            330 if "soak" in str(job.get("strategy")) else 180
        ), name
        writes[flow, name] = {right for right, level in job["permissions"].items() if level == "write"}
    assert {job: rights for job, rights in writes.items() if rights} == {
        ("main", "wheel"): {"id-token", "attestations"},
        ("main", "images"): {"id-token", "attestations"},
        ("ci", "infrastructure"): {"id-token"},
        **{("stack", name): {"id-token"} for name in SAID["stack"]["jobs"]},
        **{("deploy", name): {"id-token"} for name in ("staging", "prod")},
    }


def test_no_secret_is_kept_at_github_and_no_login_is_left_behind() -> None:
    for path in WORKFLOWS:
        assert "secrets." not in path.read_text(), f"{path.name}: logins are by OIDC"
    for name, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, name
        assert "${{" not in step.get("run", ""), f"{name}: a value goes into a script by its environment only"


def test_every_step_runs_here_too() -> None:
    """A step is a make target or a script of the repository, so that it can be tried without GitHub."""
    for name, step in steps():
        for line in step.get("run", "").splitlines():
            found = re.fullmatch(r'(?:bash (\S+)|make (\S+))( "?[$\w:-]+"?)*( "\$\w+")*', line.strip())
            assert found, f"{name}: {line}"
            script, target = found[1], found[2]
            if script:
                assert (ROOT / script).is_file() and os.access(ROOT / script, os.X_OK), script
            elif target != '"$SUITE"':
                assert target in TARGETS, target
    suites = JOBS["nightly", "long"]["strategy"]["matrix"]["suite"]
    assert set(suites) <= TARGETS
    called = re.findall(r"^make ([a-z-]+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert called and set(called) <= TARGETS and "infra-check" in called


def test_production_waits_for_staging_and_approval_and_two_deployments_never_meet() -> None:
    assert SAID["deploy"]["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    staging, prod = JOBS["deploy", "staging"], JOBS["deploy", "prod"]
    for stack, job in (("staging", staging), ("prod", prod)):
        assert job["uses"] == "./.github/workflows/stack.yml" and job["with"]["stack"] == stack
    approval = JOBS["deploy", "approval"]
    assert approval["environment"] == "prod-approval" and "needs.staging.result == 'success'" in approval["if"]
    assert prod["needs"] == "approval" and "needs.approval.result == 'success'" in prod["if"]
    assert {job["environment"] for job in SAID["stack"]["jobs"].values()} == {"${{ inputs.stack }}"}


def test_each_part_is_a_job_of_its_own_and_all_are_verified_last() -> None:
    jobs = SAID["stack"]["jobs"]
    order = {
        name: [step["run"].split()[2] for step in job["steps"] if "infra/deploy.sh" in step.get("run", "")]
        for name, job in jobs.items()
    }
    assert order == {
        "platform": ["images", "preview", "up", "migrate", "try"],
        "bundle": ["bundle"],
        "synapse": ["synapse"],
        "powerbi": ["powerbi"],
        "verify": ["access", "verify"],
    }
    assert set(jobs["verify"]["needs"]) == {"bundle", "synapse", "powerbi"}
    assert {jobs[name]["needs"] for name in ("bundle", "synapse")} == {"platform"}
    told = (ROOT / "infra" / "deploy.sh").read_text()
    named = set(re.findall(r"^#   (\w+) ", told, re.MULTILINE))
    assert named == {step for steps in order.values() for step in steps}


def test_what_is_updated_by_itself_is_everything_that_is_pinned() -> None:
    said = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    places = {(update["package-ecosystem"], update["directory"]) for update in said}
    assert {name for name, _ in places} == {"uv", "github-actions", "docker", "docker-compose", "npm"}
    for _, folder in places:
        assert (ROOT / folder.strip("/")).is_dir()


# infra/deploy.sh, with stand-ins for the programs that it calls


OUTPUTS = {
    "registry": "cr.azurecr.io",
    "resource_group": "rg",
    "workspace_url": "adb-1.2.azuredatabricks.net",
    "dagster": "https://dagster.example",
    **{
        name: f"the {name}"
        for name in ("storage_account", "tenant_id", "service_principal", "service_credential", "key_vault")
    },
}
STAND_IN = """#!/usr/bin/env python3
import json, os, sys
name, said = os.path.basename(sys.argv[0]), sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    told = {k: v for k, v in os.environ.items() if k.startswith(("BUNDLE_VAR", "NETFLIX_"))}
    calls.write(json.dumps([name, *said, told]) + "\\n")
answers = json.loads(os.environ["ANSWERS"])
if os.environ["FAILS"] in " ".join([name, *said]):
    sys.exit(1)
if name == "docker":
    told = said[said.index("--metadata-file") + 1]
    open(told, "w").write(json.dumps({"containerimage.digest": "sha256:" + "5" * 64}))
for key, answer in answers.items():
    if key in " ".join([name, *said]):
        print(answer)
        break
"""


class Deployment:
    """Runs a step with stand-ins that note what they are called with."""

    def __init__(self, folder: Path) -> None:
        self.fails = "nothing"
        self.folder, self.answers = folder, {f"stack output {name}": value for name, value in OUTPUTS.items()}
        # What is asked for first is found first: the longest names.
        self.answers = dict(sorted(self.answers.items(), key=lambda item: -len(item[0])))
        for name in ("pulumi", "az", "docker", "databricks", "curl", "sleep", "uv"):
            (folder / name).write_text(STAND_IN)
            (folder / name).chmod(0o755)

    def run(self, *said: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "CALLS": str(self.folder / "calls"),
            "ANSWERS": json.dumps(self.answers),
            "FAILS": self.fails,
        }
        command = ["bash", str(ROOT / "infra" / "deploy.sh"), *said]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=self.folder)

    def calls(self) -> list[list[Any]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def test_images_are_pushed_and_deployed_by_their_digest(deployment: Deployment) -> None:
    ran = deployment.run("images", "staging")
    assert ran.returncode == 0, ran.stderr
    said = {call[-3].rpartition(".")[2]: call[-2] for call in deployment.calls() if "config" in call}
    assert all("VERSION=0.0.0" in call or "--build-arg" in call for call in deployment.calls() if call[0] == "docker")
    assert said == {name: f"netflix-{name}@sha256:{'5' * 64}" for name in ("code", "dagster")}
    assert all("--push" in call for call in deployment.calls() if call[0] == "docker")


@pytest.mark.parametrize(("op", "code"), [("create", 0), ("update", 0), ("same", 0), ("delete", 1), ("replace", 1)])
def test_a_deployment_that_would_delete_something_is_refused(deployment: Deployment, op: str, code: int) -> None:
    urn = "urn:pulumi:prod::netflix-lakehouse::azure-native:storage:StorageAccount::lake"
    deployment.answers = {"preview": json.dumps({"steps": [{"op": op, "urn": urn}]})}
    ran = deployment.run("preview", "prod")
    assert ran.returncode == code
    assert ("would be deleted or replaced" in ran.stderr) == bool(code)


@pytest.mark.parametrize("job", ["migrate", "synapse", "verify"])
@pytest.mark.parametrize(("state", "code"), [("Succeeded", 0), ("Failed", 1)])
def test_what_runs_in_the_stack_is_waited_for(deployment: Deployment, state: str, code: int, job: str) -> None:
    deployment.answers |= {"job list": f"caj-{job}", "job start": "run-1", "execution show": state}
    ran = deployment.run(job, "prod")
    assert ran.returncode == code, ran.stderr
    assert (f"ended as {state}" in ran.stderr) == bool(code)
    (start,) = [call for call in deployment.calls() if call[3:4] == ["start"]]
    assert start[start.index("--name") + 1] == f"caj-{job}"


def test_power_bi_is_left_alone_where_a_stack_has_no_workspace(deployment: Deployment) -> None:
    deployment.fails = "config get"
    ran = deployment.run("powerbi", "prod")
    assert (ran.returncode, "nothing to do" in ran.stdout) == (0, True)
    assert not [call for call in deployment.calls() if call[0] == "uv"]
    deployment.fails, deployment.answers["config get powerbi_workspace"] = "nothing", "6f1d2b1e"
    assert deployment.run("powerbi", "prod").returncode == 0
    (call,) = [call for call in deployment.calls() if call[0] == "uv"]
    assert call[-4:-1] == ["netflix-dagster", "powerbi", "deploy"] and call[-1] == {
        "NETFLIX_POWERBI_WORKSPACE": "6f1d2b1e"
    }


def test_rights_are_compared_with_the_resource_group_of_the_stack(deployment: Deployment) -> None:
    deployment.answers["stack output resource_group_id"] = "/subscriptions/s/resourceGroups/rg"
    deployment.answers = dict(sorted(deployment.answers.items(), key=lambda item: -len(item[0])))
    assert deployment.run("access", "staging").returncode == 0
    *_, last = deployment.calls()
    assert last[0] == "uv" and last[-1] == {"NETFLIX_RESOURCE_GROUP": "/subscriptions/s/resourceGroups/rg"}


def test_the_bundle_is_told_what_pulumi_made(deployment: Deployment) -> None:
    ran = deployment.run("bundle", "staging")
    assert ran.returncode == 0, ran.stderr
    *_, last = deployment.calls()
    assert last[:3] == ["databricks", "bundle", "deploy"]
    assert last[-1] == {f"BUNDLE_VAR_{name}": value for name, value in OUTPUTS.items() if value.startswith("the ")}


@pytest.mark.parametrize(("answer", "code"), [("302", 0), ("401", 0), ("200", 1), ("502", 1)])
def test_a_dagster_that_lets_strangers_in_is_found(deployment: Deployment, answer: str, code: int) -> None:
    running = "\n".join(f"ca-{name} Running" for name in ("code", "daemon", "webserver", "viewer"))
    deployment.answers |= {"containerapp list": running.replace(" ", "\t"), "curl": answer}
    assert deployment.run("try", "prod").returncode == code
    deployment.answers |= {"containerapp list": running.replace("daemon Running", "daemon Stopped").replace(" ", "\t")}
    assert deployment.run("try", "prod").returncode == 1


@pytest.mark.parametrize("said", [("fly", "dev"), ("up", "moon"), ("up",), ()])
def test_a_step_or_a_stack_that_is_none_calls_nobody(deployment: Deployment, said: tuple[str, ...]) -> None:
    assert deployment.run(*said).returncode != 0
    assert not (deployment.folder / "calls").exists()
