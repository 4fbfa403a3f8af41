"""Declassification of one resource's data: by two officers, and by no others."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.catalog import epochs
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Membership
from controlplane.kernel.ids import new_id
from controlplane.placement import effective_policies, lineage, proposals
from controlplane.placement.declassifications import NewDeclassification, declassification_propose
from controlplane.placement.effective_policies import DataSource, PolicySubject
from controlplane.placement.errors import DeclassifiedNotFound, NothingToDeclassify, SecondPersonNeeded
from controlplane.placement.lineage import NewData
from controlplane.placement.models import Binding, Lineage, PolicyHead, PolicyProposal
from controlplane.reconcilers import policy_proposals
from tests.services.placement.test_policies import wait
from tests.services.policies import classify, in_zones, officer, operator
from tests.world import Tenant, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


@pytest.fixture
def secret(tenant: Tenant) -> str:
    return classify("secret", in_zones("fr-idf-1"), tenant.project).pk


@pytest.fixture
def copy(tenant: Tenant, secret: str) -> Binding:
    """Return the copy of secret data, which has one classification more."""
    other = classify("other", in_zones("fr-idf-1", "fr-idf-2"), tenant.project).pk
    source, copy = new_id(), new_id()
    lineage.record_data(NewData(source, "image", tenant.project, [secret]))
    lineage.record_data(NewData(copy, "volume", tenant.project, [other]), [DataSource(source, tenant.project)])
    return Binding.objects.get(pk=copy)


def propose(tenant: Tenant, copy: Binding, actor: Actor | None = None, **more: Any) -> PolicyProposal:
    new = NewDeclassification(str(copy.pk), "it is published", **more)
    return declassification_propose(actor or officer(tenant.project, "ada"), tenant.project.organization, new)


def everything(copy: Binding, secret: str) -> dict[str, Any]:
    entries = list(Lineage.objects.filter(resource_id=copy.pk).values_list("pk", flat=True))
    return {"classifications": [secret], "lineage_ids": entries}


def test_two_officers_declassify_the_named_data_after_a_day(tenant: Tenant, copy: Binding, secret: str) -> None:
    proposal = propose(tenant, copy, **everything(copy, secret))
    head, epoch = PolicyHead.objects.get(organization=tenant.project.organization).version, epochs.current()
    proposals.proposal_approve(officer(tenant.project, "bob"), proposal)
    assert policy_proposals.reconcile() == 0
    assert secret in Binding.objects.get(pk=copy.pk).classifications
    wait(24)
    assert policy_proposals.reconcile() == 1
    demand = effective_policies.for_subject(PolicySubject(tenant.project, copy.pk))
    assert demand.classifications == ("alpha-org.other",)
    assert [policy.level for policy in demand.policies] == ["classification"]
    assert PolicyHead.objects.get(organization=tenant.project.organization).version == head + 1
    assert epochs.current() == epoch + 1
    records = EvidenceRecord.objects.filter(kind="policy_proposal", resource_id=copy.pk).order_by("created_at")
    assert len(records) == 3
    assert all(secret in str(record.document) for record in records)
    verbs = AuditEntry.objects.filter(project_id=tenant.project.pk).values_list("verb", flat=True)
    assert {"policy.propose", "policy.approve", "policy.apply", "declassify"} <= set(verbs)


def test_declassification_needs_an_officer_of_the_organization(tenant: Tenant, copy: Binding, secret: str) -> None:
    stranger = officer(make_tenant("beta").project)
    for actor in (tenant.actor, replace(tenant.actor, role="owner"), operator(), SYSTEM, stranger):
        with pytest.raises(RoleNeeded):
            propose(tenant, copy, actor, classifications=[secret])
    ada = officer(tenant.project, "olga")
    proposal = propose(tenant, copy, ada, classifications=[secret])
    with pytest.raises(SecondPersonNeeded):
        proposals.proposal_approve(ada, proposal)
    for actor in (tenant.actor, operator("otis"), stranger):
        with pytest.raises(RoleNeeded):
            proposals.proposal_approve(actor, proposal)
        with pytest.raises(RoleNeeded):
            proposals.proposal_withdraw(actor, proposal)


@pytest.mark.parametrize("person", ["proposed_by", "approved_by"])
def test_both_approvers_must_be_officers_at_the_application(
    tenant: Tenant, copy: Binding, secret: str, person: str
) -> None:
    proposal = propose(tenant, copy, classifications=[secret])
    proposals.proposal_approve(officer(tenant.project, "bob"), proposal)
    Membership.objects.filter(user_id=getattr(proposal, person)).update(role="owner")
    wait(24)
    assert policy_proposals.reconcile() == 0
    assert secret in Binding.objects.get(pk=copy.pk).classifications


def test_database_refuses_declassification_without_a_proposal(tenant: Tenant, copy: Binding, secret: str) -> None:
    """Neither before it is due, nor more than it names, nor of another thing, nor when it is done."""

    def must_stay() -> None:
        others = [name for name in Binding.objects.get(pk=copy.pk).classifications if name != secret]
        with pytest.raises(DatabaseError, match="can only grow"), transaction.atomic():
            Binding.objects.filter(pk=copy.pk).update(classifications=others)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Lineage.objects.all().delete()

    must_stay()
    proposal = propose(tenant, copy, classifications=["alpha-org.other"])
    proposals.proposal_approve(officer(tenant.project, "bob"), proposal)
    must_stay()
    wait(24)
    must_stay()
    PolicyProposal.objects.filter(pk=proposal.pk).update(classifications=[secret], resource_id=new_id())
    must_stay()
    PolicyProposal.objects.filter(pk=proposal.pk).update(resource_id=copy.pk, not_before=None, state="withdrawn")
    must_stay()
    PolicyProposal.objects.filter(pk=proposal.pk).update(
        classifications=[secret], state="applied", not_before=proposal.created_at - timedelta(days=9)
    )
    must_stay()


def test_declassification_of_nothing_is_refused(tenant: Tenant, copy: Binding, secret: str) -> None:
    for number, more in enumerate(({}, {"classifications": ["hds"]}, {"lineage_ids": [new_id()]})):
        with pytest.raises(NothingToDeclassify):
            propose(tenant, copy, officer(tenant.project, f"o{number}"), **more)
    other = make_tenant("beta")
    with pytest.raises(DeclassifiedNotFound):
        propose(other, copy, officer(other.project, "zoe"), classifications=[secret])
