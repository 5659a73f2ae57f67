"""The vocabulary of Data Factory's JSON: activities, references, expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
ONCE_MORE = {"retry": 3, "retryIntervalInSeconds": 30}
"""Activities that ask somebody else are tried again; the interval is that between two tries."""


def expression(text: str) -> Json:
    """An expression, as Data Factory keeps one: ``@`` and the text, its type said."""
    return {"value": f"@{text}", "type": "Expression"}


def after(*activities: str, on: Sequence[str] = ("Succeeded",)) -> list[Json]:
    """What an activity waits for: all of them, each having ended in one of the ways of ``on``."""
    return [{"activity": name, "dependencyConditions": list(on)} for name in activities]


def activity(
    name: str,
    kind: str,
    said: Mapping[str, Any],
    *,
    waits: Sequence[Json] = (),
    about: str = "",
    timeout: str | None = None,
    **more: Any,
) -> Json:
    """An activity. ``timeout``, of those that ask somebody else, makes them tried again too."""
    policy = {"policy": {"timeout": timeout, **ONCE_MORE, "secureInput": False, "secureOutput": False}}
    return {
        "name": name,
        **({"description": about} if about else {}),
        "type": kind,
        "dependsOn": list(waits),
        **(policy if timeout else {}),
        "userProperties": [],
        **more,
        "typeProperties": dict(said),
    }


def assign(variable: str, value: str, waits: Sequence[Json] = (), name: str = "") -> Json:
    """Set a variable of the pipeline."""
    said = {"variableName": variable, "value": expression(value)}
    return activity(name or f"Set {variable}", "SetVariable", said, waits=waits)


def refuse(name: str, code: str, message: str, waits: Sequence[Json] = ()) -> Json:
    """Fail the pipeline with a message of its own."""
    return activity(name, "Fail", {"message": expression(message), "errorCode": code}, waits=waits)


def execute(name: str, pipeline: str, parameters: Mapping[str, Any], waits: Sequence[Json] = ()) -> Json:
    """Run another pipeline to its end: its failure is that of the activity."""
    reference = {"referenceName": pipeline, "type": "PipelineReference"}
    said = {"pipeline": reference, "waitOnCompletion": True, "parameters": dict(parameters)}
    return activity(name, "ExecutePipeline", said, waits=waits)


def dataset(name: str, **parameters: str) -> Json:
    """A reference to a dataset, its parameters as expressions."""
    said = {parameter: expression(value) for parameter, value in parameters.items()}
    return {"referenceName": name, "type": "DatasetReference", "parameters": said}


def linked(name: str, **parameters: Any) -> Json:
    return {
        "referenceName": name,
        "type": "LinkedServiceReference",
        **({"parameters": parameters} if parameters else {}),
    }


def runtime(name: str) -> Json:
    return {"referenceName": name, "type": "IntegrationRuntimeReference"}
