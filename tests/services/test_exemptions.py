"""Break-glass: two people of different duties, for stated clauses, for hours, and everything is told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from andromede_core.documents.signed import message
from andromede_core.placement.decision import expand_results
from andromede_core.policy.exemption import KIND
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.catalog.errors import OfficerKeyNotInForce
from controlplane.catalog.officer_keys import officer_key_revoke
from controlplane.compute.console_log import console_tail
from controlplane.compute.console_sessions import Kind, console_open, recheck_access
from controlplane.compute.models import Instance
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes import signing_keys, trust_documents
from controlplane.nodes.signing_keys import SigningKey
from controlplane.placement import exemptions
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.errors import (
    ApprovalInvalid,
    ExemptionAsked,
    ExemptionNotPossible,
    ExemptionOver,
    ExemptionSamePerson,
    PolicyUnsatisfiable,
)
from controlplane.placement.exemptions import ExemptedAction, NewExemption, exemption_approve, exemption_request
from controlplane.placement.models import Allocation, Binding, Decision, Exemption, ExemptionUse
from controlplane.placement.policies import policy_set
from controlplane.storage.models import Volume
from tests import facts
from tests.approvers import OFFICER, OPERATOR, Person, agree, appoint, person
from tests.workflows.helpers import attach, done, make_instance, make_volume
from tests.world import Cloud, Tenant, make_node, make_tenant, make_zone

pytestmark = pytest.mark.django_db

HERE = {"id": "here", "attr": "location.territory", "op": "in", "value": ["FR"], "waivable": True}
FIXED = {"id": "fixed", "attr": "keys.countries", "op": "subset", "value": ["FR"]}


@pytest.fixture
def tenant() -> Tenant:
    tenant = make_tenant()
    make_node("one", zone="de-rhein-1")
    facts.state_of("zone", "de-rhein-1", {"location.territory": "DE", "keys.countries": ["FR"]})
    policy_set(tenant.actor, atoms=[HERE, FIXED], project=tenant.project)
    return tenant


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> SigningKey:
    settings.PKI_DIR = tmp_path
    return signing_keys.create(tmp_path / "root", signing_keys.ROOT, name="root")


@pytest.fixture
def officer(tenant: Tenant, root: SigningKey) -> Person:
    found = person("olga", role=OFFICER, organization_id=tenant.project.organization_id)
    appoint(root, {found: OFFICER})
    return found


@pytest.fixture
def operator(root: SigningKey) -> Person:
    found = person("otto", role="operator", is_operator=True)
    appoint(root, {found: OPERATOR})
    return found


def wanted(tenant: Tenant) -> PlacementRequest:
    return PlacementRequest(
        "instance.create", tenant.project, new_id(), "instance", vcpus=1, memory_mib=128, disk_gib=1
    )


def refusal(ask: PlacementRequest) -> Decision:
    with pytest.raises(PolicyUnsatisfiable) as caught:
        placement.claim(ask)
    return Decision.objects.get(pk=caught.value.facts["placement_decision"])


def requested(tenant: Tenant, ask: PlacementRequest, **more: object) -> Exemption:
    new = NewExemption(decision=refusal(ask), zone="de-rhein-1", reason="the flood", **more)  # type: ignore[arg-type]
    return exemption_request(tenant.actor, tenant.project, new)


def test_what_two_people_allow_happens_once_and_is_told(tenant: Tenant, officer: Person, operator: Person) -> None:
    ask = wanted(tenant)
    exemption = requested(tenant, ask)
    officer.approve(exemption, OFFICER)
    operator.approve(exemption, OPERATOR)
    allocation = placement.claim(ask)
    results = {
        each["atom"]: (each["result"], each["code"], each["detail"])
        for zone in expand_results(allocation.decision.document)["zones"]
        for each in zone["results"]
        if zone["zone"] == "de-rhein-1"
    }
    assert results["here"] == ("T", "WAIVED", "ATTR_MISMATCH")
    exemption.refresh_from_db()
    assert exemption.use_count == 1
    told = AuditEntry.objects.filter(resource_id=exemption.pk).order_by("created_at")
    verbs = told.filter(project_id=tenant.project.pk).values_list("verb", flat=True)
    assert list(verbs) == ["exemption.request", "exemption.approve", "exemption.approve", "exemption.use"]
    (use,) = told.filter(project_id=None)
    assert (use.verb, use.facts["project"]) == ("exemption.use", str(tenant.project.pk)), "the operator is told too"
    assert EvidenceRecord.objects.filter(kind="exemption", resource_id=ask.consumer_id).count() == 4
    refusal(wanted(tenant))
    placement.release_allocation(ask.consumer_id)
    refusal(ask)


def test_one_approval_is_not_enough(tenant: Tenant, officer: Person) -> None:
    ask = wanted(tenant)
    officer.approve(requested(tenant, ask), OFFICER)
    refusal(ask)
    assert not Allocation.objects.exists()


def test_the_same_person_cannot_approve_twice(tenant: Tenant, root: SigningKey) -> None:
    both = person("both", role=OFFICER, organization_id=tenant.project.organization_id, is_operator=True)
    appoint(root, {both: OFFICER})
    exemption = both.approve(requested(tenant, wanted(tenant)), OFFICER)
    with pytest.raises(ExemptionSamePerson):
        both.approve(exemption, OPERATOR)


def test_two_operators_are_not_two_duties(tenant: Tenant, operator: Person) -> None:
    exemption = operator.approve(requested(tenant, wanted(tenant)), OPERATOR)
    other = person("oscar", role="operator", is_operator=True)
    with pytest.raises(ExemptionSamePerson):
        other.approve(exemption, OPERATOR)
    with pytest.raises(RoleNeeded):
        other.approve(exemption, OFFICER)


def test_who_asked_cannot_approve(tenant: Tenant, officer: Person) -> None:
    ask = wanted(tenant)
    new = NewExemption(decision=refusal(ask), zone="de-rhein-1", reason="the flood")
    asking = replace(officer.actor, role="member")
    exemption = exemption_request(asking, tenant.project, new)
    with pytest.raises(ExemptionSamePerson):
        officer.approve(exemption, OFFICER)


def test_an_officer_of_another_organization_cannot_approve(tenant: Tenant) -> None:
    stranger = person("sven", role=OFFICER, organization_id=make_tenant("beta").project.organization_id)
    with pytest.raises(RoleNeeded):
        stranger.approve(requested(tenant, wanted(tenant)), OFFICER)


def test_after_its_end_it_is_over(tenant: Tenant, officer: Person, operator: Person) -> None:
    ask = wanted(tenant)
    exemption = requested(tenant, ask, lifetime=timedelta(minutes=5))
    officer.approve(exemption, OFFICER)
    operator.approve(exemption, OPERATOR)
    deed = ExemptedAction(ask.consumer_id, ask.operation, ())
    assert exemptions.in_force(deed, clock.now()) == [exemption]
    assert exemptions.in_force(deed, clock.now() + timedelta(minutes=6)) == []


def test_what_is_over_cannot_be_approved(tenant: Tenant, officer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    exemption = requested(tenant, wanted(tenant))
    later = clock.now() + timedelta(hours=5)
    monkeypatch.setattr("controlplane.placement.exemptions.clock.now", lambda: later)
    with pytest.raises(ExemptionOver):
        officer.approve(exemption, OFFICER)


def test_a_clause_that_is_not_waivable_stays(tenant: Tenant) -> None:
    facts.state_of("zone", "de-rhein-1", {"keys.countries": ["DE"]})
    with pytest.raises(ExemptionNotPossible, match="fixed"):
        requested(tenant, wanted(tenant))


@pytest.mark.parametrize("lifetime", [timedelta(minutes=1), timedelta(hours=73)])
def test_it_lasts_hours(tenant: Tenant, lifetime: timedelta) -> None:
    with pytest.raises(ExemptionNotPossible):
        requested(tenant, wanted(tenant), lifetime=lifetime)


def test_a_key_that_the_root_has_not_appointed_does_not_count(
    tenant: Tenant, root: SigningKey, operator: Person
) -> None:
    """Whoever runs the control plane can register keys and make members; whose a key is, the keyset says."""
    exemption = requested(tenant, wanted(tenant))
    own = tenant.project.organization_id
    minted = person("mallory", role=OFFICER, organization_id=own)
    with pytest.raises(ApprovalInvalid, match="duty"):
        minted.approve(exemption, OFFICER)
    as_officer = replace(operator, actor=replace(operator.actor, role=OFFICER, organization_id=own))
    with pytest.raises(ApprovalInvalid, match="duty"):
        as_officer.approve(exemption, OFFICER)
    stranger = person("sven", role=OFFICER, organization_id=make_tenant("beta").project.organization_id)
    appoint(root, {stranger: OFFICER})
    moved = replace(stranger, actor=replace(stranger.actor, organization_id=own))
    with pytest.raises(ApprovalInvalid, match="duty"):
        moved.approve(exemption, OFFICER)


def test_a_revoked_key_does_not_count_from_that_moment(tenant: Tenant, officer: Person) -> None:
    exemption = requested(tenant, wanted(tenant))
    officer_key_revoke(SYSTEM, officer.key_id)
    with pytest.raises(OfficerKeyNotInForce):
        officer.approve(exemption, OFFICER)


def test_a_signature_of_other_terms_does_not_count(tenant: Tenant, officer: Person) -> None:
    exemption, other = requested(tenant, wanted(tenant)), requested(tenant, wanted(tenant))
    with pytest.raises(ApprovalInvalid):
        exemption_approve(
            officer.actor, exemption, duty=OFFICER, key_id=officer.key_id, signature=officer.sign(other, OFFICER)
        )


def test_somebody_elses_key_does_not_count(tenant: Tenant, officer: Person, operator: Person) -> None:
    exemption = requested(tenant, wanted(tenant))
    signature = operator.key.sign(
        message(KIND, exemptions.terms_of(exemption).approval_payload(str(officer.actor.user_id), OFFICER))
    )
    with pytest.raises(ApprovalInvalid):
        exemption_approve(officer.actor, exemption, duty=OFFICER, key_id=operator.key_id, signature=signature)


INVENTED = [
    {"approver": str(new_id()), "duty": duty, "key_id": duty, "signature": "c2lnbmF0dXJl"}
    for duty in (OFFICER, OPERATOR)
]


@pytest.mark.parametrize("approvals", [INVENTED, [{}, {}], ["x", "y"]])
def test_approvals_that_were_written_into_the_table_admit_nothing(
    tenant: Tenant, root: SigningKey, officer: Person, approvals: list[object]
) -> None:
    ask = wanted(tenant)
    Exemption.objects.filter(pk=requested(tenant, ask).pk).update(approvals=approvals)
    refusal(ask)
    assert not Allocation.objects.exists()


def test_a_key_that_is_denied_later_takes_its_approval_along(tenant: Tenant, root: SigningKey, tmp_path: Path) -> None:
    ask = wanted(tenant)
    exemption = agree(root, requested(tenant, ask))
    kid = exemption.approvals[0]["key_id"]
    trust_documents.deny(SYSTEM, signing_keys.create(tmp_path, signing_keys.SIGNER, name="signer"), kids=[kid])
    refusal(ask)


def test_data_that_has_become_secret_since_has_none(tenant: Tenant, root: SigningKey) -> None:
    ask = wanted(tenant)
    agree(root, requested(tenant, ask))
    Binding.objects.create(resource_id=ask.consumer_id, kind="instance", project=tenant.project, classifications=["dr"])
    refusal(ask)


def test_an_operation_uses_it_once_however_often_it_decides(tenant: Tenant, root: SigningKey) -> None:
    ask = replace(wanted(tenant), operation_id=new_id())
    exemption = agree(root, requested(tenant, ask))
    placement.claim(ask)
    facts.state_of("zone", "de-rhein-1", {"keys.countries": ["FR"]})
    decision = placement.renew_decision(ask)
    exemption.refresh_from_db()
    assert (decision.is_admitted, exemption.use_count) == (True, 1)
    assert [use.operation_id for use in ExemptionUse.objects.all()] == [ask.operation_id]
    with pytest.raises(PolicyUnsatisfiable):
        placement.renew_decision(replace(ask, operation_id=new_id()))


@pytest.mark.usefixtures("tenant")
def test_what_an_exemption_alone_admits_is_kept_and_counted_each_time(root: SigningKey) -> None:
    """Also where no operation decides again."""
    tenant = make_tenant("beta")
    placed = wanted(tenant)
    placement.claim(placed)
    policy_set(tenant.actor, atoms=[HERE, FIXED], project=tenant.project)
    look = replace(placed, operation="console.read")
    with pytest.raises(PolicyUnsatisfiable) as caught:
        placement.check_current_node(look)
    refused = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    new = NewExemption(decision=refused, zone="de-rhein-1", reason="the flood", max_uses=2)
    exemption = agree(root, exemption_request(tenant.actor, tenant.project, new))
    for count in (1, 2):
        placement.keep_exempted(look, placement.check_current_node(look))
        exemption.refresh_from_db()
        assert exemption.use_count == count
    with pytest.raises(PolicyUnsatisfiable):
        placement.check_current_node(look)
    used = Decision.objects.filter(operation="console.read", is_admitted=True)
    assert set(used.values_list("pk", flat=True)) == set(ExemptionUse.objects.values_list("decision_id", flat=True))
    assert EvidenceRecord.objects.filter(kind="decision", subject_id__in=used.values("pk")).count() == 2
    told = AuditEntry.objects.filter(verb="exemption.use", resource_id=exemption.pk)
    assert told.filter(project_id=tenant.project.pk).count() == told.filter(project_id=None).count() == 2


def exempt(cloud: Cloud, deed: Callable[[], object]) -> Exemption:
    """What refuses the deed is exempted by two people."""
    with pytest.raises(PolicyUnsatisfiable) as caught:
        deed()
    refused = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    new = NewExemption(decision=refused, zone="fr-idf-1", reason="the flood")
    return agree(cloud.world.root, exemption_request(cloud.tenant.actor, cloud.tenant.project, new))


@pytest.fixture
def refused(cloud: Cloud) -> Cloud:
    """What has been made in its zone may do nothing there any more, but for exemptions."""
    make_instance(cloud)
    make_volume(cloud)
    facts.officer()
    cloud.world.publish_keys()
    facts.state_of("zone", "fr-idf-1", {"location.territory": "DE"})
    policy_set(cloud.tenant.actor, atoms=[HERE], project=cloud.tenant.project)
    return cloud


def test_a_console_is_read_once_under_an_exemption(refused: Cloud) -> None:
    look = partial(console_tail, Instance.objects.get(), max_bytes=10)
    exemption = exempt(refused, look)
    look()
    exemption.refresh_from_db()
    assert (exemption.op, exemption.use_count) == ("console.read", 1)
    with pytest.raises(PolicyUnsatisfiable):
        look()


def test_a_console_that_is_open_is_one_use_of_an_exemption(refused: Cloud) -> None:
    project, instance = refused.tenant.project, Instance.objects.get()
    actor = replace(refused.tenant.actor, organization_id=project.organization_id)
    opening = partial(console_open, actor, project, instance, kind=Kind.SERIAL)
    exemption = exempt(refused, opening)
    console = opening()
    for _ in range(2):
        assert recheck_access(actor, console) == instance
    exemption.refresh_from_db()
    assert exemption.use_count == 1
    with pytest.raises(PolicyUnsatisfiable):
        opening()


def test_an_attachment_uses_one_for_each_side_and_once(refused: Cloud) -> None:
    """The volume's decides in the operation, the instance's decides nowhere else."""
    plug = partial(attach, refused, Instance.objects.get(), Volume.objects.get())
    both = [exempt(refused, plug), exempt(refused, plug)]
    _, operation = plug()
    done(operation)
    for exemption in both:
        exemption.refresh_from_db()
        assert (exemption.op, exemption.use_count) == ("volume.attach", 1)
    assert set(ExemptionUse.objects.values_list("operation_id", flat=True)) == {operation.pk}


def test_one_for_another_zone_does_not_hide_it(tenant: Tenant, root: SigningKey) -> None:
    """That one ends first, and its zone has no node."""
    make_zone("de-rhein-2")
    facts.state_of("zone", "de-rhein-2", {"location.territory": "DE", "keys.countries": ["FR"]})
    ask = wanted(tenant)
    decision = refusal(ask)
    for zone, hours in (("de-rhein-2", 1), ("de-rhein-1", 2)):
        new = NewExemption(decision=decision, zone=zone, reason="the flood", lifetime=timedelta(hours=hours))
        agree(root, exemption_request(tenant.actor, tenant.project, new))
    assert placement.claim(ask).node.zone_id == "de-rhein-1"
    assert list(Exemption.objects.order_by("zone").values_list("zone", "use_count")) == [
        ("de-rhein-1", 1),
        ("de-rhein-2", 0),
    ]


def test_an_old_refusal_is_no_ground(tenant: Tenant) -> None:
    decision = refusal(wanted(tenant))
    Decision.objects.filter(pk=decision.pk).update(created_at=clock.now() - timedelta(hours=25))
    decision.refresh_from_db()
    new = NewExemption(decision=decision, zone="de-rhein-1", reason="the flood")
    with pytest.raises(ExemptionNotPossible, match="day old"):
        exemption_request(tenant.actor, tenant.project, new)


def test_only_one_at_a_time_for_the_same(tenant: Tenant) -> None:
    ask = wanted(tenant)
    first = requested(tenant, ask)
    with pytest.raises(ExemptionAsked, match=str(first.pk)):
        requested(tenant, ask)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM placement_exemptionuse", "UPDATE placement_exemptionuse SET operation_id = NULL"]
)
def test_a_use_cannot_be_taken_back(tenant: Tenant, root: SigningKey, statement: str) -> None:
    ask = wanted(tenant)
    agree(root, requested(tenant, ask))
    placement.claim(ask)
    with pytest.raises(IntegrityError, match="fixed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM placement_exemption",
        "UPDATE placement_exemption SET expires_at = expires_at + interval '1 day'",
        "UPDATE placement_exemption SET waived = '{x/y}'",
        "UPDATE placement_exemption SET max_uses = 100",
    ],
)
def test_its_terms_are_fixed_also_for_sql(tenant: Tenant, statement: str) -> None:
    requested(tenant, wanted(tenant))
    with pytest.raises(IntegrityError, match="fixed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
