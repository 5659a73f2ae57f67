"""What a stack costs a month: what stands there, from the resources themselves, and what is used, from an assumption.

Prices are dated (``prices.yaml``); none is asked for over a network.
``python -m infra.costs`` reads ``pulumi preview --json`` and prints the lines.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

PRICES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("prices.yaml").read_text())
FREE_CPU_SECONDS, FREE_GIB_SECONDS = 180_000, 360_000
"""What Container Apps give for nothing, a subscription and month."""


def costs(resources: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, float]:
    """Dollars a month by what they are for. A resource is its kind (``storage:StorageAccount``) and its inputs in
    Azure's own words. A size that has no price yet is a ``KeyError``: it belongs into ``prices.yaml``."""
    each, use, assumed = PRICES["each"], PRICES["use"], PRICES["assumed"]
    found = list(resources)
    apps = [inputs for kind, inputs in found if kind == "app:ContainerApp"]
    cpu, gib = _always_on(apps)
    cpu -= FREE_CPU_SECONDS / 3600 / PRICES["hours"]
    gib -= FREE_GIB_SECONDS / 3600 / PRICES["hours"]
    sums = {f"Dagster, {len(apps)} apps": cpu * each["app:cpu"] + gib * each["app:gib"]}
    for kind, inputs in found:
        sku = (inputs.get("sku") or {}).get("name")
        if kind == "dbforpostgresql:Server":
            servers = 2 if inputs["highAvailability"]["mode"] == "ZoneRedundant" else 1
            disk = inputs["storage"]["storageSizeGB"] * each["postgres:gb"]
            sums["PostgreSQL"] = servers * (each[f"postgres:{sku}"] + disk)
        elif kind == "containerregistry:Registry":
            sums["registry"] = each[f"registry:{sku}"]
        elif kind == "web:StaticSite":
            sums["the dashboard's site"] = each[f"site:{sku}"]
        elif kind == "storage:StorageAccount":
            sums[f"storage, {assumed['storage_gb']} GB"] = assumed["storage_gb"] * use[f"storage:{sku}"]
    endpoints = sum(kind == "network:PrivateEndpoint" for kind, _ in found)
    zones = sum(kind == "privatedns:PrivateZone" for kind, _ in found)
    sums["private endpoints"] = endpoints * each["endpoint"] + zones * each["zone"]
    sums[f"logs, {assumed['logs_gb']} GB"] = assumed["logs_gb"] * use["logs"]
    sums[f"runs, {assumed['run_hours']} hours"] = assumed["run_hours"] * 3600 * use["run:second"]
    return sums


def table(stacks: Mapping[str, Mapping[str, float]]) -> str:
    """Stacks side by side as Markdown, rounded to dollars: more would be false precision."""
    kinds = list(dict.fromkeys(kind for sums in stacks.values() for kind in sums))
    rows = [[kind, *(f"{sums.get(kind, 0):.0f}" for sums in stacks.values())] for kind in sorted(kinds)]
    rows.append(["**together**", *(f"**{sum(sums.values()):.0f}**" for sums in stacks.values())])
    head = [["USD a month", *stacks], ["---"] * (len(stacks) + 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *rows])


def _always_on(apps: Iterable[Mapping[str, Any]]) -> tuple[float, float]:
    cpu = gib = 0.0
    for app in apps:
        least = app["template"]["scale"]["minReplicas"]
        for container in app["template"]["containers"]:
            cpu += least * container["resources"]["cpu"]
            gib += least * float(container["resources"]["memory"].removesuffix("Gi"))
    return cpu, gib


def _previewed(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for step in document["steps"]:
        state = step.get("newState") or {}
        package, _, rest = str(state.get("type", "")).partition(":")
        if package == "azure-native":
            yield rest, state.get("inputs", {})


if __name__ == "__main__":
    said = json.load(sys.stdin)
    sys.stdout.write(table({said.get("stack", "this stack"): costs(_previewed(said))}) + "\n")
