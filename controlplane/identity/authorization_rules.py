"""The authorization table: it applies to every route before anything else of the request is read.

A rule maps an operation (its operation_id) to a kind of resource, a verb, and the roles that may do it. Scopes of
tokens use the same words: `instances:create`. A route without a rule is rejected, and keeps the API from starting.

Services have checks of their own only where a rule is finer than this table: for lowering a policy, or making a user an
owner.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.identity.authorization_terms import (
    ACT,
    ADMINS,
    CREATE,
    DELETE,
    EXPORTERS,
    INSIDERS,
    MEMBERS,
    METADATA,
    NODES,
    OFFICERS,
    OPERATE,
    OPERATORS,
    OWN,
    OWNERS,
    POLICY,
    PROPOSERS,
    PUBLIC,
    READ,
    RULE,
    RULERS,
    SIGNED_IN,
    STATEMENT,
    SUPERVISORS,
    UPDATE,
    WATCHERS,
    Roles,
)
from controlplane.identity.errors import NobodyMay


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    `is_of_organization`: it requires a credential for the whole organization, not one for some of its projects.
    """

    kind: str
    verb: str
    roles: Roles
    is_of_organization: bool = False

    @property
    def scope(self) -> str:
        return f"{self.kind}:{self.verb}"


def _of(kind: str, rows: Mapping[str, tuple[str, Roles]], *, is_of_organization: bool = False) -> dict[str, Rule]:
    """Return the rules of one kind, by operation_id."""
    return {name: Rule(kind, verb, roles, is_of_organization) for name, (verb, roles) in rows.items()}


def _usual(kind: str, noun: str, *verbs: str) -> dict[str, Rule]:
    """Return the usual rules: members create, everyone in the project reads."""
    rules = {
        "list": (READ, METADATA),
        "get": (READ, METADATA),
        "create": (CREATE, MEMBERS),
        "update": (UPDATE, MEMBERS),
        "delete": (DELETE, MEMBERS),
    }
    return _of(kind, {f"{noun}_{verb}": rules[verb] for verb in verbs})


PLATFORMS = {
    **_of("health", {"health_get": (READ, PUBLIC)}),
    **_of("openapi", {"openapi_get": (READ, PUBLIC)}),
    **_of("problems", {"problem_get": (READ, PUBLIC)}),
    **_of("me", {"me_get": (READ, SIGNED_IN)}),
    **_of("regions", {"region_list": (READ, SIGNED_IN)}),
    **_of("zones", {"zone_list": (READ, SIGNED_IN), "zone_get": (READ, SIGNED_IN)}),
    **_of("capacity", {"zone_capacity_get": (READ, SIGNED_IN)}),
    **_of("flavors", {"flavor_list": (READ, SIGNED_IN)}),
    **_of("volume-types", {"volume_type_list": (READ, SIGNED_IN)}),
    **_of("parties", {"party_list": (READ, SIGNED_IN), "party_get": (READ, SIGNED_IN)}),
    **_of("sets", {"set_list": (READ, SIGNED_IN)}),
    **_of("facts", {"fact_list": (READ, SIGNED_IN), "fact_state": (OPERATE, OPERATORS)}),
    **_of(
        "officer-keys",
        {
            "officer_key_list": (READ, SIGNED_IN),
            "officer_key_create": (OPERATE, OPERATORS),
            "officer_key_revoke": (OPERATE, OPERATORS),
        },
    ),
    **_of("catalogue", {"catalogue_get": (READ, SIGNED_IN)}),
    **_of("transparency", {"jurisdiction_list": (READ, SIGNED_IN), "transfer_list": (READ, SIGNED_IN)}),
    **_of(
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
    **_of(
        "announcers",
        {
            "announcer_list": (READ, NODES),
            "announcer_get": (READ, NODES),
            "announcer_incident_list": (READ, NODES),
            "announcer_create": (OPERATE, OPERATORS),
            "announcer_delete": (OPERATE, OPERATORS),
        },
    ),
    **_of("incidents", {"incident_list": (READ, NODES)}),
    **_of(
        "pools",
        {
            "pool_list": (READ, NODES),
            "pool_get": (READ, NODES),
            "pool_instance_list": (READ, NODES),
            "pool_volume_list": (READ, NODES),
        },
    ),
    **_of(
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
    **_of(
        "public-addresses",
        {
            "platform_public_address_list": (READ, NODES),
            "platform_public_address_use_list": (READ, NODES),
            "public_address_suspend": (OPERATE, OPERATORS),
            "public_address_resume": (OPERATE, OPERATORS),
        },
    ),
    **_of(
        "orphans",
        {
            "orphan_list": (READ, NODES),
            "orphan_get": (READ, NODES),
            "orphan_discard": (OPERATE, OPERATORS),
            "orphan_release": (OPERATE, OPERATORS),
        },
    ),
}

IDENTITY = {
    **_of(
        "organizations",
        {
            "organization_list": (READ, STATEMENT),
            "organization_get": (READ, STATEMENT),
            "organization_create": (OPERATE, OPERATORS),
            "organization_delete": (OPERATE, OPERATORS),
        },
    ),
    **_of("organizations", {"organization_update": (UPDATE, ADMINS)}, is_of_organization=True),
    **_of(
        "projects",
        {
            "project_list": (READ, STATEMENT),
            "project_get": (READ, STATEMENT),
            "project_update": (UPDATE, ADMINS),
            "project_delete": (DELETE, ADMINS),
        },
    ),
    **_of("projects", {"project_create": (CREATE, ADMINS)}, is_of_organization=True),
    **_of(
        "members",
        {
            "member_list": (READ, METADATA),
            "member_get": (READ, METADATA),
            "member_update": (UPDATE, ADMINS),
            "member_remove": (DELETE, ADMINS | OWN),
        },
        is_of_organization=True,
    ),
    **_of(
        "invitations",
        {
            "invitation_list": (READ, ADMINS),
            "invitation_create": (CREATE, ADMINS),
            "invitation_revoke": (DELETE, ADMINS),
        },
        is_of_organization=True,
    ),
    **_of("invitations", {"invitation_accept": (ACT, PUBLIC)}, is_of_organization=True),
    **_of(
        "service-accounts",
        {
            "service_account_list": (READ, METADATA),
            "service_account_get": (READ, METADATA),
            "service_account_create": (CREATE, ADMINS),
            "service_account_update": (UPDATE, ADMINS),
            "service_account_delete": (DELETE, ADMINS),
        },
        is_of_organization=True,
    ),
    **_of(
        "tokens",
        {
            "service_account_token_list": (READ, ADMINS),
            "service_account_token_create": (CREATE, ADMINS),
            "organization_token_list": (READ, ADMINS),
            "organization_token_revoke": (DELETE, ADMINS),
        },
        is_of_organization=True,
    ),
    **_of(
        "tokens",
        {
            "own_token_list": (READ, OWN),
            "own_token_create": (CREATE, OWN),
            "own_token_revoke": (DELETE, OWN),
            "platform_token_list": (READ, SUPERVISORS),
            "platform_token_revoke": (OPERATE, OPERATORS),
            "token_list": (READ, METADATA),
            "token_create": (CREATE, MEMBERS),
            "token_revoke": (DELETE, MEMBERS),
        },
    ),
}

SIGN_IN = {
    **_of(
        "sessions",
        {
            "session_create": (CREATE, PUBLIC),
            "passkey_session_create": (CREATE, PUBLIC),
            "passkey_sign_in_challenge": (CREATE, PUBLIC),
            "openid_session_create": (CREATE, PUBLIC),
            "openid_sign_in_begin": (CREATE, PUBLIC),
            "openid_provider_list": (READ, PUBLIC),
            "session_list": (READ, OWN),
            "session_get": (READ, OWN),
            "session_verify": (ACT, OWN),
            "session_end": (DELETE, OWN),
            "session_end_others": (DELETE, OWN),
            "user_sessions_end": (OPERATE, OPERATORS),
        },
    ),
    **_of(
        "users",
        {
            "user_list": (READ, SUPERVISORS),
            "user_get": (READ, SUPERVISORS),
            "user_suspend": (OPERATE, OPERATORS),
            "user_reinstate": (OPERATE, OPERATORS),
            "user_end": (OPERATE, OPERATORS),
            "user_duty_remove": (OPERATE, OPERATORS),
            "own_duty_remove": (DELETE, OWN),
        },
    ),
    **_of(
        "passwords",
        {
            "password_set": (UPDATE, PUBLIC),
            "password_change": (UPDATE, OWN),
            "password_link_create": (OPERATE, OPERATORS),
            "password_reset_create": (OPERATE, OPERATORS),
            "password_reset_list": (READ, OWN),
            "password_reset_get": (READ, OWN),
            "password_reset_withdraw": (DELETE, OWN),
            "password_reset_confirm": (ACT, OWNERS | OPERATORS),
        },
    ),
    **_of(
        "factors",
        {
            "sign_in_methods_get": (READ, OWN),
            "totp_enrol": (CREATE, OWN),
            "totp_confirm": (UPDATE, OWN),
            "totp_remove": (DELETE, OWN),
            "recovery_codes_replace": (UPDATE, OWN),
            "passkey_list": (READ, OWN),
            "passkey_challenge": (CREATE, OWN),
            "passkey_register": (CREATE, OWN),
            "passkey_remove": (DELETE, OWN),
        },
    ),
    **_of(
        "identities",
        {
            "identity_list": (READ, OWN),
            "openid_link_begin": (CREATE, OWN),
            "identity_link": (CREATE, OWN),
            "identity_unlink": (DELETE, OWN),
        },
    ),
}

QUOTAS = {
    **_of(
        "limits",
        {"limits_get": (READ, STATEMENT), "organization_limits_get": (READ, STATEMENT)},
    ),
    **_of(
        "quotas",
        {
            "quotas_get": (READ, STATEMENT),
            "quotas_set": (UPDATE, ADMINS | OPERATORS),
            "organization_quotas_get": (READ, STATEMENT),
            "organization_quotas_set": (OPERATE, OPERATORS),
        },
    ),
    **_of(
        "quota-requests",
        {
            "quota_request_list": (READ, STATEMENT),
            "quota_request_get": (READ, STATEMENT),
            "quota_request_create": (CREATE, ADMINS),
            "quota_request_withdraw": (UPDATE, ADMINS),
            "quota_request_approve": (OPERATE, OPERATORS),
            "quota_request_refuse": (OPERATE, OPERATORS),
        },
    ),
}

MAINTENANCE = _of(
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
    **_of("events", {"event_list": (READ, METADATA), "event_stream": (READ, METADATA)}),
    **_of(
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
    **_usual("webhooks", "webhook", "list", "get", "create", "update", "delete"),
    **_of(
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
    **_of(
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
    **_of(
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
    **_usual("instances", "instance", "list", "get", "create", "update", "delete"),
    **_of(
        "instances",
        {
            f"instance_{verb}": (ACT, MEMBERS)
            for verb in ("start", "shutdown", "power_off", "reboot", "reset", "resize", "rebuild")
        },
    ),
    **_of("instances", {"instance_metrics": (READ, METADATA)}),
    **_of("jwks", {"jwks_get": (READ, PUBLIC)}),
    **_of(
        "instances",
        {
            "instance_migrate": (OPERATE, OPERATORS),
            "instance_migrate_cancel": (OPERATE, OPERATORS),
            "instance_migration_list": (READ, NODES),
            "instance_migration_plan": (READ, NODES),
        },
    ),
    **_of("consoles", {"instance_console_log": (READ, INSIDERS), "instance_console_open": (CREATE, INSIDERS)}),
    **_of("tunnels", {"instance_tunnel_open": (CREATE, MEMBERS)}),
    **_usual("attachments", "attachment", "list", "get", "create", "delete"),
    **_usual("volumes", "volume", "list", "get", "create", "update", "delete"),
    **_of("volumes", {"volume_grow": (ACT, MEMBERS)}),
    **_usual("images", "image", "list", "get", "create"),
    **_of(
        "images",
        {
            "image_update": (UPDATE, MEMBERS | OPERATORS),
            "image_delete": (DELETE, MEMBERS | OPERATORS),
            "image_upload": (ACT, MEMBERS | OPERATORS),
        },
    ),
    **_usual("networks", "network", "list", "get", "create", "update", "delete"),
    **_of("networks", {"network_topology": (READ, METADATA)}),
    **_of("reachability", {"reachability_check": (READ, METADATA)}),
    **_usual("subnets", "subnet", "list", "get", "create", "update", "delete"),
    **_usual("ports", "port", "list", "get", "create", "update", "delete"),
    **_of("ports", {"port_attach": (ACT, MEMBERS), "port_detach": (ACT, MEMBERS), "port_metrics": (READ, METADATA)}),
    **_usual("security-groups", "security_group", "list", "get", "create", "update", "delete"),
    **_usual("security-groups", "security_group_rule", "list", "get"),
    **_of(
        "security-groups",
        {"security_group_rule_create": (UPDATE, MEMBERS), "security_group_rule_delete": (UPDATE, MEMBERS)},
    ),
    **_of(
        "instances",
        {"security_group_of_instance_get": (READ, METADATA), "security_group_of_instance_set": (UPDATE, MEMBERS)},
    ),
    **_of("address-pools", {"address_pool_usable_list": (READ, METADATA)}),
    **_usual("public-addresses", "public_address", "list", "get", "create", "update", "delete"),
    **_of(
        "public-addresses",
        {
            "public_address_attach": (ACT, MEMBERS),
            "public_address_detach": (ACT, MEMBERS),
            "public_address_use_list": (READ, METADATA),
        },
    ),
    **_usual("address-sets", "address_set", "list", "get", "create", "update", "delete"),
    **_usual("ssh-keys", "ssh_key", "list", "get", "create", "update", "delete"),
    **_usual("affinity-groups", "affinity_group", "list", "get", "create", "update", "delete"),
    **_usual("operations", "operation", "list", "get"),
    **_of(
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

SOVEREIGNTY = {
    **_of(
        "placement",
        {
            "instance_placement": (READ, METADATA),
            "decision_get": (READ, METADATA),
            "placement_simulate": (READ, METADATA),
        },
    ),
    **_of(
        "policies",
        {
            "policy_get": (READ, METADATA),
            "policy_set": (RULE, POLICY),
            "policy_undo": (RULE, POLICY),
            "policy_simulate": (READ, METADATA),
            "organization_policy_get": (READ, METADATA),
            "organization_policy_set": (RULE, RULERS),
            "organization_policy_undo": (RULE, RULERS),
            "classification_policy_get": (READ, METADATA),
            "classification_policy_set": (RULE, RULERS),
            "classification_policy_undo": (RULE, RULERS),
            "platform_policy_get": (READ, SIGNED_IN),
            "platform_policy_set": (RULE, OPERATORS),
            "platform_policy_undo": (RULE, OPERATORS),
        },
    ),
    **_of(
        "policy-proposals",
        {
            "policy_proposal_list": (READ, METADATA),
            "policy_proposal_get": (READ, METADATA),
            "policy_proposal_create": (RULE, PROPOSERS),
            "policy_proposal_approve": (RULE, RULERS),
            "policy_proposal_withdraw": (RULE, PROPOSERS),
            "declassification_propose": (RULE, OFFICERS),
        },
    ),
    **_of(
        "classifications",
        {
            "classification_list": (READ, METADATA),
            "classification_get": (READ, METADATA),
            "organization_classification_list": (READ, METADATA),
            "organization_classification_create": (RULE, RULERS),
            "resource_lineage_list": (READ, METADATA),
        },
    ),
    **_of("drift", {"drift_list": (READ, METADATA), "image_drift_list": (READ, METADATA)}),
    **_of(
        "remediation-plans",
        {"remediation_plan_list": (READ, METADATA), "remediation_plan_approve": (ACT, MEMBERS)},
    ),
    **_of(
        "exemptions",
        {
            "exemption_list": (READ, METADATA),
            "exemption_get": (READ, METADATA),
            "exemption_report": (READ, METADATA),
            "exemption_request": (CREATE, MEMBERS),
            "exemption_approve": (RULE, RULERS),
        },
    ),
    **_of(
        "evidence",
        {
            "resource_residency": (READ, METADATA),
            "evidence_list": (READ, METADATA),
            "evidence_proof": (READ, METADATA),
            "evidence_checkpoint": (READ, SIGNED_IN),
            "evidence_witness_request": (READ, SIGNED_IN),
            "evidence_cosign": (ACT, SIGNED_IN),
        },
    ),
    **_of(
        "evidence-exports",
        {
            "evidence_export": (READ, EXPORTERS),
            "evidence_export_create": (CREATE, EXPORTERS),
            "evidence_export_get": (READ, METADATA),
            "evidence_export_file": (READ, EXPORTERS),
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
