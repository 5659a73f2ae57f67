"""What every other part stands in: the resource group, and where the logs of everything go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, monitor, operationalinsights, resources

from infra.azure.config import Config
from infra.azure.names import Names


@dataclass(frozen=True, slots=True)
class Base:
    """The resource group of a stack and its log workspace."""

    config: Config
    names: Names
    group: resources.ResourceGroup
    logs: operationalinsights.Workspace
    tenant: pulumi.Output[str]
    subscription: pulumi.Output[str]

    @property
    def location(self) -> str:
        return self.config.location

    @property
    def tags(self) -> dict[str, str]:
        return self.config.tags

    @property
    def public(self) -> str:
        """Whether a service answers public addresses; who may do what there is another question."""
        return "Disabled" if self.config.private else "Enabled"

    def diagnose(
        self, name: str, of: pulumi.Input[str], logs: Sequence[str] = ("allLogs",), metrics: bool = True
    ) -> None:
        """Send the logs (groups of categories) and metrics of a resource to the workspace."""
        monitor.DiagnosticSetting(
            f"{name}-logs",
            name="to-workspace",
            resource_uri=of,
            workspace_id=self.logs.id,
            logs=[monitor.DiagnosticsLogSettingsArgs(category_group=group, enabled=True) for group in logs],
            metrics=[monitor.DiagnosticsMetricSettingsArgs(category="AllMetrics", enabled=True)] if metrics else [],
        )


def base(config: Config) -> Base:
    """Make the resource group and the workspace."""
    names = config.names
    client = authorization.get_client_config_output()
    group = resources.ResourceGroup(
        "group", resource_group_name=names.of("rg"), location=config.location, tags=config.tags
    )
    logs = operationalinsights.Workspace(
        "logs",
        resource_group_name=group.name,
        workspace_name=names.of("log"),
        location=config.location,
        sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
        retention_in_days=config.log_days,
        features=operationalinsights.WorkspaceFeaturesArgs(
            disable_local_auth=True, enable_log_access_using_only_resource_permissions=True
        ),
        tags=config.tags,
    )
    made = Base(config, names, group, logs, client.tenant_id, client.subscription_id)
    made.diagnose("logs", logs.id, logs=("audit",))
    if config.careful:
        authorization.ManagementLockByScope(
            "lock",
            lock_name="keep",
            scope=group.id,
            level="CanNotDelete",
            notes="Nothing of production is deleted in passing: remove this lock first, docs/deploy.md",
        )
    return made
