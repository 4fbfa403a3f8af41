"""Summaries of routes, generated from the operation_id: noun first, verb last."""

import re

VERBS = {"get": "Show", "set": "Replace", "shutdown": "Shut down", "update": "Edit"}  # other verbs are capitalised only
# Nouns that exist once in each scope.
ONE = ("catalogue", "limits", "policy", "quotas")
WRITTEN = {"ssh": "SSH", "openid": "OpenID", "terraform": "Terraform"}
# Routes whose summary differs from their name.
OTHERS = {
    "audit_deed_list": "List the deeds in a project",
    "audit_export": "Export the audit of a project",
    "audit_list": "List the audit records of a project",
    "declassification_propose": "Propose that data is classified as less",
    "drift_list": "List what is where it may not be any more",
    "event_stream": "Follow events as they come",
    "evidence_checkpoint": "Show the newest checkpoint of the evidence log",
    "evidence_cosign": "Add a witness's cosignature to a checkpoint",
    "evidence_export": "Export the evidence of a time, by one address",
    "evidence_export_file": "Download an evidence export",
    "evidence_list": "List evidence records",
    "evidence_proof": "Prove that a record is in the evidence log",
    "evidence_witness_request": "Show what a witness needs to cosign",
    "exemption_report": "Report on the exemptions of a quarter",
    "exemption_request": "Ask for an exemption",
    "fact_state": "State facts",
    "health_get": "Show whether the API lives",
    "identity_link": "Link an OpenID identity to an account",
    "image_drift_list": "List copies of images that are where they may not be any more",
    "image_upload": "Upload the file of an image",
    "instance_console_open": "Open a console of an instance",
    "instance_console_log": "Read the console log of an instance",
    "instance_metrics": "Show what an instance used",
    "instance_migrate": "Move an instance to another node, while it runs or while it is off",
    "instance_migrate_cancel": "Call the move of an instance off",
    "instance_migration_plan": "Plan the move of an instance",
    "instance_migration_list": "List the moves of an instance",
    "instance_placement": "Show why an instance is where it is",
    "instance_power_off": "Power off an instance",
    "me_get": "Show who asks",
    "node_bmc_delete": "Forget how the BMC of a node is reached",
    "node_bmc_get": "Show how the BMC of a node is reached",
    "node_bmc_set": "Say how the BMC of a node is reached",
    "node_recover_plan": "Plan the recovery of a dead node",
    "node_recover_begin": "Begin to recover a dead node",
    "node_drain_begin": "Begin to drain a node",
    "node_drain_cancel": "Cancel the drain of a node",
    "node_drain_get": "Show the drain of a node",
    "node_drain_pause": "Pause the drain of a node",
    "node_drain_plan": "Plan the drain of a node",
    "node_drain_resume": "Resume the drain of a node",
    "node_drain_retry": "Try again who did not leave a node",
    "node_fence": "Fence a node",
    "node_fencing_get": "Show by what evidence a node could be fenced",
    "node_maintain": "Begin the maintenance of a node",
    "node_metrics": "Show what the guests of a node used",
    "node_retire": "Retire a node",
    "node_return": "Return a node to service",
    "openapi_get": "Show the OpenAPI document",
    "openid_link_begin": "Begin to link an OpenID identity",
    "openid_session_create": "Sign in with an OpenID provider",
    "openid_sign_in_begin": "Begin to sign in with an OpenID provider",
    "organization_audit_deed_list": "List the deeds in an organization",
    "organization_audit_export": "Export the audit of an organization",
    "organization_audit_list": "List the audit records of an organization",
    "own_duty_remove": "Lay down one's own duty for the platform",
    "passkey_challenge": "Ask for a challenge to register a passkey",
    "passkey_session_create": "Sign in with a passkey",
    "passkey_sign_in_challenge": "Ask for a challenge to sign in with a passkey",
    "password_change": "Change one's own password",
    "password_link_create": "Create a link by which somebody sets a password",
    "password_reset_confirm": "Confirm the reset of a password",
    "password_reset_create": "Ask for the reset of a password",
    "password_reset_get": "Show the reset of a password",
    "password_reset_list": "List resets of passwords",
    "password_reset_withdraw": "Withdraw the reset of a password",
    "password_set": "Set a password with a link",
    "placement_simulate": "Ask what placement would decide",
    "platform_audit_deed_list": "List the deeds for the platform",
    "platform_audit_export": "Export the audit of the platform",
    "platform_audit_list": "List the audit records of the platform",
    "platform_operation_get": "Show an operation of any project, or of the platform",
    "platform_operation_list": "List the operations of all projects",
    "policy_simulate": "Ask what would drift if facts were others",
    "policy_undo": "Undo the last change of a project's policy",
    "organization_policy_undo": "Undo the last change of an organization's policy",
    "platform_policy_undo": "Undo the last change of the platform's policy",
    "classification_policy_undo": "Undo the last change of a classification's policy",
    "problem_get": "Explain an error code",
    "recovery_codes_replace": "Replace one's own recovery codes",
    "resource_lineage_list": "List what the data of a resource was made from",
    "resource_residency": "Show where a resource was",
    "session_create": "Sign in with a password",
    "session_end_others": "End all of one's own sessions but this",
    "session_verify": "Prove again who one is",
    "sign_in_methods_get": "Show how one can sign in",
    "terraform_provider_file_get": "Download a file of a Terraform provider",
    "terraform_provider_package_get": "Show where a package of a Terraform provider is",
    "terraform_services": "Show what Terraform finds here",
    "totp_confirm": "Confirm codes by the time (TOTP)",
    "totp_enrol": "Enrol for codes by the time (TOTP)",
    "totp_remove": "Remove codes by the time (TOTP)",
    "platform_token_list": "List everybody's tokens for the platform",
    "platform_token_revoke": "Revoke a token for the platform",
    "user_duty_remove": "Take away a user's duty for the platform",
    "user_end": "End the account of somebody who leaves",
    "user_sessions_end": "End all sessions of a user",
    "webhook_delivery_redeliver": "Send a delivery of a webhook again",
    "webhook_end_rotation": "End the rotation of a webhook's secret",
    "webhook_rotate_secret": "Rotate the secret of a webhook",
    "zone_capacity_get": "Show what fits into a zone",
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
