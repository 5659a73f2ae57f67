"""Key Vault: where secrets lie. Its rights are roles; what is deleted can be brought back and not be purged early."""

from __future__ import annotations

from pulumi_azure_native import keyvault

from infra.azure.base import Base
from infra.azure.network import Network


def vault(base: Base, network: Network | None) -> keyvault.Vault:
    """Make the vault. No secret is put into it here: docs/deploy.md says which are, and by whom."""
    made = keyvault.Vault(
        "vault",
        resource_group_name=base.group.name,
        vault_name=base.names.vault,
        location=base.location,
        properties=keyvault.VaultPropertiesArgs(
            tenant_id=base.tenant,
            sku=keyvault.SkuArgs(
                family="A", name=keyvault.SkuName.PREMIUM if base.config.careful else keyvault.SkuName.STANDARD
            ),
            enable_rbac_authorization=True,
            enable_soft_delete=True,
            soft_delete_retention_in_days=90,
            enable_purge_protection=True,
            enabled_for_deployment=False,
            enabled_for_disk_encryption=False,
            enabled_for_template_deployment=False,
            public_network_access=base.public,
            network_acls=keyvault.NetworkRuleSetArgs(
                default_action="Deny" if network else "Allow", bypass="AzureServices"
            ),
        ),
        tags=base.tags,
    )
    base.diagnose("vault", made.id)
    if network:
        network.endpoint("vault", made.id, "vault")
    return made


def storage_key(base: Base, into: keyvault.Vault) -> keyvault.Key:
    """The key that storage is encrypted with, when it is the customer's: it renews itself before it expires."""
    return keyvault.Key(
        "storage-key",
        resource_group_name=base.group.name,
        vault_name=into.name,
        key_name="storage",
        properties=keyvault.KeyPropertiesArgs(
            kty="RSA-HSM" if base.config.careful else "RSA",
            key_size=3072,
            key_ops=["wrapKey", "unwrapKey"],
            rotation_policy=keyvault.RotationPolicyArgs(
                attributes=keyvault.KeyRotationPolicyAttributesArgs(expiry_time="P1Y"),
                lifetime_actions=[
                    keyvault.LifetimeActionArgs(
                        action=keyvault.ActionArgs(type=keyvault.KeyRotationPolicyActionType.ROTATE),
                        trigger=keyvault.TriggerArgs(time_before_expiry="P30D"),
                    )
                ],
            ),
        ),
        tags=base.tags,
    )
