"""Exemptions: two approvers of different roles, stated clauses, hours of lifetime, and an audit entry for each step."""

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
from controlplane.compute.guest_sessions import Kind, console_open, recheck_access
from controlplane.compute.models import Instance
from controlplane.compute.public_address_attachments import ATTACH
from controlplane.compute.services import instance_placement_request
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes import signing_keys, trust_documents
from controlplane.nodes.signing_keys import SigningKey
from controlplane.placement import exemptions
from controlplane.placement import services as placement
from controlplane.placement.batch_decisions import store_decisions
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.errors import (
    ApprovalInvalid,
    ExemptionAlreadyRequested,
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
from tests.workflows.helpers import ask_instance, attach, done, late, make_instance, make_volume
from tests.world import Cloud, Tenant, make_node, make_tenant, make_zone

pytestmark = pytest.mark.django_db

HERE = {"id": "here", "attr": "location.territory", "op": "in", "value": ["FR"], "waivable": True}
FIXED = {"id": "fixed", "attr": "keys.countries", "op": "subset", "value": ["FR"]}


@pytest.fixture
def tenant() -> Tenant:
    tenant = make_tenant()
    make_node("one", zone="de-rhein-1")
    facts.state_of("zone", "de-rhein-1", {"location.territory": "DE", "keys.countries": ["FR"]})
    policy_set(tenant.actor, clauses=[HERE, FIXED], project=tenant.project)
    return tenant


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> SigningKey:
    settings.PKI_DIR = tmp_path
    return signing_keys.create(tmp_path / "root", signing_keys.ROOT, name="root")


@pytest.fixture
def officer(tenant: Tenant, root: SigningKey) -> Person:
    user = person("olga", role=OFFICER, organization_id=tenant.project.organization_id)
    appoint(root, {user: OFFICER})
    return user


@pytest.fixture
def operator(root: SigningKey) -> Person:
    user = person("otto", role="operator", is_operator=True)
    appoint(root, {user: OPERATOR})
    return user


def placement_request(tenant: Tenant) -> PlacementRequest:
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


def test_approved_exemption_is_used_once_and_recorded(tenant: Tenant, officer: Person, operator: Person) -> None:
    ask = placement_request(tenant)
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
    entries = AuditEntry.objects.filter(resource_id=exemption.pk).order_by("created_at")
    verbs = entries.filter(project_id=tenant.project.pk).values_list("verb", flat=True)
    assert list(verbs) == ["exemption.request", "exemption.approve", "exemption.approve", "exemption.use"]
    (use,) = entries.filter(project_id=None)
    assert (use.verb, use.facts["project"]) == ("exemption.use", str(tenant.project.pk)), "the operator is told too"
    assert EvidenceRecord.objects.filter(kind="exemption", resource_id=ask.consumer_id).count() == 4
    refusal(placement_request(tenant))
    placement.release_allocation(ask.consumer_id)
    refusal(ask)


def test_one_approval_is_not_enough(tenant: Tenant, officer: Person) -> None:
    ask = placement_request(tenant)
    officer.approve(requested(tenant, ask), OFFICER)
    refusal(ask)
    assert not Allocation.objects.exists()


def test_one_user_cannot_approve_twice(tenant: Tenant, root: SigningKey) -> None:
    both = person("both", role=OFFICER, organization_id=tenant.project.organization_id, is_operator=True)
    appoint(root, {both: OFFICER})
    exemption = both.approve(requested(tenant, placement_request(tenant)), OFFICER)
    with pytest.raises(ExemptionSamePerson):
        both.approve(exemption, OPERATOR)


def test_two_operators_do_not_satisfy_both_roles(tenant: Tenant, operator: Person) -> None:
    exemption = operator.approve(requested(tenant, placement_request(tenant)), OPERATOR)
    other = person("oscar", role="operator", is_operator=True)
    with pytest.raises(ExemptionSamePerson):
        other.approve(exemption, OPERATOR)
    with pytest.raises(RoleNeeded):
        other.approve(exemption, OFFICER)


def test_requester_cannot_approve(tenant: Tenant, officer: Person) -> None:
    ask = placement_request(tenant)
    new = NewExemption(decision=refusal(ask), zone="de-rhein-1", reason="the flood")
    asking = replace(officer.actor, role="member")
    exemption = exemption_request(asking, tenant.project, new)
    with pytest.raises(ExemptionSamePerson):
        officer.approve(exemption, OFFICER)


def test_an_officer_of_another_organization_cannot_approve(tenant: Tenant) -> None:
    stranger = person("sven", role=OFFICER, organization_id=make_tenant("beta").project.organization_id)
    with pytest.raises(RoleNeeded):
        stranger.approve(requested(tenant, placement_request(tenant)), OFFICER)


def test_exemption_ends_at_its_expiry(tenant: Tenant, officer: Person, operator: Person) -> None:
    ask = placement_request(tenant)
    exemption = requested(tenant, ask, lifetime=timedelta(minutes=5))
    officer.approve(exemption, OFFICER)
    operator.approve(exemption, OPERATOR)
    action = ExemptedAction(ask.consumer_id, ask.operation, ())
    assert exemptions.in_force(action, clock.now()) == [exemption]
    assert exemptions.in_force(action, clock.now() + timedelta(minutes=6)) == []


def test_expired_exemption_cannot_be_approved(tenant: Tenant, officer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    exemption = requested(tenant, placement_request(tenant))
    later = clock.now() + timedelta(hours=5)
    monkeypatch.setattr("controlplane.placement.exemptions.clock.now", lambda: later)
    with pytest.raises(ExemptionOver):
        officer.approve(exemption, OFFICER)


def test_unwaivable_clause_still_refuses(tenant: Tenant) -> None:
    facts.state_of("zone", "de-rhein-1", {"keys.countries": ["DE"]})
    with pytest.raises(ExemptionNotPossible, match="fixed"):
        requested(tenant, placement_request(tenant))


@pytest.mark.parametrize("lifetime", [timedelta(minutes=1), timedelta(hours=73)])
def test_exemption_lifetime_is_bounded(tenant: Tenant, lifetime: timedelta) -> None:
    with pytest.raises(ExemptionNotPossible):
        requested(tenant, placement_request(tenant), lifetime=lifetime)


def test_approval_by_an_unappointed_key_is_refused(tenant: Tenant, root: SigningKey, operator: Person) -> None:
    """An operator can register keys and make members; only the keyset says whose a key is."""
    exemption = requested(tenant, placement_request(tenant))
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


def test_approval_by_a_revoked_key_is_refused(tenant: Tenant, officer: Person) -> None:
    exemption = requested(tenant, placement_request(tenant))
    officer_key_revoke(SYSTEM, officer.key_id)
    with pytest.raises(OfficerKeyNotInForce):
        officer.approve(exemption, OFFICER)


def test_approval_of_other_terms_is_refused(tenant: Tenant, officer: Person) -> None:
    exemption, other = requested(tenant, placement_request(tenant)), requested(tenant, placement_request(tenant))
    with pytest.raises(ApprovalInvalid):
        exemption_approve(
            officer.actor, exemption, duty=OFFICER, key_id=officer.key_id, signature=officer.sign(other, OFFICER)
        )


def test_approval_with_the_key_of_another_user_is_refused(tenant: Tenant, officer: Person, operator: Person) -> None:
    exemption = requested(tenant, placement_request(tenant))
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
def test_approvals_inserted_by_sql_admit_nothing(
    tenant: Tenant, root: SigningKey, officer: Person, approvals: list[object]
) -> None:
    ask = placement_request(tenant)
    Exemption.objects.filter(pk=requested(tenant, ask).pk).update(approvals=approvals)
    refusal(ask)
    assert not Allocation.objects.exists()


def test_denied_key_invalidates_its_approval(tenant: Tenant, root: SigningKey, tmp_path: Path) -> None:
    ask = placement_request(tenant)
    exemption = agree(root, requested(tenant, ask))
    kid = exemption.approvals[0]["key_id"]
    trust_documents.deny(SYSTEM, signing_keys.create(tmp_path, signing_keys.SIGNER, name="signer"), kids=[kid])
    refusal(ask)


def test_exemption_does_not_cover_later_classifications(tenant: Tenant, root: SigningKey) -> None:
    ask = placement_request(tenant)
    agree(root, requested(tenant, ask))
    Binding.objects.create(resource_id=ask.consumer_id, kind="instance", project=tenant.project, classifications=["dr"])
    refusal(ask)


def test_operation_uses_an_exemption_once(tenant: Tenant, root: SigningKey) -> None:
    ask = replace(placement_request(tenant), operation_id=new_id())
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
def test_placement_without_an_operation_counts_each_use(root: SigningKey) -> None:
    """Also where no operation decides again."""
    tenant = make_tenant("beta")
    placed = placement_request(tenant)
    placement.claim(placed)
    policy_set(tenant.actor, clauses=[HERE, FIXED], project=tenant.project)
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
    entries = AuditEntry.objects.filter(verb="exemption.use", resource_id=exemption.pk)
    assert entries.filter(project_id=tenant.project.pk).count() == entries.filter(project_id=None).count() == 2


def exempt(cloud: Cloud, action: Callable[[], object]) -> Exemption:
    """Exempt the refused action with two approvals."""
    with pytest.raises(PolicyUnsatisfiable) as caught:
        action()
    refused = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    new = NewExemption(decision=refused, zone="fr-idf-1", reason="the flood")
    return agree(cloud.world.root, exemption_request(cloud.tenant.actor, cloud.tenant.project, new))


@pytest.fixture
def refused(cloud: Cloud) -> Cloud:
    """Return a cloud whose resources are admitted in their zone by exemptions only."""
    make_instance(cloud)
    make_volume(cloud)
    tighten(cloud)
    return cloud


def tighten(cloud: Cloud) -> None:
    """Exclude the cloud's zone by the policy of its project."""
    facts.officer()
    cloud.world.publish_keys()
    facts.state_of("zone", "fr-idf-1", {"location.territory": "DE"})
    policy_set(cloud.tenant.actor, clauses=[HERE], project=cloud.tenant.project)


def test_a_console_is_read_once_under_an_exemption(refused: Cloud) -> None:
    look = partial(console_tail, Instance.objects.get(), max_bytes=10)
    exemption = exempt(refused, look)
    look()
    exemption.refresh_from_db()
    assert (exemption.op, exemption.use_count) == ("console.read", 1)
    with pytest.raises(PolicyUnsatisfiable):
        look()


def test_open_console_is_one_use_of_an_exemption(refused: Cloud) -> None:
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


def test_attachment_uses_one_exemption_per_side_once(refused: Cloud) -> None:
    """The volume's decides in the operation, the instance's decides nowhere else."""
    plug = partial(attach, refused, Instance.objects.get(), Volume.objects.get())
    both = [exempt(refused, plug), exempt(refused, plug)]
    _, operation = plug()
    done(operation)
    for exemption in both:
        exemption.refresh_from_db()
        assert (exemption.op, exemption.use_count) == ("volume.attach", 1)
    assert set(ExemptionUse.objects.values_list("operation_id", flat=True)) == {operation.pk}


def test_first_use_of_a_volume_needs_an_exemption_to_make_it_too(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud, volume_type=late())
    tighten(cloud)
    plug = partial(attach, cloud, instance, volume)
    exemptions = [exempt(cloud, plug) for _ in range(3)]
    done(plug()[1])
    for exemption in exemptions:
        exemption.refresh_from_db()
    assert sorted((each.op, each.use_count) for each in exemptions) == [
        ("volume.attach", 1),
        ("volume.attach", 1),
        ("volume.create", 1),
    ]


def test_new_instance_needs_an_exemption_for_each_volume_that_it_makes_too(cloud: Cloud) -> None:
    volume = make_volume(cloud, volume_type=late())
    tighten(cloud)
    of_instance = exempt(cloud, partial(ask_instance, cloud, volumes=(volume,)))
    create = partial(ask_instance, cloud, volumes=(volume,), exemption=of_instance)
    of_volume = exempt(cloud, create)
    done(create()[1])
    for exemption, op in ((of_instance, "instance.create"), (of_volume, "volume.create")):
        exemption.refresh_from_db()
        assert (exemption.op, exemption.use_count) == (op, 1)


def test_exemption_admits_its_own_instance_among_many(cloud: Cloud) -> None:
    """Both instances have the same policies, on the same node."""
    for name in ("first", "second"):
        make_instance(cloud, name)
    tighten(cloud)
    requests = [instance_placement_request(each, operation=ATTACH) for each in Instance.objects.order_by("pk")]
    decide = partial(placement.check_current_nodes, requests)
    both = [exempt(cloud, decide), exempt(cloud, decide)]
    assert [each.resource_ids for each in both] == [[each.consumer_id] for each in requests]
    store_decisions(list(zip(requests, decide(), strict=True)))
    for exemption in both:
        exemption.refresh_from_db()
        assert (exemption.op, exemption.use_count) == (ATTACH, 1)
    with pytest.raises(PolicyUnsatisfiable):
        decide()


def test_exemption_of_another_zone_does_not_hide_the_right_one(tenant: Tenant, root: SigningKey) -> None:
    """The exemption of the other zone ends first, and its zone has no node."""
    make_zone("de-rhein-2")
    facts.state_of("zone", "de-rhein-2", {"location.territory": "DE", "keys.countries": ["FR"]})
    ask = placement_request(tenant)
    decision = refusal(ask)
    for zone, hours in (("de-rhein-2", 1), ("de-rhein-1", 2)):
        new = NewExemption(decision=decision, zone=zone, reason="the flood", lifetime=timedelta(hours=hours))
        agree(root, exemption_request(tenant.actor, tenant.project, new))
    assert placement.claim(ask).node.zone_id == "de-rhein-1"
    assert list(Exemption.objects.order_by("zone").values_list("zone", "use_count")) == [
        ("de-rhein-1", 1),
        ("de-rhein-2", 0),
    ]


def test_old_refusal_cannot_be_exempted(tenant: Tenant) -> None:
    decision = refusal(placement_request(tenant))
    Decision.objects.filter(pk=decision.pk).update(created_at=clock.now() - timedelta(hours=25))
    decision.refresh_from_db()
    new = NewExemption(decision=decision, zone="de-rhein-1", reason="the flood")
    with pytest.raises(ExemptionNotPossible, match="day old"):
        exemption_request(tenant.actor, tenant.project, new)


def test_second_exemption_request_for_one_action_is_refused(tenant: Tenant) -> None:
    ask = placement_request(tenant)
    first = requested(tenant, ask)
    with pytest.raises(ExemptionAlreadyRequested, match=str(first.pk)):
        requested(tenant, ask)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM placement_exemptionuse", "UPDATE placement_exemptionuse SET operation_id = NULL"]
)
def test_recorded_use_cannot_be_deleted(tenant: Tenant, root: SigningKey, statement: str) -> None:
    ask = placement_request(tenant)
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
def test_database_refuses_changes_of_the_terms(tenant: Tenant, statement: str) -> None:
    requested(tenant, placement_request(tenant))
    with pytest.raises(IntegrityError, match="fixed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
