"""The built-in roles of Azure that the platform gives, by name. A role that is not listed cannot be given."""

from __future__ import annotations

import pulumi

from netflix_dagster.azure.rights import ROLES as DATA

ROLES = {
    **DATA,
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Container Apps Jobs Operator": "b9a307c4-5aa3-4b52-ba60-2b17c136cd7b",
    "Key Vault Crypto Service Encryption User": "e147488a-f6f5-4113-8e2d-b22465e65bf6",
}
"""Those of ``infra/access.yaml``, and what the platform needs for itself."""


def role_id(subscription: pulumi.Input[str], role: str) -> pulumi.Output[str]:
    """The definition of a role, as an assignment names it."""
    return pulumi.Output.concat(
        "/subscriptions/", subscription, "/providers/Microsoft.Authorization/roleDefinitions/", ROLES[role]
    )
