"""Examples of placement rules: facts, policies, classifications, drift, exemptions."""

import base64
from typing import Any
from uuid import UUID

from controlplane.identity.models import User
from controlplane.reconcilers import compliance_drift, image_files, remediation
from tests import facts
from tests.api.examples.sample_cloud import SampleCloud
from tests.approvers import OFFICER, OPERATOR, Person, appoint, person
from tests.services.compliance.test_drift import HELD, certificate

HOME = {"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}
WIDER = HOME | {"value": ["fr-idf-1", "de-rhein-1"]}
SUSPENDED = "The hospital's imaging has to run while the certificate of the zone is suspended."


def catalogue(story: SampleCloud) -> None:
    book, ada, oscar = story.book, story.ada, story.oscar
    book.show(ada, "party_list")
    book.show(ada, "party_get", party="op-alpha")
    book.show(ada, "set_list")
    book.show(ada, "catalogue_get")
    book.show(ada, "jurisdiction_list", query={"region": "fr-idf"})
    book.show(ada, "transfer_list", query={"region": "fr-idf"})
    stated = facts.statement("zone", "fr-idf-1", "keys.module", "HSM")
    book.show(oscar, "fact_state", {"facts": [facts.officer().signed(stated).envelope()]})
    book.show(ada, "fact_list", query={"subject_kind": "zone", "subject_id": "fr-idf-1"})
    key = book.show(oscar, "officer_key_create").body
    book.show(ada, "officer_key_list")
    book.show(oscar, "officer_key_revoke", officer_key=key["id"])


def policies(story: SampleCloud) -> None:
    book, ada, olga, otto = story.book, story.ada, story.olga, story.otto
    first = {"headers": {"If_Match": '"0"'}}
    zones = HOME | {"value": ["fr-idf-1", "fr-idf-2", "de-rhein-1"]}
    for who, level, clauses in (
        (story.oscar, "platform_policy", [zones | {"id": "floor"}]),
        (olga, "organization_policy", [zones]),
        (ada, "policy", [HOME]),
    ):
        book.show(who, f"{level}_set", {"atoms": clauses}, **first)
        book.show(ada, f"{level}_get")
        book.show(who, f"{level}_undo")
        book.do(who, f"{level}_set", {"atoms": clauses}, headers={"If_Match": "*"})
    wider = {"project": "web", "atoms": [WIDER], "reason": "A second site on the Rhine."}
    proposal = book.show(olga, "policy_proposal_create", wider).body["id"]
    book.show(ada, "policy_proposal_list", query={"state": "proposed"})
    book.show(ada, "policy_proposal_get", proposal=proposal)
    book.show(otto, "policy_proposal_approve", proposal=proposal)
    book.show(olga, "policy_proposal_withdraw", proposal=proposal)
    book.show(ada, "placement_simulate", _simulation())


def _simulation() -> dict[str, Any]:
    return {"project": "web", "operation": "instance.create", "vcpus": 2, "memory_mib": 4096, "disk_gib": 20}


def classifications(story: SampleCloud) -> None:
    book, ada, olga = story.book, story.ada, story.olga
    book.show(ada, "classification_list")
    book.show(olga, "organization_classification_create")
    book.show(ada, "organization_classification_list")
    book.show(ada, "classification_get", classification="acme.trade-secret")
    book.show(ada, "classification_policy_get", classification="hds")
    milder = {"atoms": [WIDER], "reason": "A second site on the Rhine."}
    book.show(
        olga,
        "classification_policy_set",
        milder,
        classification="acme.trade-secret",
        headers={"If_Match": '"1"'},
    )
    book.show(olga, "classification_policy_undo", classification="acme.trade-secret")
    secret = {
        "name": "patents",
        "size_gib": 10,
        "image": "debian-13",
        "classifications": ["acme.trade-secret"],
    }
    volume = story.done(book.do(ada, "volume_create", secret))["id"]
    lost = {"resource": volume, "classifications": ["acme.trade-secret"], "reason": "The patent is published."}
    book.show(olga, "declassification_propose", lost)
    book.show(ada, "resource_lineage_list", resource=volume)


def certified(story: SampleCloud, status: str) -> None:
    stated = certificate(days=1000, number="FICTIF-SNC-4", status=status)
    facts.state_of("zone", "fr-idf-1", {"certifications": [stated]})
    compliance_drift.reconcile()


def drifts(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    certified(story, "valid")
    book.do(ada, "policy_set", {"atoms": [HOME, HELD]}, headers={"If_Match": "*"})
    lost = {"lost_certificates": [{"zone": "fr-idf-1", "number": "FICTIF-SNC-4"}]}
    book.show(ada, "policy_simulate", lost)
    certified(story, "suspended")
    image_files.reconcile()
    book.show(ada, "drift_list", query={"state": "drifted"})
    book.show(ada, "image_drift_list")
    plan = book.show(ada, "remediation_plan_list", query={"state": "proposed"}).body["items"][0]
    book.show(ada, "remediation_plan_approve", plan=plan["id"])
    book.show(ada, "remediation_plan_execute", plan=plan["id"])
    remediation.reconcile()
    book.show(ada, "remediation_plan_get", plan=plan["id"])
    book.show(ada, "remediation_plan_pause", plan=plan["id"])


def exemptions(story: SampleCloud) -> None:
    """Show an exemption: while the certificate is suspended, two people of different roles allow one operation."""
    book, ada = story.book, story.ada
    approvers = _approvers(story)
    ada.project = "web"
    refused = ada.post("instances/web-1/actions/reboot")
    assert refused.problem[:2] == (422, "policy_unsatisfiable"), refused.text
    body = {"decision": refused.body["placement_decision"], "zone": "fr-idf-1", "reason": SUSPENDED, "hours": 4}
    exemption = book.show(ada, "exemption_request", body).body["id"]
    book.show(ada, "exemption_list")
    to_sign = book.show(story.olga, "exemption_get", exemption=exemption).body["to_sign"]
    who = approvers[OFFICER]
    signature = base64.b64encode(who.key.sign(base64.b64decode(to_sign[OFFICER]))).decode()
    approval = {"duty": OFFICER, "key_id": who.key_id, "signature": signature}
    book.show(story.olga, "exemption_approve", approval, exemption=exemption)
    book.show(story.olga, "exemption_report")
    certified(story, "valid")


def _approvers(story: SampleCloud) -> dict[str, Person]:
    users = {user.email.partition("@")[0]: user.pk for user in User.objects.all()}
    acme = UUID(story.book.do(story.ada, "organization_get").body["id"])
    olga = person("olga", user_id=users["olga"], organization_id=acme)
    oscar = person("oscar", user_id=users["oscar"])
    appoint(story.world.root, {olga: OFFICER, oscar: OPERATOR})
    return {OFFICER: olga, OPERATOR: oscar}
