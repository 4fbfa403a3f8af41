"""The authorization table: it applies to every route before anything else of the request is read.

A rule maps an operation (its operation_id) to a kind of resource, a verb, and the roles that may do it. Scopes of
tokens use the same words: `instances:create`. A route without a rule is rejected, and keeps the API from starting.

Services have checks of their own only where a rule is finer than this table: for lowering a policy, or making a user an
owner.
"""

from collections.abc import Mapping

from controlplane.identity.authorization_rule import Rule, rules_of, usual_rules
from controlplane.identity.authorization_rules_of_accounts import IDENTITY, QUOTAS, SIGN_IN
from controlplane.identity.authorization_rules_of_policies import SOVEREIGNTY
from controlplane.identity.authorization_terms import (
    ACT,
    CREATE,
    DELETE,
    INSIDERS,
    MEMBERS,
    METADATA,
    NODES,
    OPERATE,
    OPERATORS,
    PUBLIC,
    READ,
    SIGNED_IN,
    UPDATE,
    WATCHERS,
)
from controlplane.identity.errors import NobodyMay

PLATFORMS = {
    **rules_of("health", {"health_get": (READ, PUBLIC)}),
    **rules_of("openapi", {"openapi_get": (READ, PUBLIC)}),
    **rules_of("problems", {"problem_get": (READ, PUBLIC)}),
    **rules_of("me", {"me_get": (READ, SIGNED_IN)}),
    **rules_of("regions", {"region_list": (READ, SIGNED_IN)}),
    **rules_of("zones", {"zone_list": (READ, SIGNED_IN), "zone_get": (READ, SIGNED_IN)}),
    **rules_of("capacity", {"zone_capacity_get": (READ, SIGNED_IN)}),
    **rules_of("flavors", {"flavor_list": (READ, SIGNED_IN)}),
    **rules_of(
        "volume-types",
        {
            "volume_type_list": (READ, SIGNED_IN),
            "volume_type_get": (READ, SIGNED_IN),
            "volume_type_create": (OPERATE, OPERATORS),
            "volume_type_update": (OPERATE, OPERATORS),
            "volume_type_delete": (OPERATE, OPERATORS),
        },
    ),
    **rules_of("parties", {"party_list": (READ, SIGNED_IN), "party_get": (READ, SIGNED_IN)}),
    **rules_of("sets", {"set_list": (READ, SIGNED_IN)}),
    **rules_of("facts", {"fact_list": (READ, SIGNED_IN), "fact_state": (OPERATE, OPERATORS)}),
    **rules_of(
        "officer-keys",
        {
            "officer_key_list": (READ, SIGNED_IN),
            "officer_key_create": (OPERATE, OPERATORS),
            "officer_key_revoke": (OPERATE, OPERATORS),
        },
    ),
    **rules_of("catalogue", {"catalogue_get": (READ, SIGNED_IN)}),
    **rules_of("transparency", {"jurisdiction_list": (READ, SIGNED_IN), "transfer_list": (READ, SIGNED_IN)}),
    **rules_of(
        "nodes",
        {
            "node_list": (READ, NODES),
            "node_get": (READ, NODES),
            "node_incident_list": (READ, NODES),
            "node_metrics": (READ, NODES),
            "node_instance_list": (READ, NODES),
            "node_cordon": (OPERATE, OPERATORS),
            "node_uncordon": (OPERATE, OPERATORS),
            "node_recover_plan": (READ, OPERATORS),
            "node_recover_begin": (OPERATE, OPERATORS),
            "node_drain_plan": (READ, OPERATORS),
            "node_drain_begin": (OPERATE, OPERATORS),
            "node_drain_get": (READ, NODES),
            "node_drain_pause": (OPERATE, OPERATORS),
            "node_drain_resume": (OPERATE, OPERATORS),
            "node_drain_cancel": (OPERATE, OPERATORS),
            "node_drain_retry": (OPERATE, OPERATORS),
            "drain_list": (READ, NODES),
            "node_maintain": (OPERATE, OPERATORS),
            "node_return": (OPERATE, OPERATORS),
            "node_fencing_get": (READ, NODES),
            "node_fence": (OPERATE, OPERATORS),
            "node_bmc_get": (READ, OPERATORS),
            "node_bmc_set": (OPERATE, OPERATORS),
            "node_bmc_delete": (OPERATE, OPERATORS),
            "node_retire": (OPERATE, OPERATORS),
        },
    ),
    **rules_of(
        "announcers",
        {
            "announcer_list": (READ, NODES),
            "announcer_get": (READ, NODES),
            "announcer_incident_list": (READ, NODES),
            "announcer_create": (OPERATE, OPERATORS),
            "announcer_delete": (OPERATE, OPERATORS),
        },
    ),
    **rules_of("incidents", {"incident_list": (READ, NODES)}),
    **rules_of(
        "storage-clusters",
        {
            "storage_cluster_list": (READ, NODES),
            "storage_cluster_get": (READ, NODES),
            "storage_cluster_incident_list": (READ, NODES),
            "storage_cluster_create": (OPERATE, OPERATORS),
            "storage_cluster_delete": (OPERATE, OPERATORS),
        },
    ),
    **rules_of(
        "pools",
        {
            "pool_list": (READ, NODES),
            "pool_get": (READ, NODES),
            "pool_instance_list": (READ, NODES),
            "pool_volume_list": (READ, NODES),
        },
    ),
    **rules_of(
        "address-pools",
        {
            "address_pool_list": (READ, NODES),
            "address_pool_get": (READ, NODES),
            "address_pool_reverse_zone_get": (READ, NODES),
            "address_pool_create": (OPERATE, OPERATORS),
            "address_pool_update": (OPERATE, OPERATORS),
            "address_pool_delete": (OPERATE, OPERATORS),
        },
    ),
    **rules_of(
        "public-addresses",
        {
            "platform_public_address_list": (READ, NODES),
            "platform_public_address_use_list": (READ, NODES),
            "public_address_suspend": (OPERATE, OPERATORS),
            "public_address_resume": (OPERATE, OPERATORS),
        },
    ),
    **rules_of(
        "orphans",
        {
            "orphan_list": (READ, NODES),
            "orphan_get": (READ, NODES),
            "orphan_discard": (OPERATE, OPERATORS),
            "orphan_release": (OPERATE, OPERATORS),
        },
    ),
}

MAINTENANCE = rules_of(
    "maintenance",
    {
        "maintenance_list": (READ, SIGNED_IN),
        "maintenance_get": (READ, SIGNED_IN),
        "maintenance_create": (OPERATE, OPERATORS),
        "maintenance_end": (OPERATE, OPERATORS),
    },
)

# Audit entries and request records.
TRACES = {
    **rules_of("events", {"event_list": (READ, METADATA), "event_stream": (READ, METADATA)}),
    **rules_of(
        "audit",
        {
            "audit_list": (READ, METADATA),
            "audit_export": (READ, METADATA),
            "audit_deed_list": (READ, METADATA),
            "organization_audit_list": (READ, WATCHERS),
            "organization_audit_export": (READ, WATCHERS),
            "organization_audit_deed_list": (READ, WATCHERS),
            "platform_audit_list": (READ, NODES),
            "platform_audit_export": (READ, NODES),
            "platform_audit_deed_list": (READ, NODES),
        },
    ),
    **usual_rules("webhooks", "webhook", "list", "get", "create", "update", "delete"),
    **rules_of(
        "webhooks",
        {
            "webhook_rotate_secret": (ACT, MEMBERS),
            "webhook_end_rotation": (ACT, MEMBERS),
            "webhook_ping": (ACT, MEMBERS),
            "webhook_delivery_list": (READ, METADATA),
            "webhook_delivery_get": (READ, METADATA),
            "webhook_delivery_redeliver": (ACT, MEMBERS),
        },
    ),
}

# States contain secrets of the described resources: only roles that write may read them.
TERRAFORM = {
    **rules_of(
        "terraform-states",
        {
            "terraform_state_list": (READ, METADATA),
            "terraform_state_version_list": (READ, METADATA),
            "terraform_state_read": (READ, MEMBERS),
            "terraform_state_version_read": (READ, MEMBERS),
            "terraform_state_write": (UPDATE, MEMBERS),
            "terraform_state_lock": (UPDATE, MEMBERS),
            "terraform_state_unlock": (UPDATE, MEMBERS),
            "terraform_state_delete": (DELETE, MEMBERS),
        },
    ),
    **rules_of(
        "terraform-providers",
        {
            "terraform_services": (READ, PUBLIC),
            "terraform_provider_version_list": (READ, PUBLIC),
            "terraform_provider_package_get": (READ, PUBLIC),
            "terraform_provider_file_get": (READ, PUBLIC),
        },
    ),
}

RESOURCES = {
    **usual_rules("instances", "instance", "list", "get", "create", "update", "delete"),
    **rules_of(
        "instances",
        {
            f"instance_{verb}": (ACT, MEMBERS)
            for verb in ("start", "shutdown", "power_off", "reboot", "reset", "resize", "rebuild", "snapshot")
        },
    ),
    **rules_of("instances", {"instance_metrics": (READ, METADATA)}),
    **rules_of("instances", {"instance_relocate": (ACT, MEMBERS), "instance_relocation_plan": (READ, METADATA)}),
    **rules_of("jwks", {"jwks_get": (READ, PUBLIC)}),
    **rules_of(
        "instances",
        {
            "instance_migrate": (OPERATE, OPERATORS),
            "instance_migrate_cancel": (OPERATE, OPERATORS),
            "instance_migration_list": (READ, NODES),
            "instance_migration_plan": (READ, NODES),
        },
    ),
    **rules_of("consoles", {"instance_console_log": (READ, INSIDERS), "instance_console_open": (CREATE, INSIDERS)}),
    **rules_of("tunnels", {"instance_tunnel_open": (CREATE, MEMBERS)}),
    **usual_rules("attachments", "attachment", "list", "get", "create", "delete"),
    **usual_rules("volumes", "volume", "list", "get", "create", "update", "delete"),
    **rules_of("volumes", {f"volume_{verb}": (ACT, MEMBERS) for verb in ("grow", "retype", "relocate", "revert")}),
    **rules_of("volumes", {"volume_relocation_plan": (READ, METADATA)}),
    **usual_rules("snapshots", "snapshot", "list", "get", "create", "update", "delete"),
    **usual_rules("images", "image", "list", "get", "create"),
    **rules_of(
        "images",
        {
            "image_update": (UPDATE, MEMBERS | OPERATORS),
            "image_delete": (DELETE, MEMBERS | OPERATORS),
            "image_upload": (ACT, MEMBERS | OPERATORS),
        },
    ),
    **usual_rules("networks", "network", "list", "get", "create", "update", "delete"),
    **rules_of("networks", {"network_topology": (READ, METADATA)}),
    **rules_of("reachability", {"reachability_check": (READ, METADATA)}),
    **usual_rules("subnets", "subnet", "list", "get", "create", "update", "delete"),
    **usual_rules("ports", "port", "list", "get", "create", "update", "delete"),
    **rules_of(
        "ports",
        {
            "port_attach": (ACT, MEMBERS),
            "port_detach": (ACT, MEMBERS),
            "port_metrics": (READ, METADATA),
        },
    ),
    **usual_rules("security-groups", "security_group", "list", "get", "create", "update", "delete"),
    **usual_rules("security-groups", "security_group_rule", "list", "get"),
    **rules_of(
        "security-groups",
        {"security_group_rule_create": (UPDATE, MEMBERS), "security_group_rule_delete": (UPDATE, MEMBERS)},
    ),
    **rules_of(
        "instances",
        {"security_group_of_instance_get": (READ, METADATA), "security_group_of_instance_set": (UPDATE, MEMBERS)},
    ),
    **rules_of("address-pools", {"address_pool_usable_list": (READ, METADATA)}),
    **rules_of("volume-types", {"volume_type_usable_list": (READ, METADATA)}),
    **usual_rules("public-addresses", "public_address", "list", "get", "create", "update", "delete"),
    **rules_of(
        "public-addresses",
        {
            "public_address_attach": (ACT, MEMBERS),
            "public_address_detach": (ACT, MEMBERS),
            "public_address_use_list": (READ, METADATA),
        },
    ),
    **usual_rules("address-sets", "address_set", "list", "get", "create", "update", "delete"),
    **usual_rules("snapshot-schedules", "snapshot_schedule", "list", "get", "create", "update", "delete"),
    **usual_rules("ssh-keys", "ssh_key", "list", "get", "create", "update", "delete"),
    **usual_rules("affinity-groups", "affinity_group", "list", "get", "create", "update", "delete"),
    **usual_rules("operations", "operation", "list", "get"),
    **rules_of(
        "operations",
        {
            "operation_cancel": (ACT, MEMBERS),
            "operation_retry": (ACT, MEMBERS),
            "operation_resolve": (OPERATE, OPERATORS),
            "platform_operation_list": (READ, NODES),
            "platform_operation_get": (READ, NODES),
        },
    ),
}

TABLE: Mapping[str, Rule] = {
    **PLATFORMS,
    **IDENTITY,
    **SIGN_IN,
    **QUOTAS,
    **RESOURCES,
    **MAINTENANCE,
    **SOVEREIGNTY,
    **TRACES,
    **TERRAFORM,
}
KINDS = tuple(sorted({rule.kind for rule in TABLE.values() if rule.roles not in (PUBLIC, SIGNED_IN)}))


def rule_of(operation_id: str) -> Rule:
    """Return the rule of an operation. Raises NobodyMay."""
    if (rule := TABLE.get(operation_id)) is None:
        raise NobodyMay(operation=operation_id)
    return rule
