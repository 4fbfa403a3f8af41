"""Fencing over the API: what is at hand, what a person has to prove, and a BMC whose password is never given back."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.events.models import Event
from controlplane.kernel import clock
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.signin.models import Session
from controlplane.signin.sessions import PROOF_LASTS
from tests.api import user_accounts
from tests.api.client import Caller
from tests.api.user_accounts import enrol_totp, make_person
from tests.world import Cloud

WHY = "unplugged in rack 7"
ATTESTED = {"evidence": "attestation", "reason": WHY}
BMC = {
    "address": "10.99.0.11:8443",
    "username": "fencer",
    "password": "a very secret one",
    "certificate_sha256": ":".join(["5E"] * 32),
}


@pytest.fixture(autouse=True)
def settings_of_the_platform(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]
    settings.BMC_NETWORKS = [ip_network("10.99.0.0/24")]


@pytest.fixture
def person(cloud: Cloud) -> Caller:
    caller = make_person("oscar", is_operator=True).signed_in()
    enrol_totp(caller)  # or an operator's session is good for nothing
    return caller


def test_reachable_node_has_no_usable_evidence(operator: Caller, cloud: Cloud) -> None:
    body = operator.get("/v1/nodes/node-1/fencing").body
    assert [(each["kind"], each["counts"], each["error"]["code"]) for each in body["at_hand"]] == [
        (kind, False, "node.not_fenceable") for kind in ("power", "lease", "attestation")
    ]
    assert body["at_hand"][0]["error"]["detail"] == "The node node-1 cannot be fenced: it is reachable."
    assert body["evidence"] is None
    french = operator.get("/v1/nodes/node-1/fencing", Accept_Language="fr").body
    assert "cannot" not in french["at_hand"][0]["error"]["detail"]
    answer = operator.post("/v1/nodes/node-1/actions/fence", {"evidence": "lease", "reason": WHY})
    assert answer.problem == (409, "node.not_fenceable", None)


def test_attestation_needs_a_fresh_proof_of_identity(operator: Caller, person: Caller, cloud: Cloud) -> None:
    cloud.machine.become_unreachable()
    answer = operator.post("/v1/nodes/node-1/actions/fence", ATTESTED)
    assert answer.problem == (403, "signin.session_needed", None)
    Session.objects.update(proved_at=clock.now() - PROOF_LASTS - timedelta(seconds=1))
    answer = person.post("/v1/nodes/node-1/actions/fence", ATTESTED)
    assert answer.problem == (403, "signin.proof_too_old", None)
    Session.objects.update(proved_at=clock.now())
    body = person.post("/v1/nodes/node-1/actions/fence", ATTESTED).body
    assert (body["node"]["duty"], body["evidence"]["kind"], body["operation"]) == ("fenced", "attestation", None)
    assert body["evidence"]["reason"] == WHY
    fencing = person.get("/v1/nodes/node-1/fencing").body
    assert fencing["evidence"] == body["evidence"]
    assert fencing["at_hand"][2]["error"]["detail"] == "The node node-1 cannot be fenced: it is fenced."


def test_fencing_by_power_starts_an_operation(operator: Caller, cloud: Cloud) -> None:
    operator.put("/v1/nodes/node-1/bmc", BMC)
    cloud.machine.become_unreachable()
    answer = operator.post("/v1/nodes/node-1/actions/fence", {"evidence": "power", "reason": WHY})
    assert answer.status == 202
    operation = answer.body["operation"]
    assert (operation["kind"], operation["resource_name"], operation["reason"]) == ("node.fence", "node-1", WHY)
    assert operator.get(f"/v1/operations/{operation['id']}").body["project"] is None
    assert Operation.objects.get().state == "pending"
    repeated = operator.post("/v1/nodes/node-1/actions/fence", {"evidence": "power", "reason": WHY})
    assert repeated.problem[:2] == (409, "resource_busy")


def test_a_bmc_is_set_seen_and_forgotten_without_its_password(operator: Caller, cloud: Cloud) -> None:
    assert operator.get("/v1/nodes/node-1/bmc").problem == (404, "node.bmc_unknown", None)
    answer = operator.put("/v1/nodes/node-1/bmc", BMC)
    assert answer.status == 200, answer.text
    assert answer.body["certificate_sha256"] == "5e" * 32
    for text in (answer.text, operator.get("/v1/nodes/node-1/bmc").text):
        assert BMC["address"] in text
        assert BMC["password"] not in text
    stored = [*AuditEntry.objects.values_list("facts", flat=True), *Event.objects.values_list("data", flat=True)]
    assert BMC["password"] not in str(stored)
    assert operator.put("/v1/nodes/node-1/bmc", BMC | {"address": "10.98.0.1"}).problem[2] == "/address"
    assert operator.put("/v1/nodes/node-1/bmc", BMC | {"certificate_sha256": "5e"}).problem[2] == "/certificate_sha256"
    assert operator.put("/v1/nodes/node-1/bmc", BMC | {"system_id": "../x"}).problem[2] == "/system_id"
    assert operator.delete("/v1/nodes/node-1/bmc").status == 204
    assert operator.delete("/v1/nodes/node-1/bmc").status == 204
    assert operator.get("/v1/nodes/node-1/bmc").status == 404


def test_fencing_is_for_operators_only(api: Caller, cloud: Cloud) -> None:
    for answer in (
        api.get("/v1/nodes/node-1/fencing"),
        api.get("/v1/nodes/node-1/bmc"),
        api.put("/v1/nodes/node-1/bmc", BMC),
        api.delete("/v1/nodes/node-1/bmc"),
        api.post("/v1/nodes/node-1/actions/fence", ATTESTED),
    ):
        assert answer.status == 403
    assert Node.objects.get().admin_state == "in-service"
