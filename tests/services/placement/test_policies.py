"""Stored policies: required roles, effect of a change, and changes that need two people and a delay."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from pytest_django import Settings

from andromede_core.placement.decision import expand_results
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.catalog import epochs
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import DutiesMixed, RoleNeeded
from controlplane.identity.models import Membership, Project
from controlplane.identity.services import membership_set, project_create, user_create
from controlplane.kernel import clock
from controlplane.kernel.errors import IllegalTransition
from controlplane.placement import effective_policies, policies, proposals
from controlplane.placement import services as placement
from controlplane.placement.classifications import classifications_import
from controlplane.placement.effective_policies import PolicySubject
from controlplane.placement.errors import (
    PersonNeeded,
    PolicyEmpty,
    PolicyInvalid,
    PolicyUnsatisfiable,
    ProposalOvertaken,
    SecondPersonNeeded,
    TooManyClauses,
)
from controlplane.placement.models import (
    Allocation,
    Classification,
    Decision,
    PolicyHead,
    PolicyProposal,
    PolicyVersion,
)
from controlplane.placement.simulations import admissible_zones
from controlplane.reconcilers import policy_proposals
from tests.services.placement.test_placement import ask
from tests.services.policies import EU, SNC, classify, in_zones, officer, operator, shipped
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


def set_for(tenant: Tenant, clauses: list[Any], actor: Actor | None = None, **more: Any) -> policies.Outcome:
    """Set the policy of the tenant's organization as one of its officers."""
    by = actor or officer(tenant.project)
    return policies.policy_set(by, clauses=clauses, organization=tenant.project.organization, **more)


def head_of(tenant: Tenant) -> int:
    return PolicyHead.objects.get(organization=tenant.project.organization).version


# ---- what is saved


@pytest.mark.parametrize(
    ("clause", "field", "named"),
    [
        ({"id": "x", "attr": "no.such", "op": "in", "value": ["FR"]}, "atoms/0/attr", "x"),
        ({"id": "x", "attr": "location.territory", "op": "le", "value": "FR"}, "atoms/0/op", "x"),
        ({"id": "x", "attr": "location.territory", "op": "in", "value": ["@MARS"]}, "atoms/0/value", "@MARS"),
        ({"id": "x", "op": "holds", "scheme": "@nothing"}, "atoms/0/scheme", "@nothing"),
        ({"id": "x", "attr": "network_class", "op": "ge", "value": "2"}, "atoms/0/value", "x"),
        ({"id": "x", "attr": "zone.id", "op": "in", "value": ["a"], "allow": True}, "atoms/0", "allow"),
        ({"attr": "zone.id", "op": "in", "value": ["a"]}, "atoms/0", "id"),
        ("eu", "atoms/0", "-"),
    ],
)
def test_ill_typed_clause_is_refused_with_its_field(
    imported: None, tenant: Tenant, clause: Any, field: str, named: str
) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        set_for(tenant, [clause])
    assert str(caught.value.field).startswith(field)
    assert named in str(caught.value)
    assert not PolicyVersion.objects.filter(level="organization").exists()


def test_contradiction_names_the_clauses_and_levels(tenant: Tenant) -> None:
    policies.policy_set(SYSTEM, clauses=in_zones("fr-idf-1", name="floor"))
    with pytest.raises(PolicyEmpty) as caught:
        set_for(tenant, in_zones("us-va-1", name="abroad"))
    assert caught.value.facts["atoms"] == "platform/floor, organization/abroad"
    assert "EMPTY_INTERSECTION" in str(caught.value)
    with pytest.raises(PolicyEmpty, match="project/a, project/b"):
        clauses = [*in_zones("fr-idf-1", name="a"), *in_zones("de-rhein-1", name="b")]
        policies.policy_set(tenant.actor, clauses=clauses, project=make_tenant("beta").project)


def test_redundant_clause_is_reported_and_kept(tenant: Tenant) -> None:
    set_for(tenant, in_zones("fr-idf-1"))
    wider = in_zones("fr-idf-1", "de-rhein-1", name="wider")
    outcome = policies.policy_set(tenant.actor, clauses=wider, project=tenant.project)
    assert [ref.clause for ref in outcome.review.lint] == ["wider"]
    assert outcome.version is not None
    assert outcome.version.clauses == [wider[0] | {"value": ["de-rhein-1", "fr-idf-1"]}]


def test_review_lists_newly_refused_zones(imported: None, tenant: Tenant) -> None:
    first = set_for(tenant, EU)
    assert "us-va-1" in first.review.newly_refused
    second = policies.policy_set(tenant.actor, clauses=[SNC], project=tenant.project)
    assert "us-va-1" not in second.review.newly_refused
    assert "de-rhein-1" in second.review.newly_refused


def test_clause_about_backups_refuses_no_zone_for_new_resources(imported: None, tenant: Tenant) -> None:
    far = {"id": "far", "op": "min_distance_km", "value": 100, "roles": ["backup"]}
    assert set_for(tenant, [far]).review.newly_refused == ()
    assert len(admissible_zones(effective_policies.for_project(tenant.project))) > 10
    second = policies.policy_set(tenant.actor, clauses=[SNC], project=tenant.project)
    assert "de-rhein-1" in second.review.newly_refused
    assert "fr-idf-1" in admissible_zones(effective_policies.for_project(tenant.project))
    consoles = {"id": "con", "attr": "zone.id", "op": "in", "value": ["us-va-1"], "roles": ["console"]}
    assert policies.policy_set(SYSTEM, clauses=[consoles]).review.newly_refused == ()


# ---- who may, and what counts at once


def test_tightened_policy_applies_at_once_and_is_in_evidence(tenant: Tenant) -> None:
    before = head_of(tenant)
    outcome = set_for(tenant, in_zones("fr-idf-1", "de-rhein-1"))
    assert (outcome.review.change, outcome.proposal) == ("tighter", None)
    assert head_of(tenant) == before + 1
    outcome = set_for(tenant, in_zones("fr-idf-1"), officer(tenant.project, "otto"))
    assert outcome.version is not None
    assert (outcome.version.version, head_of(tenant)) == (2, before + 2)
    record = EvidenceRecord.objects.filter(kind="policy_version").latest("created_at")
    assert record.organization_id == tenant.project.organization_id
    assert f'"head":{before + 2}' in str(record.document)
    assert AuditEntry.objects.filter(verb="policy.set", resource_id=outcome.version.pk).exists()


def test_repeated_policy_is_a_version_without_a_change(tenant: Tenant) -> None:
    set_for(tenant, in_zones("fr-idf-1"))
    outcome = set_for(tenant, in_zones("fr-idf-1"), officer(tenant.project, "otto"))
    assert (outcome.review.change, outcome.proposal) == ("same", None)


def test_database_refuses_an_allocation_under_a_stale_decision(tenant: Tenant) -> None:
    """The organization tightens between the decision and the commit."""
    make_node("one", zone="de-rhein-1")
    allocation = placement.claim(ask(tenant))
    set_for(tenant, in_zones("fr-idf-1"))
    with pytest.raises(DatabaseError, match="STALE_POLICY"), transaction.atomic():
        Allocation.objects.filter(pk=allocation.pk).update(vcpus=2)
    with pytest.raises(PolicyUnsatisfiable):
        placement.renew_decision(retry_exemption(tenant, allocation))


def retry_exemption(tenant: Tenant, allocation: Allocation) -> Any:
    return replace(ask(tenant), consumer_id=allocation.consumer_id, operation="instance.start")


def test_platform_policy_applies_to_every_organization(tenant: Tenant) -> None:
    make_node("home", zone="fr-idf-1")
    make_node("away", zone="us-va-1")
    policies.policy_set(operator(), clauses=in_zones("fr-idf-1"))
    for each in (tenant, make_tenant("beta")):
        assert placement.claim(ask(each)).node.zone_id == "fr-idf-1"


@pytest.mark.parametrize("role", ["member", "viewer", "admin", "owner"])
def test_organization_policy_needs_an_officer(tenant: Tenant, role: str) -> None:
    actor = Actor(tenant.actor.user_id, None, tenant.project.pk, role, organization_id=tenant.project.organization_id)
    with pytest.raises(RoleNeeded):
        set_for(tenant, in_zones("fr-idf-1"), actor)
    with pytest.raises(RoleNeeded):
        policies.policy_set(actor, clauses=in_zones("fr-idf-1"))


def test_officer_sets_policies_of_one_organization_only(tenant: Tenant) -> None:
    stranger = officer(make_tenant("beta").project)
    with pytest.raises(RoleNeeded):
        set_for(tenant, in_zones("fr-idf-1"), stranger)
    with pytest.raises(RoleNeeded):
        policies.policy_set(stranger, clauses=in_zones("fr-idf-1"), project=tenant.project)


def test_officer_cannot_change_resources(tenant: Tenant) -> None:
    with pytest.raises(RoleNeeded):
        officer(tenant.project).may_write()


def test_platform_role_and_officer_role_exclude_each_other(tenant: Tenant) -> None:
    for duty in ("is_operator", "is_auditor"):
        user = user_create(email=f"{duty}@platform.example", **{duty: True})
        with pytest.raises(DutiesMixed):
            membership_set(tenant.project.organization, user=user, role="sovereignty_officer")
    with pytest.raises(IntegrityError), transaction.atomic():
        user_create(email="both@platform.example", is_operator=True, is_auditor=True)


# ---- demanding less


@pytest.fixture
def loosened(tenant: Tenant) -> PolicyProposal:
    """A proposal to admit Germany too."""
    set_for(tenant, in_zones("fr-idf-1"))
    outcome = set_for(tenant, in_zones("fr-idf-1", "de-rhein-1"), officer(tenant.project, "otto"), reason="a new site")
    assert outcome.proposal is not None
    return outcome.proposal


def wait(hours: float) -> None:
    """Move the proposals as if these hours had passed."""
    moved = timedelta(hours=hours)
    for proposal in PolicyProposal.objects.filter(not_before__isnull=False):
        PolicyProposal.objects.filter(pk=proposal.pk).update(not_before=proposal.not_before - moved)  # type: ignore[operator]


def clauses_in_force(tenant: Tenant) -> Any:
    version = policies.version_in_force(policies.PolicyOwner(organization=tenant.project.organization))
    return version.clauses if version else None


def test_looser_policy_needs_a_second_officer_and_a_day(tenant: Tenant, loosened: PolicyProposal) -> None:
    before, head = clauses_in_force(tenant), head_of(tenant)
    assert (loosened.state, loosened.change, loosened.base_version) == ("proposed", "looser", 1)
    wait(48)
    assert policy_proposals.reconcile() == 0
    proposals.proposal_approve(officer(tenant.project, "petra"), loosened)
    assert loosened.not_before is not None
    assert loosened.not_before > clock.now() + timedelta(hours=23)
    assert policy_proposals.reconcile() == 0
    assert (clauses_in_force(tenant), head_of(tenant)) == (before, head)
    wait(24)
    assert policy_proposals.reconcile() == 1
    assert clauses_in_force(tenant)[0]["value"] == ["de-rhein-1", "fr-idf-1"]
    assert head_of(tenant) == head + 1
    assert policy_proposals.reconcile() == 0
    loosened.refresh_from_db()
    assert loosened.state == "applied"
    record = str(EvidenceRecord.objects.filter(kind="policy_version").latest("created_at").document)
    assert str(loosened.proposed_by) in record
    assert str(loosened.approved_by) in record


def test_proposer_cannot_approve(tenant: Tenant, loosened: PolicyProposal) -> None:
    proposer = replace(officer(tenant.project, "x"), user_id=loosened.proposed_by)
    with pytest.raises(SecondPersonNeeded):
        proposals.proposal_approve(proposer, loosened)
    with pytest.raises(IntegrityError, match="two_people"), transaction.atomic():
        PolicyProposal.objects.filter(pk=loosened.pk).update(approved_by=loosened.proposed_by)
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        PolicyProposal.objects.filter(pk=loosened.pk).update(state="approved")


def test_approval_needs_an_officer_of_the_organization(tenant: Tenant, loosened: PolicyProposal) -> None:
    for actor in (tenant.actor, operator(), SYSTEM, officer(make_tenant("beta").project)):
        with pytest.raises(RoleNeeded):
            proposals.proposal_approve(actor, loosened)
    nobody = Actor(None, None, None, "sovereignty_officer", organization_id=tenant.project.organization_id)
    with pytest.raises(SecondPersonNeeded):
        proposals.proposal_approve(nobody, loosened)


def test_operator_cannot_loosen_an_organization_policy(tenant: Tenant) -> None:
    set_for(tenant, in_zones("fr-idf-1"), operator())
    with pytest.raises(RoleNeeded):
        set_for(tenant, [], operator("otis"))
    with pytest.raises(RoleNeeded):
        policies.policy_set(SYSTEM, clauses=[], organization=tenant.project.organization)
    assert not PolicyProposal.objects.exists()


def test_service_account_cannot_propose(tenant: Tenant) -> None:
    policies.policy_set(SYSTEM, clauses=in_zones("fr-idf-1"))
    with pytest.raises(PersonNeeded):
        policies.policy_set(SYSTEM, clauses=[])


def test_looser_platform_policy_needs_two_operators(tenant: Tenant) -> None:
    ada, bob = operator("ada"), operator("bob")
    policies.policy_set(ada, clauses=in_zones("fr-idf-1"))
    proposal = policies.policy_set(ada, clauses=[]).proposal
    assert proposal is not None
    with pytest.raises(SecondPersonNeeded):
        proposals.proposal_approve(ada, proposal)
    with pytest.raises(RoleNeeded):
        proposals.proposal_approve(officer(tenant.project), proposal)
    proposals.proposal_approve(bob, proposal)
    wait(24)
    assert policy_proposals.reconcile() == 1
    assert effective_policies.for_project(tenant.project)[0].clauses == ()


def test_proposal_is_superseded_by_another_version(tenant: Tenant, loosened: PolicyProposal) -> None:
    """Else it would undo what its approver has not seen."""
    stricter = [*in_zones("fr-idf-1"), *in_zones("fr-idf-1", "fr-idf-2", name="more")]
    proposals.proposal_approve(officer(tenant.project, "petra"), loosened)
    set_for(tenant, stricter, officer(tenant.project, "quirin"))
    wait(24)
    assert policy_proposals.reconcile() == 0
    loosened.refresh_from_db()
    assert loosened.state == "withdrawn"
    assert [clause["id"] for clause in clauses_in_force(tenant)] == ["home", "more"]
    other = set_for(tenant, in_zones("fr-idf-1", "fr-idf-2"), officer(tenant.project, "rosa")).proposal
    assert other is not None
    set_for(tenant, [*stricter, *in_zones("fr-idf-1", name="z")], officer(tenant.project, "sven"))
    with pytest.raises(ProposalOvertaken):
        proposals.proposal_approve(officer(tenant.project, "theo"), other)


def test_proposal_can_be_withdrawn_until_applied(tenant: Tenant, loosened: PolicyProposal) -> None:
    with pytest.raises(RoleNeeded):
        proposals.proposal_withdraw(operator(), loosened)
    proposals.proposal_approve(officer(tenant.project, "petra"), loosened)
    proposals.proposal_withdraw(officer(tenant.project, "quirin"), loosened)
    wait(24)
    assert policy_proposals.reconcile() == 0
    with pytest.raises(IllegalTransition):
        proposals.proposal_approve(officer(tenant.project, "rosa"), loosened)


def steps(proposal: PolicyProposal, project: Project) -> list[str]:
    rows = AuditEntry.objects.filter(resource_id=proposal.pk, project_id=project.pk)
    return list(rows.order_by("created_at").values_list("verb", flat=True))


def test_each_proposal_step_is_recorded_per_project_and_in_evidence(tenant: Tenant, loosened: PolicyProposal) -> None:
    other = project_create(tenant.project.organization, name="other")
    stranger = make_tenant("beta").project
    proposals.proposal_approve(officer(tenant.project, "petra"), loosened)
    wait(24)
    policy_proposals.reconcile()
    assert steps(loosened, tenant.project) == ["policy.propose", "policy.approve", "policy.apply"]
    assert steps(loosened, other) == ["policy.approve", "policy.apply"]
    assert steps(loosened, stranger) == []
    records = EvidenceRecord.objects.filter(kind="policy_proposal").order_by("created_at")
    assert [record.organization_id for record in records] == [tenant.project.organization_id] * 3
    for record, verb in zip(records, ("propose", "approve", "apply"), strict=True):
        assert f'"verb":"policy.{verb}"' in str(record.document)
        assert '"reason":"a new site"' in str(record.document)


def test_a_withdrawal_is_evidence(tenant: Tenant, loosened: PolicyProposal) -> None:
    proposals.proposal_withdraw(officer(tenant.project, "petra"), loosened)
    record = EvidenceRecord.objects.filter(kind="policy_proposal").latest("created_at")
    assert '"verb":"policy.withdraw"' in str(record.document)
    assert steps(loosened, tenant.project)[-1] == "policy.withdraw"


def test_the_delay_is_a_setting(tenant: Tenant, loosened: PolicyProposal, settings: Settings) -> None:
    settings.POLICY_COOLING_HOURS = 0
    proposals.proposal_approve(officer(tenant.project, "petra"), loosened)
    assert policy_proposals.reconcile() == 1


@pytest.mark.parametrize("person", ["proposed_by", "approved_by"])
def test_proposal_is_withdrawn_when_an_approver_loses_the_role(
    tenant: Tenant, loosened: PolicyProposal, person: str
) -> None:
    proposals.proposal_approve(officer(tenant.project, "petra"), loosened)
    Membership.objects.filter(user_id=getattr(loosened, person)).update(role="owner")
    wait(24)
    assert policy_proposals.reconcile() == 0
    loosened.refresh_from_db()
    assert loosened.state == "withdrawn"
    audit = AuditEntry.objects.filter(verb="policy.withdraw", resource_id=loosened.pk).get()
    assert audit.facts["reason"] == "identity.role_needed"


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([SNC | {"min_remaining_days": 90}], [SNC | {"min_remaining_days": 30}], "looser"),
        ([SNC], [SNC | {"scope": "saas"}], "incomparable"),
        (EU, EU[:-1], "looser"),
        (EU, [EU[0] | {"value": ["@EEA"]}, *EU[1:]], "incomparable"),
        (EU, [EU[0] | {"value": ["FR"]}, *EU[1:]], "incomparable"),
        (EU, [*EU, EU[0] | {"id": "fr", "value": ["FR"]}], "tighter"),
        ([EU[0] | {"value": ["FR"]}], EU, "incomparable"),
        (EU, [EU[0] | {"waivable": True}, *EU[1:]], "looser"),
        (EU, [EU[0] | {"roles": ["compute"]}, *EU[1:]], "looser"),
        (EU, [*EU[1:], SNC], "incomparable"),
        (EU, list(reversed(EU)), "same"),
    ],
)
def test_review_classifies_the_change(
    imported: None, tenant: Tenant, before: list[Any], after: list[Any], change: str
) -> None:
    set_for(tenant, before)
    review = policies.policy_review(policies.PolicyOwner(organization=tenant.project.organization), after)
    assert review.change == change


def test_history_cannot_be_rewritten(tenant: Tenant) -> None:
    set_for(tenant, in_zones("fr-idf-1"))
    version = PolicyVersion.objects.get(level="organization")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        PolicyVersion.objects.filter(pk=version.pk).update(clauses=[])
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM placement_policyversion")


# ---- classifications


def test_the_shipped_classifications_are_imported_once(imported: None) -> None:
    versions = PolicyVersion.objects.count()
    repeated = classifications_import(SYSTEM, shipped())
    assert (repeated.known, repeated.changed, repeated.kept) == (8, 0, ())
    assert PolicyVersion.objects.count() == versions == 8
    for row in Classification.objects.all():
        assert row.title_fr
        assert row.description != row.description_fr


def test_foreign_control_keys_and_restricted_data_are_unwaivable() -> None:
    for item in shipped()["classifications"]:
        for clause in item["atoms"]:
            about = str(clause.get("attr", ""))
            is_hard = about.startswith(("party.", "keys.")) or item["id"] == "dr"
            assert not (is_hard and clause.get("waivable")), (item["id"], clause["id"])


@pytest.mark.parametrize(
    ("name", "zones"),
    [
        ("eu-resident", "de-rhein-1 fi-hel-1 fi-hel-2 fr-est-1 fr-est-2 fr-idf-1 fr-idf-2 fr-idf-3 fr-sud-1 ie-dub-1"),
        ("hds", "fr-idf-1 fr-idf-3 fr-sud-1 no-osl-1"),
        ("eu-immune", "de-rhein-1 fi-hel-1 fr-est-1 fr-est-2 fr-idf-1 fr-idf-2 fr-idf-3"),
        ("etat-sensible", "fr-idf-1 fr-idf-2"),
        ("classified", ""),
    ],
)
def test_shipped_classifications_admit_the_documented_zones(imported: None, name: str, zones: str) -> None:
    """The scenarios S1, S2, S5 and S3."""
    admissible = admissible_zones(effective_policies.of_classification(Classification.objects.get(pk=name)))
    assert " ".join(sorted(admissible)) == zones


def test_import_keeps_stricter_local_classifications(imported: None) -> None:
    hds = Classification.objects.get(pk="hds")
    stricter = policies.version_in_force(policies.PolicyOwner(classification=hds))
    assert stricter is not None
    policies.policy_set(SYSTEM, clauses=[*stricter.clauses, *in_zones("fr-idf-1")], classification=hds)
    done = classifications_import(SYSTEM, shipped())
    assert (done.changed, done.kept) == (0, ("hds",))
    now = policies.version_in_force(policies.PolicyOwner(classification=hds))
    assert now is not None
    assert len(now.clauses) == len(stricter.clauses) + 1


def changed(name: str, **fields: Any) -> Any:
    """The shipped file with something of one classification changed."""
    document = shipped()
    (item,) = [each for each in document["classifications"] if each["id"] == name]
    item |= fields
    return document


def test_import_relaxes_no_classification(imported: None) -> None:
    for name, field, milder in (("classified", "is_supported", True), ("dr", "drift_action", "flag")):
        before = Classification.objects.get(pk=name)
        done = classifications_import(operator(f"op-{name}"), changed(name, **{field: milder, "title": "Other"}))
        after = Classification.objects.get(pk=name)
        assert done.kept == (name,)
        assert (after.is_supported, after.drift_action) == (before.is_supported, before.drift_action)
        assert after.title == "Other"


def test_stricter_classification_begins_a_new_version(imported: None, tenant: Tenant) -> None:
    """Also when the rest of the file demands less than what is in force."""
    make_node("one")
    allocation = placement.claim(ask(tenant, classifications=("hds",)))
    for fields in ({"drift_action": "stop"}, {"drift_action": "stop", "is_supported": False, "atoms": []}):
        head = PolicyHead.objects.get(organization=None).version
        epoch = epochs.current()
        assert classifications_import(SYSTEM, changed("hds", **fields)).changed == 1
        assert (PolicyHead.objects.get(organization=None).version, epochs.current()) == (head + 1, epoch + 1)
        record = str(EvidenceRecord.objects.filter(kind="policy_version").latest("created_at").document)
        assert '"drift_action":"stop"' in record
    assert '"is_supported":false' in record
    version = policies.version_in_force(policies.PolicyOwner(classification=Classification.objects.get(pk="hds")))
    assert version is not None
    assert version.clauses
    with pytest.raises(DatabaseError, match="STALE_POLICY"), transaction.atomic():
        Allocation.objects.filter(pk=allocation.pk).update(vcpus=2)


def test_organization_classification_is_private(tenant: Tenant) -> None:
    other = make_tenant("beta")
    mine = classify("secret", in_zones("fr-idf-1"), tenant.project)
    theirs = classify("secret", in_zones("us-va-1"), other.project)
    assert (mine.pk, theirs.pk) == ("alpha-org.secret", "beta-org.secret")
    assert head_of(tenant) == 2
    with pytest.raises(RoleNeeded):
        policies.policy_set(officer(other.project, "eve"), clauses=in_zones("fr-idf-1"), classification=mine)
    with pytest.raises(RoleNeeded):
        policies.policy_set(operator(), clauses=[], classification=mine)


def test_data_classified_as_classified_is_refused_everywhere(imported: None, tenant: Tenant) -> None:
    make_node("one")
    with pytest.raises(PolicyUnsatisfiable) as caught:
        placement.check_placement(ask(tenant, classifications=("classified",)))
    decision = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    codes = {result["code"] for zone in expand_results(decision.document)["zones"] for result in zone["results"]}
    assert codes == {"NOT_SUPPORTED_CLASSIFIED"}
    assert decision.classifications == ["classified"]


def test_policy_over_the_clause_limit_is_refused(tenant: Tenant) -> None:
    many = [clause for n in range(64) for clause in in_zones("fr-idf-1", name=f"a{n}")]
    policies.policy_set(SYSTEM, clauses=many)
    set_for(tenant, many)
    policies.policy_set(tenant.actor, clauses=many, project=tenant.project)
    names = [classify(f"c{n}", many, tenant.project).pk for n in range(2)]
    assert len(effective_policies.for_subject(PolicySubject(tenant.project, classifications=(names[0],))).policies) == 4
    with pytest.raises(TooManyClauses, match="320"):
        effective_policies.for_subject(PolicySubject(tenant.project, classifications=tuple(names)))
