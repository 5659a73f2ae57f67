"""``infra/access.yaml`` as role assignments of Azure: on a container, a queue, the vault, never on a whole account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_azuread as entra
from pulumi_azure_native import authorization

from infra.azure.base import Base
from infra.azure.roles import role_id
from infra.azure.storage import Lake
from netflix_dagster.azure.rights import Access, assignments


@dataclass(frozen=True, slots=True)
class Things:
    """What roles are given on."""

    lake: Lake
    vault: pulumi.Input[str]
    telemetry: pulumi.Input[str]


def group_ids(access: Access) -> dict[str, pulumi.Output[str]]:
    """The groups of people, which exist already: who is in them is not for a deployment to say."""
    return {
        name: entra.get_group_output(display_name=group, security_enabled=True).object_id
        for name, group in access.groups().items()
    }


def assign(
    base: Base, access: Access, things: Things, ids: Mapping[str, pulumi.Input[str]]
) -> dict[str, list[pulumi.Resource]]:
    """Make every assignment of the file; returned by principal, for what must wait for them."""
    scopes: dict[tuple[str, str], pulumi.Input[str]] = {
        **{("container", zone): container.id for zone, container in things.lake.containers.items()},
        **{("queue", name): queue.id for name, queue in things.lake.queues.items()},
        ("vault", "vault"): things.vault,
        ("telemetry", "telemetry"): things.telemetry,
        ("logs", "logs"): base.logs.id,
    }
    groups = access.groups()
    made: dict[str, list[pulumi.Resource]] = {name: [] for name in access.principals}
    for said in assignments(access):
        made[said.principal].append(
            authorization.RoleAssignment(
                f"{said.principal}-{said.name}",
                principal_id=ids[said.principal],
                principal_type="Group" if said.principal in groups else "ServicePrincipal",
                role_definition_id=role_id(base.subscription, said.role),
                scope=scopes[said.kind, said.name],
                description=said.reason,
            )
        )
    return made
