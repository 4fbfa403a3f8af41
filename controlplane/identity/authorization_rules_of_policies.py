"""Authorization of sovereignty: placement, policies, classifications, exemptions and evidence."""

from controlplane.identity.authorization_rule import rules_of
from controlplane.identity.authorization_terms import (
    ACT,
    CREATE,
    EXPORTERS,
    MEMBERS,
    METADATA,
    OFFICERS,
    OPERATORS,
    POLICY,
    PROPOSERS,
    READ,
    RULE,
    RULERS,
    SIGNED_IN,
)

SOVEREIGNTY = {
    **rules_of(
        "placement",
        {
            "instance_placement": (READ, METADATA),
            "decision_get": (READ, METADATA),
            "placement_simulate": (READ, METADATA),
        },
    ),
    **rules_of(
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
    **rules_of(
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
    **rules_of(
        "classifications",
        {
            "classification_list": (READ, METADATA),
            "classification_get": (READ, METADATA),
            "organization_classification_list": (READ, METADATA),
            "organization_classification_create": (RULE, RULERS),
            "resource_lineage_list": (READ, METADATA),
        },
    ),
    **rules_of("drift", {"drift_list": (READ, METADATA), "image_drift_list": (READ, METADATA)}),
    **rules_of(
        "remediation-plans",
        {
            "remediation_plan_list": (READ, METADATA),
            "remediation_plan_get": (READ, METADATA),
            "remediation_plan_approve": (ACT, MEMBERS),
            "remediation_plan_execute": (ACT, MEMBERS),
            "remediation_plan_pause": (ACT, MEMBERS),
        },
    ),
    **rules_of(
        "exemptions",
        {
            "exemption_list": (READ, METADATA),
            "exemption_get": (READ, METADATA),
            "exemption_report": (READ, METADATA),
            "exemption_request": (CREATE, MEMBERS),
            "exemption_approve": (RULE, RULERS),
        },
    ),
    **rules_of(
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
    **rules_of(
        "evidence-exports",
        {
            "evidence_export": (READ, EXPORTERS),
            "evidence_export_create": (CREATE, EXPORTERS),
            "evidence_export_get": (READ, METADATA),
            "evidence_export_file": (READ, EXPORTERS),
        },
    ),
}
