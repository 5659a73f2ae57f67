"""The private network of a stack, when it has one: subnets, and private endpoints with the names that lead to them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import network, privatedns

from infra.azure.base import Base

ZONES = {
    "blob": "privatelink.blob.core.windows.net",
    "dfs": "privatelink.dfs.core.windows.net",
    "queue": "privatelink.queue.core.windows.net",
    "vault": "privatelink.vaultcore.azure.net",
    "registry": "privatelink.azurecr.io",
    "postgresqlServer": "privatelink.postgres.database.azure.com",
    "SqlOnDemand": "privatelink.sql.azuresynapse.net",
}
"""What Azure calls a part of a service, and the zone of names in which its private address is looked up."""
SUBNETS = {
    "apps": ("10.20.0.0/23", "Microsoft.App/environments"),
    "endpoints": ("10.20.2.0/24", None),
    "databricks-public": ("10.20.4.0/24", "Microsoft.Databricks/workspaces"),
    "databricks-private": ("10.20.5.0/24", "Microsoft.Databricks/workspaces"),
}
"""Address range and to which service the subnet is given. The one called public has no public address either: that is
the name of the subnet of the machines themselves, the other is that of their containers."""


@dataclass(frozen=True, slots=True)
class Network:
    """A virtual network whose subnets are known by what they are for."""

    base: Base
    net: network.VirtualNetwork
    subnets: dict[str, pulumi.Output[str]]
    zones: dict[str, privatedns.PrivateZone] = field(default_factory=dict)

    def endpoint(self, name: str, service: pulumi.Input[str], part: str) -> None:
        """Give a part of a service an address in this network, and its name that address."""
        group = self.base.group.name
        made = network.PrivateEndpoint(
            f"{name}-{part}",
            resource_group_name=group,
            private_endpoint_name=self.base.names.of("pep", f"{name}-{part.lower()}"),
            location=self.base.location,
            subnet=network.SubnetArgs(id=self.subnets["endpoints"]),
            private_link_service_connections=[
                network.PrivateLinkServiceConnectionArgs(name=name, private_link_service_id=service, group_ids=[part])
            ],
            tags=self.base.tags,
        )
        network.PrivateDnsZoneGroup(
            f"{name}-{part}",
            resource_group_name=group,
            private_endpoint_name=made.name,
            private_dns_zone_group_name="default",
            private_dns_zone_configs=[
                network.PrivateDnsZoneConfigArgs(name=part, private_dns_zone_id=self.zones[part].id)
            ],
        )


def private_network(base: Base) -> Network:
    """Make the network with a firewall of its own for each subnet, and the zones of names."""
    walls = {
        name: network.NetworkSecurityGroup(
            f"{name}-wall",
            resource_group_name=base.group.name,
            network_security_group_name=base.names.of("nsg", name),
            location=base.location,
            tags=base.tags,
        )
        for name in SUBNETS
    }
    for name, wall in walls.items():
        base.diagnose(f"{name}-wall", wall.id, metrics=False)
    net = network.VirtualNetwork(
        "network",
        resource_group_name=base.group.name,
        location=base.location,
        virtual_network_name=base.names.of("vnet"),
        address_space=network.AddressSpaceArgs(address_prefixes=["10.20.0.0/16"]),
        subnets=[
            network.SubnetArgs(
                name=f"snet-{name}",
                address_prefix=prefix,
                network_security_group=network.NetworkSecurityGroupArgs(id=walls[name].id),
                private_endpoint_network_policies="Enabled",
                delegations=[network.DelegationArgs(name=name, service_name=service)] if service else [],
            )
            for name, (prefix, service) in SUBNETS.items()
        ],
        tags=base.tags,
    )
    base.diagnose("network", net.id)
    zones = {}
    for part, zone in ZONES.items():
        zones[part] = privatedns.PrivateZone(
            f"zone-{part}",
            resource_group_name=base.group.name,
            private_zone_name=zone,
            location="global",
            tags=base.tags,
        )
        privatedns.VirtualNetworkLink(
            f"zone-{part}",
            resource_group_name=base.group.name,
            private_zone_name=zones[part].name,
            virtual_network_link_name=base.names.of("link", part.lower()),
            virtual_network=privatedns.SubResourceArgs(id=net.id),
            registration_enabled=False,
            location="global",
            tags=base.tags,
        )
    subnets = {name: pulumi.Output.concat(net.id, f"/subnets/snet-{name}") for name in SUBNETS}
    return Network(base, net, subnets, zones)
