"""Dagster in Container Apps: code location, daemon, two webservers, one of which can only be looked at, and a job of
which every run is an execution."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_azuread as entra
from pulumi_azure_native import app, applicationinsights, authorization, containerregistry, managedidentity, storage
from pulumi_azure_native import dbforpostgresql as postgres

from infra.azure.base import Base
from infra.azure.config import Images
from infra.azure.database import DATABASE
from infra.azure.network import Network
from infra.azure.roles import role_id

CODE_PORT, WEB_PORT = 4000, 3000
LOGIN_SECRET = "override-use-mi-fic-assertion-client-id"
"""By this name Container Apps knows that the login trusts a managed identity instead of a password. It holds the
client id of that identity, which is no secret."""
ANYBODY = "00000000-0000-0000-0000-000000000000"
"""The role that applications have which declare none: whoever is assigned may log in."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the containers talk to."""

    images: Images
    registry: containerregistry.Registry
    account: storage.StorageAccount
    vault_name: pulumi.Input[str]
    database: postgres.Server
    insights: applicationinsights.Component
    builder: managedidentity.UserAssignedIdentity
    orchestrator: managedidentity.UserAssignedIdentity


def registry(base: Base, network: Network | None) -> containerregistry.Registry:
    """Where images lie. No admin user, nobody pulls without a name."""
    premium = network is not None
    made = containerregistry.Registry(
        "registry",
        resource_group_name=base.group.name,
        registry_name=base.names.registry,
        location=base.location,
        sku=containerregistry.SkuArgs(name="Premium" if premium else "Standard"),
        admin_user_enabled=False,
        anonymous_pull_enabled=False,
        public_network_access=base.public,
        network_rule_bypass_options="AzureServices",
        zone_redundancy="Enabled" if base.config.careful else "Disabled",
        policies=containerregistry.PoliciesArgs(
            retention_policy=containerregistry.RetentionPolicyArgs(days=30, status="enabled")
        )
        if premium
        else None,
        tags=base.tags,
    )
    base.diagnose("registry", made.id)
    if network:
        network.endpoint("registry", made.id, "registry")
    return made


def environment(base: Base, network: Network | None) -> app.ManagedEnvironment:
    """Where the containers run; what they print goes to the workspace by a diagnostic setting, not by its key."""
    made = app.ManagedEnvironment(
        "apps",
        resource_group_name=base.group.name,
        environment_name=base.names.of("cae"),
        location=base.location,
        workload_profiles=[app.WorkloadProfileArgs(name="Consumption", workload_profile_type="Consumption")],
        app_logs_configuration=app.AppLogsConfigurationArgs(destination="azure-monitor"),
        peer_traffic_configuration=app.ManagedEnvironmentPeerTrafficConfigurationArgs(
            encryption=app.ManagedEnvironmentEncryptionArgs(enabled=True)
        ),
        public_network_access=base.public,
        zone_redundant=base.config.careful,
        vnet_configuration=app.VnetConfigurationArgs(infrastructure_subnet_id=network.subnets["apps"], internal=True)
        if network
        else None,
        tags=base.tags,
    )
    base.diagnose("apps", made.id)
    return made


def dagster(
    base: Base,
    on: app.ManagedEnvironment,
    services: Services,
    logins: dict[str, dict[str, pulumi.Output[str]]],
    rights: list[pulumi.Resource],
) -> dict[str, app.ContainerApp]:
    """The four apps, the job that runs are executions of, and the jobs that a deployment starts.

    ``logins`` are the groups (name to object id) that may open the webserver (``launch``) and the viewer (``view``).
    """
    house = _House(base, on, services, rights)
    code = house.container(
        "code",
        services.images.code,
        services.builder,
        ["dagster", "code-server", "start", "-h", "0.0.0.0", "-p", str(CODE_PORT), "-m", "netflix_dagster.definitions"],
        cpu=1.0,  # it loads definitions and looks at landing; what builds is a run, in a container of its own
        memory="2Gi",
        ingress=app.IngressArgs(
            external=False, transport="tcp", target_port=CODE_PORT, exposed_port=CODE_PORT, allow_insecure=False
        ),
        probes=_tcp(CODE_PORT),
    )
    apps = {"code": code}
    apps["daemon"] = house.container(
        "daemon",
        services.images.dagster,
        services.orchestrator,
        ["dagster-daemon", "run", "-w", "workspace.yaml"],
        ingress=None,
        # The daemon answers no port; what it does is told by `dagster-daemon liveness-check` inside of the image.
        probes=[],
        after=[code],
    )
    web = ["dagster-webserver", "-h", "0.0.0.0", "-p", str(WEB_PORT), "-w", "workspace.yaml"]
    for name, right, command in (("webserver", "launch", web), ("viewer", "view", [*web, "--read-only"])):
        apps[name] = house.container(
            name,
            services.images.dagster,
            services.orchestrator,
            command,
            ingress=app.IngressArgs(external=True, transport="http", target_port=WEB_PORT, allow_insecure=False),
            probes=_http(WEB_PORT, "/server_info"),
            after=[code],
        )
        house.login(name, apps[name], logins[right])
    house.deployment()
    run = house.job(
        "run",
        services.images.code,
        services.builder,
        ["dagster", "api", "--help"],  # what runs is said by whoever starts an execution: container_runs.py
        seconds=14400,
        cpu=2.0,
        memory="4Gi",
    )
    authorization.RoleAssignment(
        "orchestrator-run",
        principal_id=services.orchestrator.principal_id,
        principal_type="ServicePrincipal",
        role_definition_id=role_id(base.subscription, "Container Apps Jobs Operator"),
        scope=run.id,
        description="Starts a container for each run, sees whether it is alive, and stops it",
    )
    return apps


class _House:
    """What all containers have in common."""

    def __init__(
        self, base: Base, on: app.ManagedEnvironment, services: Services, rights: list[pulumi.Resource]
    ) -> None:
        self.base, self.on, self.services, self.rights = base, on, services, rights

    def container(
        self,
        name: str,
        image: str,
        identity: managedidentity.UserAssignedIdentity,
        command: list[str],
        ingress: app.IngressArgs | None,
        probes: list[app.ContainerAppProbeArgs],
        cpu: float = 0.5,
        memory: str = "1Gi",
        after: list[pulumi.Resource] | None = None,
    ) -> app.ContainerApp:
        """One container, always exactly one: two daemons or two code servers would do everything twice."""
        return app.ContainerApp(
            name,
            resource_group_name=self.base.group.name,
            container_app_name=self.base.names.of("ca", name),
            location=self.base.location,
            managed_environment_id=self.on.id,
            workload_profile_name="Consumption",
            identity=_as(identity),
            configuration=app.ConfigurationArgs(
                active_revisions_mode="Single",
                ingress=ingress,
                registries=self._registries(identity),
                secrets=[app.SecretArgs(name=LOGIN_SECRET, value=identity.client_id)],
            ),
            template=app.TemplateArgs(
                containers=[
                    app.ContainerArgs(
                        name=name,
                        image=pulumi.Output.concat(self.services.registry.login_server, "/", image),
                        args=command,
                        env=self._environment(identity),
                        resources=app.ContainerResourcesArgs(cpu=cpu, memory=memory),
                        probes=probes,
                    )
                ],
                scale=app.ScaleArgs(min_replicas=1, max_replicas=1),
                termination_grace_period_seconds=30,
            ),
            tags=self.base.tags,
            opts=pulumi.ResourceOptions(depends_on=[*self.rights, *(after or [])]),
        )

    def deployment(self) -> None:
        """What a deployment starts in here, because only these identities may, and a private stack answers nobody
        outside: Dagster's tables, Synapse's views, and the question whether all works."""
        services = self.services
        migrate = ["dagster", "instance", "migrate"]
        self.job("migrate", services.images.dagster, services.orchestrator, migrate, seconds=1800, retries=1)
        apply = ["netflix-dagster", "synapse", "apply"]
        self.job("synapse", services.images.code, services.builder, apply, seconds=1800, memory="2Gi", cpu=1.0)
        verify = ["netflix-dagster", "verify", "platform", "--yes", "--to", "/tmp/verify"]
        self.job("verify", services.images.code, services.builder, verify, seconds=3600, memory="4Gi", cpu=2.0)

    def job(
        self,
        name: str,
        image: str,
        identity: managedidentity.UserAssignedIdentity,
        command: list[str],
        seconds: int,
        retries: int = 0,
        cpu: float = 0.5,
        memory: str = "1Gi",
    ) -> app.Job:
        """What runs when it is started, once, for at most some seconds."""
        return app.Job(
            name,
            resource_group_name=self.base.group.name,
            job_name=self.base.names.of("caj", name),
            location=self.base.location,
            environment_id=self.on.id,
            workload_profile_name="Consumption",
            identity=_as(identity),
            configuration=app.JobConfigurationArgs(
                trigger_type="Manual",
                manual_trigger_config=app.JobConfigurationManualTriggerConfigArgs(
                    parallelism=1, replica_completion_count=1
                ),
                replica_timeout=seconds,
                replica_retry_limit=retries,
                registries=self._registries(identity),
            ),
            template=app.JobTemplateArgs(
                containers=[
                    app.ContainerArgs(
                        name=name,
                        image=pulumi.Output.concat(self.services.registry.login_server, "/", image),
                        args=command,
                        env=self._environment(identity),
                        resources=app.ContainerResourcesArgs(cpu=cpu, memory=memory),
                    )
                ]
            ),
            tags=self.base.tags,
            opts=pulumi.ResourceOptions(depends_on=self.rights),
        )

    def login(self, name: str, of: app.ContainerApp, groups: dict[str, pulumi.Output[str]]) -> None:
        """Let only these groups in: Entra refuses others a token, and the app refuses the token of others."""
        address = pulumi.Output.concat("https://", self.base.names.of("ca", name), ".", self.on.default_domain)
        application = entra.Application(
            f"{name}-login",
            display_name=self.base.names.of("dagster", name),
            sign_in_audience="AzureADMyOrg",
            group_membership_claims=["SecurityGroup"],
            web=entra.ApplicationWebArgs(
                homepage_url=address,
                redirect_uris=[address.apply(lambda url: f"{url}/.auth/login/aad/callback")],
                implicit_grant=entra.ApplicationWebImplicitGrantArgs(
                    access_token_issuance_enabled=False, id_token_issuance_enabled=True
                ),
            ),
        )
        principal = entra.ServicePrincipal(
            f"{name}-login", client_id=application.client_id, app_role_assignment_required=True
        )
        issuer = pulumi.Output.concat("https://login.microsoftonline.com/", self.base.tenant, "/v2.0")
        entra.ApplicationFederatedIdentityCredential(
            f"{name}-login",
            application_id=application.id,
            display_name="container-app",
            audiences=["api://AzureADTokenExchange"],
            issuer=issuer,
            subject=self.services.orchestrator.principal_id,
        )
        for group, object_id in groups.items():
            entra.AppRoleAssignment(
                f"{name}-{group}",
                app_role_id=ANYBODY,
                principal_object_id=object_id,
                resource_object_id=principal.object_id,
            )
        app.ContainerAppsAuthConfig(
            f"{name}-login",
            resource_group_name=self.base.group.name,
            container_app_name=of.name,
            auth_config_name="current",
            platform=app.AuthPlatformArgs(enabled=True),
            http_settings=app.HttpSettingsArgs(require_https=True),
            global_validation=app.GlobalValidationArgs(
                unauthenticated_client_action=app.UnauthenticatedClientActionV2.REDIRECT_TO_LOGIN_PAGE,
                redirect_to_provider="azureactivedirectory",
            ),
            identity_providers=app.IdentityProvidersArgs(
                azure_active_directory=app.AzureActiveDirectoryArgs(
                    enabled=True,
                    registration=app.AzureActiveDirectoryRegistrationArgs(
                        client_id=application.client_id,
                        client_secret_setting_name=LOGIN_SECRET,
                        open_id_issuer=issuer,
                    ),
                    validation=app.AzureActiveDirectoryValidationArgs(
                        default_authorization_policy=app.DefaultAuthorizationPolicyArgs(
                            allowed_principals=app.AllowedPrincipalsArgs(groups=list(groups.values()))
                        )
                    ),
                )
            ),
        )

    def _registries(self, identity: managedidentity.UserAssignedIdentity) -> list[app.RegistryCredentialsArgs]:
        return [app.RegistryCredentialsArgs(server=self.services.registry.login_server, identity=identity.id)]

    def _environment(self, identity: managedidentity.UserAssignedIdentity) -> list[app.EnvironmentVarArgs]:
        services = self.services
        said: dict[str, pulumi.Input[str]] = {
            "NETFLIX_ENV": "azure",
            "NETFLIX_ACCOUNT": services.account.name,
            "NETFLIX_TENANT": self.base.tenant,
            "NETFLIX_VAULT": services.vault_name,
            "NETFLIX_LANDING_EVENTS": "landing-events",
            "NETFLIX_SYNAPSE": self.base.names.synapse_endpoint,
            "AZURE_CLIENT_ID": identity.client_id,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "APPLICATIONINSIGHTS_CONNECTION_STRING": services.insights.connection_string,
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": pulumi.Output.concat(
                "Authorization=AAD;ClientId=", identity.client_id
            ),
            "DAGSTER_PG_HOST": services.database.fully_qualified_domain_name,
            "DAGSTER_PG_DB": DATABASE,
            "DAGSTER_PG_USER": identity.name,
            "DAGSTER_INSTANCE": "azure",
            "DAGSTER_RUNS": "8",
            "AZURE_SUBSCRIPTION_ID": self.base.subscription,
            "AZURE_RESOURCE_GROUP": self.base.group.name,
            "DAGSTER_RUN_JOB": self.base.names.of("caj", "run"),
            "NETFLIX_CODE_HOST": self.base.names.of("ca", "code"),
            "NETFLIX_CODE_PORT": str(CODE_PORT),
        }
        if self.base.config.powerbi_workspace:
            said["NETFLIX_POWERBI_WORKSPACE"] = self.base.config.powerbi_workspace
        return [app.EnvironmentVarArgs(name=name, value=value) for name, value in said.items()]


def _as(identity: managedidentity.UserAssignedIdentity) -> app.ManagedServiceIdentityArgs:
    return app.ManagedServiceIdentityArgs(type="UserAssigned", user_assigned_identities=[identity.id])


def _http(port: int, path: str) -> list[app.ContainerAppProbeArgs]:
    asked = app.ContainerAppProbeHttpGetArgs(port=port, path=path, scheme="HTTP")
    return [
        app.ContainerAppProbeArgs(type="Startup", http_get=asked, period_seconds=5, failure_threshold=10),
        app.ContainerAppProbeArgs(type="Liveness", http_get=asked, period_seconds=30, failure_threshold=3),
        app.ContainerAppProbeArgs(type="Readiness", http_get=asked, period_seconds=10, failure_threshold=3),
    ]


def _tcp(port: int) -> list[app.ContainerAppProbeArgs]:
    asked = app.ContainerAppProbeTcpSocketArgs(port=port)
    return [
        app.ContainerAppProbeArgs(type="Startup", tcp_socket=asked, period_seconds=5, failure_threshold=10),
        app.ContainerAppProbeArgs(type="Liveness", tcp_socket=asked, period_seconds=30, failure_threshold=3),
        app.ContainerAppProbeArgs(type="Readiness", tcp_socket=asked, period_seconds=10, failure_threshold=3),
    ]
