"""Azure as code: every stack is deployed to Pulumi's mocks, and each resource is as a public rule wants it.

Rules without another name are those of PSRule for Azure (Well-Architected). ``SAT`` is Databricks' Security Analysis
Tool, ``policy`` a built-in policy of Azure by its title.
"""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

pytest.importorskip(
    "pulumi_azure_native", reason="the dependency group `infra` is not installed: `make infra-check` installs and runs"
)

from infra.azure import containers, events, monitoring
from infra.azure.config import HERE, Config, from_file
from infra.azure.names import SHORT_REGIONS, Names
from infra.azure.roles import ROLES
from netflix_dagster.azure import rights
from netflix_dagster.settings import Settings
from netflix_dagster_tests.infra import bundle
from netflix_dagster_tests.infra.azure import IMAGES, STACKS, TENANT, Made, Resource, made

ROOT = HERE.parents[1]
pytestmark = pytest.mark.soak  # half a minute: `make infra-check` runs them, and CI
PRIVATE, CAREFUL = ("staging", "prod"), ("prod",)
"""Stacks with private endpoints, and those whose loss would hurt. ``dev`` is reachable, so that a laptop can work."""


@dataclass(frozen=True)
class Rule:
    """What every resource of a kind must say: ``path`` holds one of ``values``."""

    name: str
    kind: str
    path: str
    values: tuple[Any, ...]
    stacks: tuple[str, ...] = STACKS

    def broken(self, of: Made) -> list[str]:
        """The resources that break it; having none of the kind breaks it too."""
        found = of.all(self.kind)
        return [resource.name for resource in found if resource.get(self.path) not in self.values] or (
            [] if found else [f"no {self.kind}"]
        )


RULES = (
    Rule("Azure.Storage.BlobPublicAccess", "storage:StorageAccount", "allowBlobPublicAccess", (False,)),
    Rule("Azure.Storage.BlobAccessType", "storage:BlobContainer", "publicAccess", ("None",)),
    Rule("Azure.Storage.MinTLS", "storage:StorageAccount", "minimumTlsVersion", ("TLS1_2", "TLS1_3")),
    Rule("Azure.Storage.SecureTransfer", "storage:StorageAccount", "enableHttpsTrafficOnly", (True,)),
    Rule("Azure.Storage.Firewall", "storage:StorageAccount", "networkRuleSet.defaultAction", ("Deny",), PRIVATE),
    Rule("Azure.Storage.SoftDelete", "storage:BlobServiceProperties", "deleteRetentionPolicy.enabled", (True,)),
    Rule(
        "Azure.Storage.ContainerSoftDelete",
        "storage:BlobServiceProperties",
        "containerDeleteRetentionPolicy.enabled",
        (True,),
    ),
    Rule("Azure.Storage.UseReplication", "storage:StorageAccount", "sku.name", ("Standard_GZRS",), CAREFUL),
    Rule(
        "policy: Storage accounts should be zone redundant",
        "storage:StorageAccount",
        "sku.name",
        ("Standard_ZRS", "Standard_GZRS"),
    ),
    Rule(
        "policy: Storage accounts should prevent shared key access",
        "storage:StorageAccount",
        "allowSharedKeyAccess",
        (False,),
    ),
    Rule(
        "policy: Storage accounts should prevent cross tenant object replication",
        "storage:StorageAccount",
        "allowCrossTenantReplication",
        (False,),
    ),
    Rule(
        "policy: Storage accounts should have infrastructure encryption",
        "storage:StorageAccount",
        "encryption.requireInfrastructureEncryption",
        (True,),
    ),
    Rule(
        "policy: Storage accounts should use customer-managed key for encryption",
        "storage:StorageAccount",
        "encryption.keySource",
        ("Microsoft.Keyvault",),
        CAREFUL,
    ),
    Rule(
        "policy: Storage accounts should disable public network access",
        "storage:StorageAccount",
        "publicNetworkAccess",
        ("Disabled",),
        PRIVATE,
    ),
    Rule("Azure.KeyVault.SoftDelete", "keyvault:Vault", "properties.enableSoftDelete", (True,)),
    Rule("Azure.KeyVault.PurgeProtect", "keyvault:Vault", "properties.enablePurgeProtection", (True,)),
    Rule("Azure.KeyVault.RBAC", "keyvault:Vault", "properties.enableRbacAuthorization", (True,)),
    Rule("Azure.KeyVault.Firewall", "keyvault:Vault", "properties.networkAcls.defaultAction", ("Deny",), PRIVATE),
    Rule(
        "Azure.KeyVault.AutoRotationPolicy",
        "keyvault:Key",
        "properties.rotationPolicy.attributes.expiryTime",
        ("P1Y",),
        CAREFUL,
    ),
    Rule("Azure.EventGrid.ManagedIdentity", "eventgrid:SystemTopic", "identity.type", ("SystemAssigned",)),
    Rule(
        "Azure.EventGrid.ManagedIdentity",
        "eventgrid:SystemTopicEventSubscription",
        "deliveryWithResourceIdentity.identity.type",
        ("SystemAssigned",),
    ),
    Rule("Azure.PostgreSQL.AAD", "dbforpostgresql:Server", "authConfig.activeDirectoryAuth", ("Enabled",)),
    Rule("Azure.PostgreSQL.AADOnly", "dbforpostgresql:Server", "authConfig.passwordAuth", ("Disabled",)),
    Rule(
        "Azure.PostgreSQL.GeoRedundantBackup",
        "dbforpostgresql:Server",
        "backup.geoRedundantBackup",
        ("Enabled",),
        CAREFUL,
    ),
    Rule(
        "policy: Public network access should be disabled for PostgreSQL flexible servers",
        "dbforpostgresql:Server",
        "network.publicNetworkAccess",
        ("Disabled",),
        PRIVATE,
    ),
    Rule("Azure.ACR.AdminUser", "containerregistry:Registry", "adminUserEnabled", (False,)),
    Rule("Azure.ACR.AnonymousAccess", "containerregistry:Registry", "anonymousPullEnabled", (False,)),
    Rule("Azure.ACR.MinSku", "containerregistry:Registry", "sku.name", ("Standard", "Premium")),
    Rule("Azure.ACR.Firewall", "containerregistry:Registry", "publicNetworkAccess", ("Disabled",), PRIVATE),
    Rule("Azure.ACR.Retention", "containerregistry:Registry", "policies.retentionPolicy.status", ("enabled",), PRIVATE),
    Rule("Azure.ContainerApp.ManagedIdentity", "app:ContainerApp", "identity.type", ("UserAssigned",)),
    Rule("Azure.ContainerApp.ManagedIdentity", "app:Job", "identity.type", ("UserAssigned",)),
    Rule("Azure.ContainerApp.Insecure", "app:ContainerApp", "configuration.ingress.allowInsecure", (False, None)),
    Rule("Azure.ContainerApp.PublicAccess", "app:ManagedEnvironment", "publicNetworkAccess", ("Disabled",), PRIVATE),
    Rule(
        "Azure.ContainerApp.ExternalIngress", "app:ManagedEnvironment", "vnetConfiguration.internal", (True,), PRIVATE
    ),
    Rule("Azure.Databricks.SecureConnectivity", "databricks:Workspace", "parameters.enableNoPublicIp.value", (True,)),
    Rule("Azure.Databricks.SKU", "databricks:Workspace", "sku.name", ("premium",)),
    Rule(
        "SAT DP-4: encrypt object storage",
        "databricks:Workspace",
        "parameters.requireInfrastructureEncryption.value",
        (True,),
    ),
    Rule(
        "policy: Synapse Workspaces should have Microsoft Entra-only authentication enabled",
        "synapse:Workspace",
        "azureADOnlyAuthentication",
        (True,),
    ),
    Rule(
        "policy: Managed workspace virtual network on Azure Synapse workspaces should be enabled",
        "synapse:Workspace",
        "managedVirtualNetwork",
        ("default",),
    ),
    Rule(
        "policy: Azure Synapse workspaces should allow outbound data traffic only to approved targets",
        "synapse:Workspace",
        "managedVirtualNetworkSettings.preventDataExfiltration",
        (True,),
    ),
    Rule(
        "policy: Synapse managed private endpoints should only connect to resources in approved tenants",
        "synapse:Workspace",
        "managedVirtualNetworkSettings.allowedAadTenantIdsForLinking",
        ([TENANT],),
    ),
    Rule(
        "policy: Azure Synapse workspaces should disable public network access",
        "synapse:Workspace",
        "publicNetworkAccess",
        ("Disabled",),
        PRIVATE,
    ),
    Rule("Azure.AppInsights.Workspace", "applicationinsights:Component", "ingestionMode", ("LogAnalytics",)),
    Rule("Azure.AppInsights.LocalAuth", "applicationinsights:Component", "disableLocalAuth", (True,)),
    Rule(
        "policy: Log Analytics workspaces should block non-Azure Active Directory based ingestion.",
        "operationalinsights:Workspace",
        "features.disableLocalAuth",
        (True,),
    ),
)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Made:
    return made(request.param)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name} ({rule.kind})")
def test_every_resource_is_as_the_rule_wants_it(rule: Rule) -> None:
    for name in rule.stacks:
        assert rule.broken(made(name)) == [], f"{rule.name} in {name}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name} ({rule.kind})")
def test_a_resource_that_says_otherwise_breaks_the_rule(rule: Rule) -> None:
    """The check itself is tried: one resource of the kind is changed, and it alone is found; none at all is found."""
    whole = made("prod")
    victim, *others = whole.all(rule.kind)
    changed = replace(victim, inputs=_with(victim.inputs, rule.path, "something else"))
    assert rule.broken(replace_all(whole, rule.kind, [changed, *others])) == [victim.name]
    assert rule.broken(replace_all(whole, rule.kind, [])) == [f"no {rule.kind}"]


def replace_all(whole: Made, kind: str, by: list[Resource]) -> Made:
    return Made(whole.config, [r for r in whole.resources if r.kind != kind] + by, whole.exports)


def _with(inputs: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    first, _, rest = path.partition(".")
    inner = inputs.get(first) if isinstance(inputs.get(first), Mapping) else {}
    return {**inputs, first: _with(inner or {}, rest, value) if rest else value}


# What a rule says of many kinds


LOGGED = {
    "storage:StorageAccount",
    "keyvault:Vault",
    "eventgrid:SystemTopic",
    "dbforpostgresql:Server",
    "containerregistry:Registry",
    "app:ManagedEnvironment",
    "databricks:Workspace",
    "synapse:Workspace",
    "operationalinsights:Workspace",
    "applicationinsights:Component",
    "network:VirtualNetwork",
    "network:NetworkSecurityGroup",
}
UNLOGGED = {"databricks:AccessConnector", "web:StaticSite", "managedidentity:UserAssignedIdentity"}
"""Have no logs that a diagnostic setting could send."""


def test_diagnostics_everywhere(stack: Made) -> None:
    """Azure.KeyVault.Logs, Azure.ACR.Logs and SAT GOV-3: the logs of everything that has some reach the workspace."""
    settings = stack.all("monitor:DiagnosticSetting")
    workspace = stack.one("operationalinsights:Workspace")
    assert {setting.get("workspaceId") for setting in settings} == {workspace.id}
    told = {setting.get("resourceUri") for setting in settings if setting.get("logs")}
    for kind in LOGGED:
        for resource in stack.all(kind):
            of_it = {uri for uri in told if uri == resource.id or uri.startswith(f"{resource.id}/")}
            assert of_it, f"nobody hears of {kind} {resource.name}"
    assert [uri for uri in told if uri.endswith(f"/factories/{stack.exports['data_factory']}")]
    account = stack.one("storage:StorageAccount")
    assert {f"{account.id}/blobServices/default", f"{account.id}/queueServices/default"} <= told


def test_everything_that_can_carry_tags_says_whose_it_is(stack: Made) -> None:
    """Azure.Resource.UseTags."""
    tagged = {resource.kind for resource in stack.resources if resource.inputs.get("tags")}
    for resource in stack.resources:
        if resource.kind in tagged:
            assert resource.get("tags") == stack.config.tags, resource.name
    assert tagged >= {kind for kind in LOGGED | UNLOGGED if stack.all(kind)}


@pytest.mark.parametrize("name", PRIVATE)
def test_a_private_stack_is_reached_by_private_endpoints(name: str) -> None:
    whole = made(name)
    behind: dict[str, set[str]] = {}
    for endpoint in whole.all("network:PrivateEndpoint"):
        (connection,) = endpoint.get("privateLinkServiceConnections")
        behind.setdefault(connection["privateLinkServiceId"], set()).update(connection["groupIds"])
    named = {whole.by_id(identifier).kind: parts for identifier, parts in behind.items()}
    assert named == {
        "storage:StorageAccount": {"blob", "dfs", "queue"},
        "keyvault:Vault": {"vault"},
        "containerregistry:Registry": {"registry"},
        "dbforpostgresql:Server": {"postgresqlServer"},
        "synapse:Workspace": {"SqlOnDemand"},
    }
    zones = {link.get("privateZoneName") for link in whole.all("privatedns:VirtualNetworkLink")}
    assert zones == {zone.get("privateZoneName") for zone in whole.all("privatedns:PrivateZone")}
    assert len(whole.all("network:PrivateDnsZoneGroup")) == len(whole.all("network:PrivateEndpoint"))
    assert whole.all("dbforpostgresql:FirewallRule") == []  # Azure.PostgreSQL.AllowAzureAccess
    # policy: IP firewall rules on Azure Synapse workspaces should be removed
    assert whole.all("synapse:IpFirewallRule") == []
    (let_in,) = whole.one("storage:StorageAccount").get("networkRuleSet.resourceAccessRules")
    assert let_in["resourceId"].endswith(f"/providers/Microsoft.Synapse/workspaces/{whole.config.names.synapse}")


@pytest.mark.parametrize("name", PRIVATE)
def test_every_subnet_has_a_firewall_and_no_address_twice(name: str) -> None:
    """Azure.VNET.UseNSGs."""
    import ipaddress

    (net,) = made(name).all("network:VirtualNetwork")
    subnets = net.get("subnets")
    assert all(subnet["networkSecurityGroup"]["id"] for subnet in subnets)
    ranges = [ipaddress.ip_network(subnet["addressPrefix"]) for subnet in subnets]
    assert not [(a, b) for a in ranges for b in ranges if a is not b and a.overlaps(b)]
    (whole,) = net.get("addressSpace.addressPrefixes")
    assert all(part.subnet_of(ipaddress.ip_network(whole)) for part in ranges)


def test_rights_are_roles_of_data_on_single_things(stack: Made) -> None:
    """Azure.RBAC.UseGroups and no wildcard: no owner, no contributor, none on a group, an account or a subscription."""
    names = {value: name for name, value in ROLES.items()}
    assert not {"Owner", "Contributor", "User Access Administrator", "Role Based Access Control Administrator"} & {
        *ROLES
    }
    narrow = {
        "storage:BlobContainer",
        "storage:Queue",
        "keyvault:Vault",
        "operationalinsights:Workspace",
        "applicationinsights:Component",
        "containerregistry:Registry",
        "app:Job",
    }
    for assignment in stack.all("authorization:RoleAssignment"):
        assert assignment.get("roleDefinitionId").rpartition("/")[2] in names
        assert stack.by_id(assignment.get("scope")).kind in narrow, assignment.name
        assert len(assignment.get("description")) > 10
        assert assignment.get("principalType") in ("Group", "ServicePrincipal"), "people get rights by their group"
        assert (assignment.get("principalType") == "Group") == assignment.get("principalId").startswith("group ")


def test_the_assignments_are_those_of_the_file(stack: Made) -> None:
    """Nobody gets more, nobody gets less; besides the file, images are pulled, the account reads its key, and the
    daemon starts a container for each run."""
    called = {
        **{f"group {group}": name for name, group in rights.load().groups().items()},
        f"principal {stack.exports['builder']}": "builder",
        f"principal {stack.exports['orchestrator']}": "orchestrator",
        f"principal of {stack.exports['data_factory']}": "factory",
        "identity of connector": "catalog",
        "identity of connector-jobs": "jobs",
        "identity of events": "events",
        "identity of synapse": "synapse",
    }
    names = {value: name for name, value in ROLES.items()}
    found = set()
    for assignment in stack.all("authorization:RoleAssignment"):
        role = names[assignment.get("roleDefinitionId").rpartition("/")[2]]
        if role in ("AcrPull", "Key Vault Crypto Service Encryption User"):
            continue
        thing = stack.by_id(assignment.get("scope"))
        if role == "Container Apps Jobs Operator":
            assert (called[assignment.get("principalId")], thing.name) == ("orchestrator", "run")
            continue
        on = thing.get("containerName") or thing.get("queueName") or _KINDS[thing.kind]
        found.add((called[assignment.get("principalId")], role, on))
    assert found == {(a.principal, a.role, a.name) for a in rights.assignments(rights.load())}


_KINDS = {
    "keyvault:Vault": "vault",
    "operationalinsights:Workspace": "logs",
    "applicationinsights:Component": "telemetry",
}


def test_a_run_is_an_execution_of_a_job_that_every_process_can_name(stack: Made) -> None:
    """The launcher is configured by the environment; the image of a run is that of the code location."""
    job, code = stack.one("app:Job", "run"), stack.one("app:ContainerApp", "code")
    (container,), (beside,) = job.get("template.containers"), code.get("template.containers")
    assert container["image"] == beside["image"] and container["resources"] == {"cpu": 2.0, "memory": "4Gi"}
    assert job.get("configuration.replicaRetryLimit") == 0, "Dagster tries again, and says so"
    for name in ("code", "daemon", "webserver", "viewer"):
        (own,) = stack.one("app:ContainerApp", name).get("template.containers")
        said = {item["name"]: item["value"] for item in own["env"]}
        assert said["DAGSTER_RUN_JOB"] == job.get("jobName")
        assert said["AZURE_RESOURCE_GROUP"] == job.get("resourceGroupName")
        assert said["AZURE_SUBSCRIPTION_ID"]


def test_the_catalog_is_entered_by_those_whom_the_file_names(stack: Made) -> None:
    access = rights.load()
    said = {grant.name: grant.get("grants") for grant in stack.all("databricks.Grants")}
    assert set(said) == {stack.config.names.catalog, *stack.config.pipeline_catalogs, "credential-jobs"} | {
        f"location-{zone}" for zone in rights.LOCATIONS
    }
    assert said["credential-jobs"] == [{"principal": "application jobs", "privileges": ["ACCESS"]}]
    credential = stack.one("databricks.Credential", "jobs")
    assert credential.get("name") == stack.exports["service_credential"]
    assert stack.by_id(credential.get("azureManagedIdentity.accessConnectorId")).name == "connector-jobs"
    entered = {entry["principal"]: set(entry["privileges"]) for entry in said[stack.config.names.catalog]}
    wanted = {
        access.groups().get(g.principal, "application jobs"): set(g.privileges)
        for g in rights.grants(access)
        if g.kind == "catalog"
    }
    assert entered == wanted
    for zone in rights.LOCATIONS:
        assert [entry["principal"] for entry in said[f"location-{zone}"]] == ["application jobs"]
    everything = json.dumps([grant.inputs for grant in stack.all("databricks.Grants")])
    assert "ALL_PRIVILEGES" not in everything and "account users" not in everything


# Secrets


def test_no_secret_is_made_written_or_told(stack: Made) -> None:
    """Azure.Deployment.OutputSecretValue, SAT DP-1: no password exists here; what is secret lies in the vault only."""
    kinds = {resource.kind for resource in stack.resources}
    assert not {kind for kind in kinds if re.search(r"Password|keyvault:Secret|Token|SharedKey|AccessKey", kind)}
    for resource, path, text in stack.texts():
        assert not re.search(r"AccountKey=|SharedAccessSignature|sig=|client_secret|BEGIN [A-Z ]*PRIVATE", text), path
        assert not re.search(r"(?i)(password|sharedKey|accessKey)$", path) or text == "Disabled", (resource.name, path)
    secrets = {
        (secret["name"], secret["value"])
        for app in stack.all("app:ContainerApp")
        for secret in app.get("configuration.secrets")
    }
    # By this name Container Apps finds the client id of the identity that stands for a password.
    assert {name for name, _ in secrets} == {containers.LOGIN_SECRET}
    assert {value for _, value in secrets} <= {
        f"client {stack.exports[identity]}" for identity in ("builder", "orchestrator")
    }
    assert not [name for name in stack.exports if re.search("secret|password|connection|sas$", name)]


def test_only_those_of_the_file_log_in_to_dagster(stack: Made) -> None:
    access = rights.load()
    for name, right in (("webserver", "launch"), ("viewer", "view")):
        let_in = {f"group {access.groups()[group]}" for group in access.logins(right)}  # type: ignore[arg-type]
        login = stack.one("app:ContainerAppsAuthConfig", f"{name}-login")
        assert login.get("platform.enabled") and login.get("httpSettings.requireHttps")
        assert login.get("globalValidation.unauthenticatedClientAction") == "RedirectToLoginPage"
        assert login.get("globalValidation.excludedPaths") is None
        by = login.get("identityProviders.azureActiveDirectory")
        assert set(by["validation"]["defaultAuthorizationPolicy"]["allowedPrincipals"]["groups"]) == let_in
        assert by["registration"]["clientSecretSettingName"] == containers.LOGIN_SECRET
        assert stack.one("azuread.ServicePrincipal", f"{name}-login").get("appRoleAssignmentRequired") is True
        assigned = {
            a.get("principalObjectId")
            for a in stack.all("azuread.AppRoleAssignment")
            if a.get("resourceObjectId") == f"principal {name}-login"
        }
        assert assigned == let_in
        command = stack.one("app:ContainerApp", name).get("template.containers")[0]["args"]
        assert ("--read-only" in command) == (right == "view")
    open_to_the_world = [a.name for a in stack.all("app:ContainerApp") if a.get("configuration.ingress.external")]
    assert sorted(open_to_the_world) == ["viewer", "webserver"]


def test_images_are_named_by_digest_and_each_app_runs_once(stack: Made) -> None:
    for kind in ("app:ContainerApp", "app:Job"):
        for resource in stack.all(kind):
            for container in resource.get("template.containers"):
                assert re.search(r"\.azurecr\.io/[a-z-]+@sha256:[0-9a-f]{64}$", container["image"])
    for app in stack.all("app:ContainerApp"):
        assert app.get("template.scale") == {"minReplicas": 1, "maxReplicas": 1}


# Names


def test_the_package_finds_what_it_is_told_of(stack: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the containers are settings of the package, and lead to what exists."""
    (container,) = stack.one("app:ContainerApp", "code").get("template.containers")
    said = {entry["name"]: entry["value"] for entry in container["env"]}
    ours = {name.removeprefix("NETFLIX_").lower() for name in said if name.startswith("NETFLIX_")} - {
        "code_host",
        "code_port",
    }
    assert ours <= set(Settings.model_fields)
    for place in ("NETFLIX_LANDING", "NETFLIX_LAKE"):
        monkeypatch.delenv(place, raising=False)  # make exports the places of this machine
    settings = Settings.model_validate({name: said[f"NETFLIX_{name.upper()}"] for name in ours})
    assert settings.account == stack.one("storage:StorageAccount").get("accountName")
    assert settings.vault == stack.one("keyvault:Vault").get("vaultName")
    assert settings.landing_events in {queue.get("queueName") for queue in stack.all("storage:Queue")}
    assert {container.get("containerName") for container in stack.all("storage:BlobContainer")} == set(rights.ZONES)
    assert str(settings.synapse).partition("-ondemand.")[0] == stack.one("synapse:Workspace").get("workspaceName")
    assert said["NETFLIX_CODE_HOST"] == stack.one("app:ContainerApp", "code").get("containerAppName")
    assert said["DAGSTER_PG_DB"] == stack.one("dbforpostgresql:Database").get("databaseName")


def test_runs_know_the_workspace_of_power_bi_if_there_is_one() -> None:
    workspace = "6f1d2b1e-7c0a-4c55-9d3a-0a6d7a5a1f00"
    for stack, expected in ((made("dev"), None), (made("dev", powerbi_workspace=workspace), workspace)):
        (container,) = stack.one("app:ContainerApp", "code").get("template.containers")
        assert {one["name"]: one["value"] for one in container["env"]}.get("NETFLIX_POWERBI_WORKSPACE") == expected


def test_sql_has_the_administrator_that_the_file_names(stack: Made) -> None:
    (named,) = [name for name in rights.load().principals if rights.load().role(name).synapse]
    administrator = stack.one("synapse:WorkspaceSqlAadAdmin")
    assert administrator.get("login") == stack.exports[named]
    assert administrator.get("sid") == f"principal {stack.exports[named]}"
    assert stack.exports["synapse"] == stack.config.names.synapse_endpoint


def test_the_bundle_is_told_of_what_it_asks_for(stack: Made) -> None:
    variables = yaml.safe_load((ROOT / "infra" / "databricks" / "databricks.yml").read_text())
    without_default = {name for name, said in variables["variables"].items() if "default" not in said}
    assert without_default - {"catalog"} <= set(stack.exports)
    assert stack.exports["catalog"] == variables["targets"][stack.config.stack]["variables"]["catalog"]
    resolved = bundle.load().resolve(stack.config.stack, dict.fromkeys(without_default, "x"))
    pipeline = resolved["pipelines"]["lakehouse"]["catalog"]
    schemas = {s.get("name") for s in stack.all("databricks.Schema") if s.get("catalogName") == pipeline}
    assert schemas == {"bronze", "silver", "gold", "quality"}


def test_events_arrive_as_the_package_reads_them(stack: Made) -> None:
    subscription = stack.one("eventgrid:SystemTopicEventSubscription")
    assert subscription.get("deliveryWithResourceIdentity.destination.queueName") == "landing-events"
    assert subscription.get("deadLetterWithResourceIdentity.deadLetterDestination.blobContainerName") == "events-dead"
    assert subscription.get("filter.subjectBeginsWith") == "/blobServices/default/containers/landing/"
    told = (ROOT / "docs" / "landing.md").read_text()
    for event in events.EVENTS:
        assert event.removeprefix("Microsoft.Storage.") in told
    assert {"landing-events", "landing-events-poison"} == {
        queue.get("queueName") for queue in stack.all("storage:Queue")
    }


def test_alerts_are_those_of_the_template_and_somebody_hears_them(stack: Made) -> None:
    declared = {rule.get("ruleName"): rule for rule in stack.all("monitor:ScheduledQueryRule")}
    every = [*monitoring.rules(), *monitoring.service_rules()]
    assert set(declared) == {rule["name"] for rule in every}
    group = stack.one("monitor:ActionGroup")
    assert [receiver["emailAddress"] for receiver in group.get("emailReceivers")] == list(stack.config.alerts)
    of_logs = {rule["name"] for rule in monitoring.service_rules()}
    for rule in every:
        (scope,) = declared[rule["name"]].get("scopes")
        assert (scope == stack.one("operationalinsights:Workspace").id) is (rule["name"] in of_logs)
        (condition,) = declared[rule["name"]].get("criteria.allOf")
        assert condition["query"] == rule["query"] and condition["threshold"] == float(rule["threshold"])
        assert declared[rule["name"]].get("actions.actionGroups") == [group.id]
    book = stack.one("applicationinsights:Workbook")
    assert json.loads(book.get("serializedData")) == json.loads((monitoring.MONITOR / "workbook.json").read_text())


def test_the_factory_is_that_of_the_template_with_the_names_of_the_stack(stack: Made) -> None:
    deployed = stack.one("resources:Deployment").get("properties")
    template = json.loads((ROOT / "infra" / "adf" / "arm" / "template.json").read_text())
    assert deployed["mode"] == "Incremental" and deployed["template"] == template
    given = {name: said["value"] for name, said in deployed["parameters"].items()}
    names = stack.config.names
    assert given["factoryName"] == names.of("adf") and set(given) <= set(template["parameters"])
    assert (given["lakeAccount"], given["vaultName"]) == (names.account, names.vault)
    assert set(given) >= {name for name, said in template["parameters"].items() if "defaultValue" not in said}


def test_what_a_deployment_and_the_documents_ask_of_a_stack_is_told(stack: Made) -> None:
    """Outputs that `infra/deploy.sh` reads and people are sent to, and the jobs that it starts."""
    script, told = (ROOT / "infra" / "deploy.sh").read_text(), (ROOT / "docs" / "deploy.md").read_text()
    asked = set(re.findall(r"\$\(output (\w+)\)", script)) | set(re.findall(r"BUNDLE_VAR_(\w+)", script))
    for names in re.findall(r"for name in ([\w ]+); do", script):
        asked |= set(names.split())
    for names in re.findall(r"outputs? ((?:`\w+`(?:, )?)+)", told):
        asked |= set(re.findall(r"`(\w+)`", names))
    assert len(asked) > 8 and asked - {"name"} <= set(stack.exports)
    jobs = {job.name for job in stack.all("app:Job")}
    started = re.search(r"^([a-z |]+)\) start \"\$step\"", script, re.MULTILINE)
    assert started and set(started[1].split(" | ")) == jobs - {"run"}


def test_everybody_is_called_what_the_file_of_rights_says(stack: Made) -> None:
    """`netflix-dagster verify access` knows an identity by its name, and that of another stack is a stranger."""
    from netflix_dagster.verify.access import DOORS, _pattern

    actual = {
        "builder": stack.exports["builder"],
        "orchestrator": stack.exports["orchestrator"],
        "databricks": stack.one("azuread.Application", "jobs").get("displayName"),
        "catalog": stack.one("databricks:AccessConnector", "connector").get("connectorName"),
        "jobs": stack.one("databricks:AccessConnector", "connector-jobs").get("connectorName"),
        "factory": stack.exports["data_factory"],
        "events": stack.one("eventgrid:SystemTopic").get("systemTopicName"),
        "synapse": stack.one("synapse:Workspace").get("workspaceName"),
    }
    access, group = rights.load(), stack.exports["resource_group"]
    assert set(actual) == set(access.services())
    others = [other.exports["resource_group"] for name in STACKS if (other := made(name)) is not stack]
    for principal, name in actual.items():
        assert fnmatchcase(name, _pattern(access, principal, group)), principal
        assert not any(fnmatchcase(name, _pattern(access, principal, other)) for other in others), principal
    doors = {group.replace("rg-netflix", f"dagster-netflix-{door}", 1) for door in DOORS}
    assert doors <= {app.get("displayName") for app in stack.all("azuread.Application")}


def test_money_is_watched(stack: Made) -> None:
    budget = stack.one("consumption:Budget")
    assert budget.get("amount") == stack.config.budget
    levels = {(said["thresholdType"], said["threshold"]) for said in budget.get("notifications").values()}
    assert ("Forecasted", 100) in levels and ("Actual", 100) in levels
    assert all(said["contactEmails"] for said in budget.get("notifications").values())


@pytest.mark.parametrize("region", SHORT_REGIONS)
@pytest.mark.parametrize("name", STACKS)
def test_names_fit_into_what_azure_allows(name: str, region: str) -> None:
    """Azure.Storage.Name, Azure.KeyVault.Name, Azure.ACR.Name, Azure.ContainerApp.Name, and so on."""
    names = Names("abcde", name, region)
    assert re.fullmatch(r"[a-z0-9]{3,24}", names.account)
    assert re.fullmatch(r"[a-zA-Z](-?[a-zA-Z0-9])+", names.vault) and len(names.vault) <= 24
    assert re.fullmatch(r"[a-zA-Z0-9]{5,50}", names.registry)
    assert re.fullmatch(r"[a-z0-9](-?[a-z0-9])+", names.database) and len(names.database) <= 63
    assert re.fullmatch(r"[a-z0-9](-?[a-z0-9])+", names.synapse) and len(names.synapse) <= 50
    for what in ("code", "daemon", "webserver", "viewer"):
        assert re.fullmatch(r"[a-z](-?[a-z0-9])+", names.of("ca", what)) and len(names.of("ca", what)) <= 32


def test_production_is_not_deleted_in_passing() -> None:
    assert made("prod").one("authorization:ManagementLockByScope").get("level") == "CanNotDelete"
    assert made("dev").all("authorization:ManagementLockByScope") == []


def test_the_first_deployment_makes_no_app_for_the_registry_is_empty() -> None:
    first = made("dev", images=None)
    assert first.all("app:ContainerApp") == [] and first.all("containerregistry:Registry")


@pytest.mark.parametrize("name", STACKS)
def test_the_file_of_a_stack_is_possible(name: str) -> None:
    assert from_file(name).stack == name
    assert {path.suffixes[0].strip(".") for path in HERE.glob("Pulumi.*.yaml")} == set(STACKS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"org": "a name that is too long"}, "org"),
        ({"location": "mars"}, "no region"),
        ({"colour": "red"}, "Extra inputs"),
        ({"private": False}, "prod is private"),
        ({"budget": 0}, "greater than 0"),
        ({"budget_from": "2027-01-02"}, "first day of a month"),
        ({"images": {**IMAGES, "code": "netflix-code:latest"}}, "images.code"),
        ({"alerts": []}, "alerts"),
        ({"developers": ["jane"]}, "in dev only"),
    ],
)
def test_a_stack_that_is_not_possible_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        from_file("prod", **change)


def test_what_the_first_words_of_a_deployment_read_is_the_same_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulumi hands a stack's file on as text: each value comes out as it stands there."""
    import pulumi

    from infra.azure.config import NAMESPACE, from_pulumi

    said = yaml.safe_load((HERE / "Pulumi.prod.yaml").read_text())["config"]
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    monkeypatch.setattr(pulumi, "Config", lambda: _Given(texts, NAMESPACE))
    assert from_pulumi() == from_file("prod")
    assert isinstance(from_pulumi(), Config)


class _Given:
    def __init__(self, texts: Mapping[str, str], namespace: str) -> None:
        self.texts, self.namespace = texts, namespace

    def get(self, name: str) -> str | None:
        return self.texts.get(f"{self.namespace}:{name}")


def test_the_program_that_pulumi_runs_declares_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """``__main__.py`` itself, as Pulumi starts it: in its folder, without this repository on the path."""
    import pulumi

    from infra.azure import config
    from netflix_dagster_tests.infra.azure import mocked

    exported: dict[str, Any] = {}
    monkeypatch.setattr(config, "from_pulumi", lambda: from_file("dev"))
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    whole = Made(from_file("dev"))
    mocked(whole, lambda: runpy.run_path(str(HERE / "__main__.py"), run_name="__main__"))
    assert {r.id for r in whole.resources} == {r.id for r in made("dev", images=None).resources}
    assert set(exported) == set(made("dev").exports)
    place = yaml.safe_load((HERE / "Pulumi.yaml").read_text())["runtime"]["options"]["virtualenv"]
    assert (HERE / place).resolve() == ROOT.resolve() / ".venv", "where `make infra-check` installs the providers"


def test_what_a_stack_costs_is_in_the_docs() -> None:
    """The table of ``docs/deploy.md`` is what prices and declared resources give; a stack stays within its budget."""
    from infra.costs import costs, table

    sums = {name: costs((one.kind, one.inputs) for one in made(name).resources) for name in STACKS}
    assert table(sums) in (ROOT / "docs" / "deploy.md").read_text(), "\n" + table(sums)
    for name in STACKS:
        assert 0 < sum(sums[name].values()) <= made(name).config.budget
    assert sums["prod"]["PostgreSQL"] > 2 * sums["dev"]["PostgreSQL"] and sums["dev"]["private endpoints"] == 0
