"""PostgreSQL for Dagster's runs, events and schedules. Nobody has a password: all log in with a token of Entra."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import dbforpostgresql as postgres

from infra.azure.base import Base
from infra.azure.network import Network

DATABASE = "dagster"
SETTINGS = {
    "require_secure_transport": "on",
    "ssl_min_protocol_version": "TLSv1.2",
    "log_checkpoints": "on",
    "connection_throttle.enable": "on",
}


def database(
    base: Base, network: Network | None, administrators: dict[str, pulumi.Output[str]]
) -> tuple[postgres.Server, postgres.Database]:
    """Make the server and its database. ``administrators`` are groups by name; they let services in."""
    careful = base.config.careful
    server = postgres.Server(
        "database",
        resource_group_name=base.group.name,
        server_name=base.names.database,
        location=base.location,
        version="17",
        sku=postgres.SkuArgs(
            name="Standard_D2ds_v5" if careful else "Standard_B2s", tier="GeneralPurpose" if careful else "Burstable"
        ),
        storage=postgres.StorageArgs(storage_size_gb=32, auto_grow="Enabled"),
        auth_config=postgres.AuthConfigArgs(
            active_directory_auth="Enabled", password_auth="Disabled", tenant_id=base.tenant
        ),
        backup=postgres.BackupArgs(
            backup_retention_days=35 if careful else 7, geo_redundant_backup="Enabled" if careful else "Disabled"
        ),
        high_availability=postgres.HighAvailabilityArgs(mode="ZoneRedundant" if careful else "Disabled"),
        network=postgres.NetworkArgs(public_network_access=base.public),
        maintenance_window=postgres.MaintenanceWindowArgs(
            custom_window="Enabled", day_of_week=0, start_hour=3, start_minute=0
        ),
        tags=base.tags,
        opts=pulumi.ResourceOptions(protect=careful),
    )
    previous: list[pulumi.Resource] = []
    for name, value in SETTINGS.items():
        # One after the other: the server refuses two changes at a time.
        setting = postgres.Configuration(
            f"database-{name}",
            resource_group_name=base.group.name,
            server_name=server.name,
            configuration_name=name,
            source="user-override",
            value=value,
            opts=pulumi.ResourceOptions(depends_on=previous),
        )
        previous = [setting]
    for group, object_id in administrators.items():
        postgres.AdministratorsMicrosoftEntra(
            f"database-{group}",
            resource_group_name=base.group.name,
            server_name=server.name,
            object_id=object_id,
            principal_name=group,
            principal_type="Group",
            tenant_id=base.tenant,
            opts=pulumi.ResourceOptions(depends_on=previous),
        )
    if not network:
        # 0.0.0.0 stands for addresses of Azure: the containers have no lasting one outside of a private network.
        postgres.FirewallRule(
            "database-azure",
            resource_group_name=base.group.name,
            server_name=server.name,
            firewall_rule_name="azure",
            start_ip_address="0.0.0.0",
            end_ip_address="0.0.0.0",
        )
    made = postgres.Database(
        "database-dagster",
        resource_group_name=base.group.name,
        server_name=server.name,
        database_name=DATABASE,
        charset="UTF8",
        collation="en_US.utf8",
    )
    base.diagnose("database", server.id)
    if network:
        network.endpoint("database", server.id, "postgresqlServer")
    return server, made
