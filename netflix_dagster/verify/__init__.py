"""Verification on the real thing: bounded steps that say what works, what is missing, and how it is granted.

``TARGETS`` holds what can be verified. A further target is a module with a ``TARGET`` (``steps.Target``) and its entry
here; ``platform`` stands for all of them.
"""

from __future__ import annotations

from netflix_dagster.verify import access, databricks, events, powerbi, storage, synapse, telemetry, unity, vault
from netflix_dagster.verify.steps import Target

TARGETS: dict[str, Target] = {
    module.TARGET.name: module.TARGET
    for module in (storage, events, vault, telemetry, databricks, unity, synapse, powerbi, access)
}
PLATFORM = "platform"


def chosen(name: str) -> list[Target]:
    """The targets of a name. Raises ``LookupError`` that says which there are."""
    if name == PLATFORM:
        return list(TARGETS.values())
    if name not in TARGETS:
        raise LookupError(f"there is no target {name!r}; there are {', '.join(TARGETS)}, and {PLATFORM} for all")
    return [TARGETS[name]]
