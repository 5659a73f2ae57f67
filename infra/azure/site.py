"""The static web app of the dashboard: files, and no server."""

from __future__ import annotations

from pulumi_azure_native import web

from infra.azure.base import Base


def site(base: Base) -> web.StaticSite:
    """Make the site; a deployment uploads the files. The standard plan is the one with logins by Entra."""
    return web.StaticSite(
        "site",
        resource_group_name=base.group.name,
        name=base.names.of("stapp"),
        location="westeurope",
        sku=web.SkuDescriptionArgs(name="Standard", tier="Standard"),
        allow_config_file_updates=True,
        staging_environment_policy=web.StagingEnvironmentPolicy.DISABLED,
        public_network_access="Enabled",
        tags=base.tags,
    )
