"""The storage account of the lake: a container for each zone, and the queues that tell of files in landing."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, keyvault, managedidentity, storage

from infra.azure.base import Base
from infra.azure.network import Network
from infra.azure.roles import role_id
from infra.azure.synapse import workspace_id
from netflix_dagster.azure.rights import QUEUES, ZONES

TIERED = {"landing/": 90}
"""Files that are read once: after so many days they lie where keeping is cheap and reading is not."""
EXPIRES = {"checkpoints/dagster/": 90, "events-dead/": 30}
"""What nobody misses after so many days: what steps printed, and events that could not be delivered."""


@dataclass(frozen=True, slots=True)
class Lake:
    """The account and what is in it."""

    account: storage.StorageAccount
    containers: dict[str, storage.BlobContainer]
    queues: dict[str, storage.Queue]


def lake(base: Base, network: Network | None, vault: keyvault.Vault, key: keyvault.Key | None) -> Lake:
    """Make the account: no anonymous reader, no shared key, TLS 1.2, encrypted twice, deleted files come back."""
    group = base.group.name
    identity, encryption, after = _encryption(base, vault, key)
    account = storage.StorageAccount(
        "lake",
        resource_group_name=group,
        account_name=base.names.account,
        location=base.location,
        kind="StorageV2",
        sku=storage.SkuArgs(name="Standard_GZRS" if base.config.careful else "Standard_ZRS"),
        access_tier=storage.AccessTier.HOT,
        is_hns_enabled=True,
        allow_blob_public_access=False,
        allow_shared_key_access=False,
        allow_cross_tenant_replication=False,
        allowed_copy_scope="AAD",
        default_to_o_auth_authentication=True,
        enable_https_traffic_only=True,
        is_local_user_enabled=False,
        is_sftp_enabled=False,
        minimum_tls_version="TLS1_2",
        public_network_access=base.public,
        network_rule_set=storage.NetworkRuleSetArgs(
            default_action=storage.DefaultAction.DENY if network else storage.DefaultAction.ALLOW,
            bypass="AzureServices",
            # The serverless pool has no address of its own: the firewall knows it by its workspace.
            resource_access_rules=[
                storage.ResourceAccessRuleArgs(tenant_id=base.tenant, resource_id=workspace_id(base))
            ]
            if network
            else None,
        ),
        identity=identity,
        encryption=encryption,
        tags=base.tags,
        opts=pulumi.ResourceOptions(protect=base.config.careful, depends_on=after),
    )
    storage.BlobServiceProperties(
        "lake-blobs",
        resource_group_name=group,
        account_name=account.name,
        blob_services_name="default",
        delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=base.config.keep_days),
        container_delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=base.config.keep_days),
    )
    _lifecycle(base, account)
    containers = {
        zone: storage.BlobContainer(
            f"zone-{zone}",
            resource_group_name=group,
            account_name=account.name,
            container_name=zone,
            public_access=storage.PublicAccess.NONE,
            opts=pulumi.ResourceOptions(protect=base.config.careful),
        )
        for zone in ZONES
    }
    queues = {
        name: storage.Queue(f"queue-{name}", resource_group_name=group, account_name=account.name, queue_name=name)
        for name in QUEUES
    }
    base.diagnose("lake", account.id, logs=())
    for service in ("blobServices", "queueServices"):
        base.diagnose(f"lake-{service}", pulumi.Output.concat(account.id, f"/{service}/default"))
    if network:
        for part in ("blob", "dfs", "queue"):
            network.endpoint("lake", account.id, part)
    return Lake(account, containers, queues)


def _encryption(
    base: Base, vault: keyvault.Vault, key: keyvault.Key | None
) -> tuple[storage.IdentityArgs | None, storage.EncryptionArgs, list[pulumi.Resource]]:
    """With whose key the account is encrypted, and as whom it reads the customer's."""
    services = storage.EncryptionServicesArgs(
        blob=storage.EncryptionServiceArgs(enabled=True, key_type="Account"),
        queue=storage.EncryptionServiceArgs(enabled=True, key_type="Account"),
    )
    if key is None:
        encryption = storage.EncryptionArgs(
            key_source="Microsoft.Storage", require_infrastructure_encryption=True, services=services
        )
        return None, encryption, []
    reader = managedidentity.UserAssignedIdentity(
        "identity-encryption",
        resource_group_name=base.group.name,
        resource_name_=base.names.of("id", "encryption"),
        location=base.location,
        tags=base.tags,
    )
    may = authorization.RoleAssignment(
        "encryption-key",
        principal_id=reader.principal_id,
        principal_type="ServicePrincipal",
        role_definition_id=role_id(base.subscription, "Key Vault Crypto Service Encryption User"),
        scope=vault.id,
        description="The storage account wraps its keys with the customer's",
    )
    encryption = storage.EncryptionArgs(
        key_source="Microsoft.Keyvault",
        require_infrastructure_encryption=True,
        services=services,
        encryption_identity=storage.EncryptionIdentityArgs(encryption_user_assigned_identity=reader.id),
        # Without a version: a renewed key is taken up by itself.
        key_vault_properties=storage.KeyVaultPropertiesArgs(
            key_name=key.name, key_vault_uri=vault.properties.vault_uri
        ),
    )
    identity = storage.IdentityArgs(type="UserAssigned", user_assigned_identities=[reader.id])
    return identity, encryption, [may]


def _lifecycle(base: Base, account: storage.StorageAccount) -> None:
    def rule(prefix: str, action: storage.ManagementPolicyBaseBlobArgs, verb: str) -> storage.ManagementPolicyRuleArgs:
        return storage.ManagementPolicyRuleArgs(
            name=f"{verb}-{prefix.strip('/').replace('/', '-')}",
            type="Lifecycle",
            enabled=True,
            definition=storage.ManagementPolicyDefinitionArgs(
                actions=storage.ManagementPolicyActionArgs(base_blob=action),
                filters=storage.ManagementPolicyFilterArgs(blob_types=["blockBlob"], prefix_match=[prefix]),
            ),
        )

    def after(days: int) -> storage.DateAfterModificationArgs:
        return storage.DateAfterModificationArgs(days_after_modification_greater_than=days)

    storage.ManagementPolicy(
        "lake-lifecycle",
        resource_group_name=base.group.name,
        account_name=account.name,
        management_policy_name="default",
        policy=storage.ManagementPolicySchemaArgs(
            rules=[
                *(
                    rule(prefix, storage.ManagementPolicyBaseBlobArgs(tier_to_cool=after(days)), "cool")
                    for prefix, days in TIERED.items()
                ),
                *(
                    rule(prefix, storage.ManagementPolicyBaseBlobArgs(delete=after(days)), "expire")
                    for prefix, days in EXPIRES.items()
                ),
            ]
        ),
    )
