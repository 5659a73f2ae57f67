"""Databricks: the workspace, what Unity Catalog needs to reach the lake, the catalogs and who may enter them."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_databricks as databricks
from pulumi_azure_native import databricks as service

from infra.azure.base import Base
from infra.azure.network import Network
from infra.azure.storage import Lake
from netflix_dagster.azure.rights import LAYERS, LOCATIONS, Access, Grant, grants


def connector(base: Base, what: str = "") -> service.AccessConnector:
    """An identity of Unity Catalog: as which it opens the lake, or ``what`` works as it in Azure."""
    return service.AccessConnector(
        "-".join(filter(None, ("connector", what))),
        resource_group_name=base.group.name,
        connector_name=base.names.of("dbac", what),
        location=base.location,
        identity=service.ManagedServiceIdentityArgs(type="SystemAssigned"),
        tags=base.tags,
    )


def workspace(base: Base, network: Network | None) -> service.Workspace:
    """The workspace. Its machines have no public address; storage of its own is encrypted twice."""
    parameters = service.WorkspaceCustomParametersArgs(
        enable_no_public_ip=service.WorkspaceNoPublicIPBooleanParameterArgs(value=True),
        require_infrastructure_encryption=service.WorkspaceCustomBooleanParameterArgs(value=True),
        custom_virtual_network_id=service.WorkspaceCustomStringParameterArgs(value=network.net.id) if network else None,
        custom_public_subnet_name=_text("snet-databricks-public") if network else None,
        custom_private_subnet_name=_text("snet-databricks-private") if network else None,
    )
    made = service.Workspace(
        "workspace",
        resource_group_name=base.group.name,
        workspace_name=base.names.of("dbw"),
        location=base.location,
        sku=service.SkuArgs(name="premium"),
        compute_mode="Hybrid",
        managed_resource_group_id=pulumi.Output.concat(
            "/subscriptions/", base.subscription, "/resourceGroups/", base.names.of("rg", "databricks")
        ),
        parameters=parameters,
        # People open it from where they are, with a token of Entra; what runs in it has no public address.
        public_network_access="Enabled",
        required_nsg_rules="AllRules",
        default_catalog=service.DefaultCatalogPropertiesArgs(initial_type="UnityCatalog"),
        tags=base.tags,
    )
    base.diagnose("workspace", made.id, metrics=False)
    return made


def catalogs(
    base: Base,
    access: Access,
    inside: service.Workspace,
    by: service.AccessConnector,
    jobs: service.AccessConnector,
    lake: Lake,
    names: Mapping[str, pulumi.Input[str]],
    rights: list[pulumi.Resource],
) -> pulumi.Output[str]:
    """The catalogs of the tables and of the pipeline, the places they lie in, and who may enter; what jobs are in
    Azure, as a service credential, whose name is returned.

    ``names`` is how Databricks calls each principal. Schemas and volumes are the bundle's, with their own grants.
    """
    provider = databricks.Provider(
        "databricks", host=inside.workspace_url, azure_workspace_resource_id=inside.id, auth_type="azure-cli"
    )
    here = pulumi.ResourceOptions(provider=provider)
    credential = databricks.StorageCredential(
        "lake",
        name=base.names.of("lake"),
        azure_managed_identity=databricks.StorageCredentialAzureManagedIdentityArgs(access_connector_id=by.id),
        isolation_mode="ISOLATION_MODE_ISOLATED",
        comment="The lake, as the access connector of this stack",
        opts=pulumi.ResourceOptions(provider=provider, depends_on=rights),
    )
    locations = {}
    for zone in (*LOCATIONS, "managed"):
        locations[zone] = databricks.ExternalLocation(
            f"location-{zone}",
            name=base.names.of("lake", zone),
            url=pulumi.Output.concat(
                "abfss://", lake.containers[zone].name, "@", lake.account.name, ".dfs.core.windows.net/"
            ),
            credential_name=credential.name,
            isolation_mode="ISOLATION_MODE_ISOLATED",
            comment=f"The zone {zone} of the lake",
            opts=here,
        )
    works_as = databricks.Credential(
        "jobs",
        name=base.names.of("jobs"),
        purpose="SERVICE",
        azure_managed_identity=databricks.CredentialAzureManagedIdentityArgs(access_connector_id=jobs.id),
        isolation_mode="ISOLATION_MODE_ISOLATED",
        comment="What jobs are in Azure: they have no password",
        opts=here,
    )
    said = [grant for grant in grants(access) if grant.kind in ("catalog", "external_location", "credential")]
    to_jobs = _said([grant for grant in said if grant.kind == "credential"], names)
    databricks.Grants("credential-jobs", credential=works_as.name, grants=to_jobs, opts=here)
    for zone in LOCATIONS:
        on_location = _said([grant for grant in said if (grant.kind, grant.name) == ("external_location", zone)], names)
        databricks.Grants(f"location-{zone}", external_location=locations[zone].id, grants=on_location, opts=here)
    for catalog in (base.names.catalog, *base.config.pipeline_catalogs):
        made = databricks.Catalog(
            catalog,
            name=catalog,
            comment="Netflix lakehouse"
            if catalog == base.names.catalog
            else "The same tables, as a pipeline makes them",
            storage_root=pulumi.Output.concat(locations["managed"].url, catalog),
            isolation_mode="ISOLATED",
            opts=pulumi.ResourceOptions(provider=provider, protect=base.config.careful),
        )
        on_catalog = _said([grant for grant in said if grant.kind == "catalog"], names)
        databricks.Grants(catalog, catalog=made.name, grants=on_catalog, opts=here)
        if catalog != base.names.catalog:
            for layer in LAYERS[1:]:
                databricks.Schema(f"{catalog}-{layer}", name=layer, catalog_name=made.name, opts=here)
    warehouse = databricks.SqlEndpoint(
        "warehouse",
        name=base.names.of("sql"),
        cluster_size="2X-Small",
        min_num_clusters=1,
        max_num_clusters=1,
        auto_stop_mins=10,
        enable_serverless_compute=True,
        warehouse_type="PRO",
        opts=here,
    )
    askers = [name for name in access.groups() if access.role(name).in_catalog]
    databricks.Permissions(
        "warehouse",
        sql_endpoint_id=warehouse.id,
        access_controls=[
            databricks.PermissionsAccessControlArgs(group_name=names[name], permission_level="CAN_USE")
            for name in askers
        ],
        opts=here,
    )
    return works_as.name


def _said(said: list[Grant], names: Mapping[str, pulumi.Input[str]]) -> list[databricks.GrantsGrantArgs]:
    """All grants on one thing: whoever is not among them has none."""
    return [
        databricks.GrantsGrantArgs(principal=names[grant.principal], privileges=list(grant.privileges))
        for grant in said
    ]


def _text(value: str) -> service.WorkspaceCustomStringParameterArgs:
    return service.WorkspaceCustomStringParameterArgs(value=value)
