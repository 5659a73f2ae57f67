"""The project of Power BI: model and report in one folder, ``infra/powerbi``, the same at every build."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from netflix_dagster.serving.powerbi import model, pbir, report, tmdl
from netflix_dagster.serving.powerbi.source import Source

_MODEL, _REPORT = f"{model.NAME}.SemanticModel", f"{model.NAME}.Report"


def files(source: Source = "synapse", parameters: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every file of the project by its place. ``parameters`` are those of the source, see ``tmdl.PARAMETERS``."""
    project = pbir.Project(artifacts=(pbir.Artifact(report=pbir.ByPath(path=_REPORT)),))
    definition = tmdl.files(source, parameters)
    return {
        f"{model.NAME}.pbip": project.json_text(),
        f"{_MODEL}/.platform": _platform("SemanticModel"),
        f"{_MODEL}/definition.pbism": pbir.ModelDefinition().json_text(),
        **{f"{_MODEL}/definition/{path}": text for path, text in definition.items()},
        f"{_REPORT}/.platform": _platform("Report"),
        **{f"{_REPORT}/{path}": text for path, text in report.files().items()},
    }


def export(folder: Path, source: Source = "synapse", parameters: Mapping[str, str] | None = None) -> list[Path]:
    """Write the project and return its files. What the folders of model and report held before is gone."""
    said = files(source, parameters)
    for item in (_MODEL, _REPORT):
        shutil.rmtree(folder / item, ignore_errors=True)
    for path, text in said.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="\n")
    return [folder / path for path in said]


def _platform(kind: str) -> str:
    said = pbir.Platform(
        metadata=pbir.ItemMetadata.model_validate({"type": kind, "displayName": model.NAME}),
        config=pbir.ItemConfig(logical_id=model.tag("item", kind)),
    )
    return said.json_text()
