"""The report of a verification, in Markdown for people and as JSON: what was tried, with what, and what is missing."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import metadata
from typing import Any

from netflix_dagster.settings import Settings
from netflix_dagster.verify.steps import Result

_PACKAGES = (
    "netflix-dagster",
    "pysail",
    "pyspark",
    "deltalake",
    "pyarrow",
    "obstore",
    "azure-identity",
    "azure-keyvault-secrets",
    "azure-storage-queue",
    "databricks-sdk",
)


def document(settings: Settings, targets: Sequence[str], at: datetime, results: Sequence[Result]) -> dict[str, Any]:
    """All of it, as ``--json`` prints it. It holds names of resources and identities, and no secret."""
    counts = {status: sum(r.status == status for r in results) for status in ("passed", "failed", "skipped")}
    return {
        "targets": list(targets),
        "at": at.isoformat(timespec="seconds"),
        "ok": not counts["failed"] and counts["passed"] > 0,
        "counts": counts,
        "seconds": round(sum(result.seconds for result in results), 1),
        "platform": {"landing": str(settings.landing), "lake": str(settings.lake), "engine": settings.engine},
        "versions": versions(),
        "results": [result.as_json() for result in results],
    }


def versions() -> dict[str, str]:
    """Python, the system, and what of our dependencies is installed."""
    found = {"python": platform.python_version(), "system": platform.system()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def markdown(said: Mapping[str, Any]) -> str:
    """The document as a page that can be attached to an issue."""
    counts = said["counts"]
    lines = [
        f"# Verification of {', '.join(said['targets'])}",
        "",
        f"{said['at']}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} not tried,"
        f" in {said['seconds']} s.",
        "",
        "| target | step | | s | found |",
        "| --- | --- | --- | --- | --- |",
    ]
    for result in said["results"]:
        cells = (result["target"], result["step"], result["status"], str(result["seconds"]), result["found"])
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    missing = {(r["right"], r["command"]): None for r in said["results"] if r["right"]}
    if missing:
        lines += ["", "## What is missing", ""]
        for right, command in missing:
            lines += [f"{right}:", "", "```", str(command), "```", ""]
    about = {**said["platform"], **said["versions"]}
    lines += ["", "## Tried with", "", *(f"- {name}: `{value}`" for name, value in about.items()), ""]
    return "\n".join(lines)
