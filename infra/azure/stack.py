"""One stack, put together: read this first."""

from __future__ import annotations

import pulumi
import pulumi_azuread as entra
from pulumi_azure_native import authorization, managedidentity

from infra.azure import (
    containers,
    database,
    datafactory,
    events,
    lakehouse,
    monitoring,
    rights,
    secrets,
    site,
    storage,
    synapse,
)
from infra.azure.base import Base, base
from infra.azure.config import Config
from infra.azure.network import private_network
from infra.azure.roles import role_id
from netflix_dagster.azure import rights as rights_file

_FACTORIES = "/providers/Microsoft.DataFactory/factories/"


def deploy(config: Config) -> dict[str, pulumi.Input[object]]:
    """Declare everything of a stack; returned is what others need to know: the bundle, the package, people."""
    access = rights_file.load()
    here = base(config)
    network = private_network(here) if config.private else None
    vault = secrets.vault(here, network)
    key = secrets.storage_key(here, vault) if config.customer_key else None
    lake = storage.lake(here, network, vault, key)
    insights = monitoring.insights(here)
    monitoring.budget(here, monitoring.alerts(here, insights))

    topic = events.topic(here, lake)
    connector, jobs_connector = lakehouse.connector(here), lakehouse.connector(here, "jobs")
    adf, lander = datafactory.factory(here, lake, vault)
    here.diagnose("factory", pulumi.Output.concat(here.group.id, _FACTORIES, adf.name))
    builder, orchestrator = _identity(here, "builder"), _identity(here, "orchestrator")
    pool = synapse.workspace(here, network, lake.account, lake.containers["gold"], (builder.name, builder.principal_id))
    jobs = _service_principal(here)
    groups = rights.group_ids(access)
    made = rights.assign(
        here,
        access,
        rights.Things(lake, vault.id, insights.id),
        {
            **groups,
            "builder": builder.principal_id,
            "orchestrator": orchestrator.principal_id,
            "jobs": jobs_connector.identity.apply(lambda said: _principal(said.principal_id if said else None)),
            "catalog": connector.identity.apply(lambda said: _principal(said.principal_id if said else None)),
            "factory": lander,
            "synapse": pool.identity.apply(lambda said: _principal(said.principal_id if said else None)),
            "events": topic.identity.apply(lambda said: _principal(said.principal_id if said else None)),
        },
    )
    events.subscription(here, lake, topic, made["events"])

    inside = lakehouse.workspace(here, network)
    called: dict[str, pulumi.Input[str]] = {**access.groups(), "databricks": jobs.client_id}
    works_as = lakehouse.catalogs(here, access, inside, connector, jobs_connector, lake, called, made["catalog"])

    server, _ = database.database(here, network, {access.groups()["platform"]: groups["platform"]})
    registry = containers.registry(here, network)
    pulls = [
        authorization.RoleAssignment(
            f"{name}-pull",
            principal_id=identity.principal_id,
            principal_type="ServicePrincipal",
            role_definition_id=role_id(here.subscription, "AcrPull"),
            scope=registry.id,
            description="Pulls the image that it runs",
        )
        for name, identity in (("builder", builder), ("orchestrator", orchestrator))
    ]
    apps = containers.environment(here, network)
    if config.images:
        services = containers.Services(
            config.images, registry, lake.account, vault.name, server, insights, builder, orchestrator
        )
        logins = {right: {name: groups[name] for name in access.logins(right)} for right in ("view", "launch")}
        containers.dagster(here, apps, services, logins, [*made["builder"], *made["orchestrator"], *pulls])
    dashboard = site.site(here)

    address = pulumi.Output.concat("https://", config.names.of("ca", "webserver"), ".", apps.default_domain)
    return {
        "resource_group": here.group.name,
        "resource_group_id": here.group.id,
        "storage_account": lake.account.name,
        "key_vault": vault.name,
        "tenant_id": here.tenant,
        "service_principal": jobs.client_id,
        "service_credential": works_as,
        "workspace_url": inside.workspace_url,
        "catalog": config.names.catalog,
        "registry": registry.login_server,
        "database": server.fully_qualified_domain_name,
        "builder": builder.name,
        "orchestrator": orchestrator.name,
        "application_insights": insights.name,
        "dagster": address,
        "dashboard": dashboard.default_hostname,
        "data_factory": adf.name,
        "synapse": here.names.synapse_endpoint,
    }


def _identity(here: Base, name: str) -> managedidentity.UserAssignedIdentity:
    return managedidentity.UserAssignedIdentity(
        f"identity-{name}",
        resource_group_name=here.group.name,
        resource_name_=here.names.of("id", name),
        location=here.location,
        tags=here.tags,
    )


def _service_principal(here: Base) -> entra.ServicePrincipal:
    """Whom jobs on Databricks run as. It has no secret: Databricks knows it, and what it is in Azure is in a service
    credential."""
    application = entra.Application(
        "jobs", display_name=here.names.of("sp", "databricks"), sign_in_audience="AzureADMyOrg"
    )
    return entra.ServicePrincipal("jobs", client_id=application.client_id, app_role_assignment_required=False)


def _principal(said: str | None) -> str:
    if not said:
        raise ValueError("Azure returned a resource without the identity that was asked for; run `pulumi up` again")
    return said
