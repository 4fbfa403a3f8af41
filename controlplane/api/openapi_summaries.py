"""Summaries of routes, generated from the operation_id: noun first, verb last."""

import re

VERBS = {"get": "Show", "set": "Replace", "shutdown": "Shut down", "update": "Edit"}  # other verbs are capitalised only
# Nouns that exist once in each scope.
ONE = ("catalogue", "limits", "policy", "quotas")
WRITTEN = {"ssh": "SSH", "openid": "OpenID", "terraform": "Terraform"}
# Routes whose summary differs from their name.
OTHERS = {
    "audit_deed_list": "List the audit entries of a project",
    "audit_export": "Export the request records of a project",
    "audit_list": "List the request records of a project",
    "declassification_propose": "Propose to remove classifications from data",
    "drift_list": "List compliance drift of resources",
    "event_stream": "Stream events",
    "evidence_checkpoint": "Show the newest log checkpoint",
    "evidence_cosign": "Add a witness's cosignature to a log checkpoint",
    "evidence_export": "Export the evidence of a period, by one address",
    "evidence_export_file": "Download an evidence export",
    "evidence_list": "List evidence records",
    "evidence_proof": "Prove that a record is in the evidence log",
    "evidence_witness_request": "Show what a witness needs to cosign",
    "exemption_report": "Report on the exemptions of a quarter",
    "exemption_request": "Request an exemption",
    "fact_state": "State facts",
    "health_get": "Show the health of the API",
    "identity_link": "Link an OpenID identity to an account",
    "image_drift_list": "List compliance drift of image copies",
    "image_upload": "Upload the file of an image",
    "instance_console_open": "Open a console of an instance",
    "instance_tunnel_open": "Open a tunnel to a TCP port of an instance",
    "instance_console_log": "Read the console log of an instance",
    "instance_metrics": "Show the metrics of an instance",
    "instance_relocate": "Relocate a stopped instance to another zone",
    "instance_relocation_plan": "Plan the relocation of an instance",
    "instance_migrate": "Migrate an instance to another node, live or cold",
    "instance_migrate_cancel": "Cancel the migration of an instance",
    "instance_migration_plan": "Plan the migration of an instance",
    "instance_migration_list": "List the migrations of an instance",
    "instance_placement": "Show the placement decision of an instance",
    "instance_power_off": "Power off an instance",
    "me_get": "Show the caller",
    "node_bmc_delete": "Delete the BMC settings of a node",
    "node_bmc_get": "Show the BMC settings of a node",
    "node_bmc_set": "Replace the BMC settings of a node",
    "node_recover_plan": "Plan the recovery of a fenced node",
    "node_recover_begin": "Begin the recovery of a fenced node",
    "node_drain_begin": "Begin to drain a node",
    "node_drain_cancel": "Cancel the drain of a node",
    "node_drain_get": "Show the drain of a node",
    "node_drain_pause": "Pause the drain of a node",
    "node_drain_plan": "Plan the drain of a node",
    "node_drain_resume": "Resume the drain of a node",
    "node_drain_retry": "Retry the drain of a node",
    "node_fence": "Fence a node",
    "node_fencing_get": "Show the fence evidence of a node",
    "node_maintain": "Begin the maintenance of a node",
    "node_metrics": "Show the metrics of a node",
    "node_retire": "Retire a node",
    "node_return": "Return a node to service",
    "network_topology": "Show the topology of a network",
    "openapi_get": "Show the OpenAPI document",
    "openid_link_begin": "Begin to link an OpenID identity",
    "openid_session_create": "Sign in with an OpenID provider",
    "openid_sign_in_begin": "Begin to sign in with an OpenID provider",
    "organization_audit_deed_list": "List the audit entries of an organization",
    "organization_audit_export": "Export the request records of an organization",
    "organization_audit_list": "List the request records of an organization",
    "own_duty_remove": "Give up one's own platform role",
    "passkey_challenge": "Request a challenge to register a passkey",
    "passkey_session_create": "Sign in with a passkey",
    "passkey_sign_in_challenge": "Request a challenge to sign in with a passkey",
    "password_change": "Change one's own password",
    "password_link_create": "Create a link for a first password",
    "password_reset_confirm": "Confirm a password reset",
    "password_reset_create": "Request a password reset",
    "password_reset_get": "Show a password reset",
    "password_reset_list": "List password resets",
    "password_reset_withdraw": "Withdraw a password reset",
    "password_set": "Set a password with a link",
    "placement_simulate": "Simulate a placement decision",
    "platform_audit_deed_list": "List the audit entries of the platform",
    "platform_audit_export": "Export the request records of the platform",
    "platform_audit_list": "List the request records of the platform",
    "address_pool_create": "Create a pool of public addresses",
    "address_pool_delete": "Delete a pool of public addresses",
    "address_pool_get": "Show a pool of public addresses",
    "address_pool_list": "List the pools of public addresses",
    "address_pool_update": "Edit a pool of public addresses",
    "address_pool_usable_list": "List the pools of public addresses that a project may use",
    "volume_type_usable_list": "List the volume types that a project may use",
    "platform_public_address_list": "List the public addresses of all projects",
    "platform_public_address_use_list": "List which project had which public address when",
    "port_metrics": "Show the metrics of a port",
    "public_address_create": "Reserve a public address",
    "public_address_delete": "Release a public address",
    "public_address_list": "List public addresses",
    "public_address_use_list": "List which instance had which public address when",
    "platform_operation_get": "Show an operation of any project, or of the platform",
    "platform_operation_list": "List the operations of all projects",
    "policy_simulate": "Simulate the impact of changed facts",
    "policy_undo": "Undo the last change of a project's policy",
    "organization_policy_undo": "Undo the last change of an organization's policy",
    "platform_policy_undo": "Undo the last change of the platform's policy",
    "classification_policy_undo": "Undo the last change of a classification's policy",
    "problem_get": "Explain an error code",
    "reachability_check": "Check whether traffic reaches another end",
    "recovery_codes_replace": "Replace one's own recovery codes",
    "resource_lineage_list": "List the lineage of a resource",
    "resource_residency": "Show the residency of a resource",
    "session_create": "Sign in with a password",
    "session_end_others": "End all other sessions of the user",
    "session_verify": "Prove one's identity again",
    "sign_in_methods_get": "Show the user's sign-in methods",
    "terraform_provider_file_get": "Download a file of a Terraform provider",
    "terraform_provider_package_get": "Show where a package of a Terraform provider is",
    "jwks_get": "List the public keys of identity documents",
    "address_pool_reverse_zone_get": "Show a reverse zone of an address pool",
    "terraform_services": "Show the services for Terraform",
    "totp_confirm": "Confirm time-based codes (TOTP)",
    "totp_enrol": "Enrol for time-based codes (TOTP)",
    "totp_remove": "Remove time-based codes (TOTP)",
    "platform_token_list": "List all tokens for the platform",
    "platform_token_revoke": "Revoke a token for the platform",
    "user_duty_remove": "Remove a user's platform role",
    "user_end": "End a user account",
    "user_sessions_end": "End all sessions of a user",
    "volume_relocate": "Relocate a detached volume to another zone",
    "volume_relocation_plan": "Plan the relocation of a volume",
    "webhook_delivery_redeliver": "Redeliver an event of a webhook",
    "webhook_end_rotation": "End the rotation of a webhook's secret",
    "webhook_rotate_secret": "Rotate the secret of a webhook",
    "zone_capacity_get": "Show the free capacity of a zone",
}


def summary(operation_id: str) -> str:
    if operation_id in OTHERS:
        return OTHERS[operation_id]
    *words, verb = operation_id.split("_")
    noun = " ".join(WRITTEN.get(word, word) for word in words)
    noun = f"one's {noun}" if noun.startswith("own ") else noun
    if verb == "list":
        return f"List {noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"List {noun}s"
    return f"{VERBS.get(verb, verb.capitalize())} {_one(noun)}"


def _one(noun: str) -> str:
    if noun.startswith("one's"):
        return noun
    if noun.endswith(ONE):
        return f"the {noun}"
    return f"{'an' if noun[0] in 'aeioS' else 'a'} {noun}"
