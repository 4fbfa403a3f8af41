"""Each operation that gives a node data or work is checked against the policies of that data.

Each refusing test is an attempt to bypass the check. Agents are real except for their adapters."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from andromede_core.placement.decision import expand_results
from andromede_core.policy.roles import ROLES_OF
from controlplane.catalog.models import Zone
from controlplane.compute import services as compute
from controlplane.compute.console_log import console_tail
from controlplane.compute.models import Instance
from controlplane.compute.resize import instance_resize
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.errors import CloudError
from controlplane.kernel.ids import new_id
from controlplane.nodes.services import node_cordon
from controlplane.operations import leases
from controlplane.operations.models import Operation
from controlplane.placement import decisions
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.errors import (
    FleetChanged,
    InsufficientCapacity,
    NoAllocation,
    PolicyUnsatisfiable,
    UnknownHost,
)
from controlplane.placement.models import Allocation, Binding, Decision, PolicyHead
from controlplane.placement.policies import own_policy
from controlplane.placement.simulations import consumer_kind
from controlplane.storage import services as storage
from controlplane.workflows import instance_create as create_workflow
from controlplane.workflows.registry import WORKFLOWS
from tests.facts import state_of
from tests.services.policies import (
    ABROAD,
    EU,
    HOME,
    SNC,
    add_machine,
    classify,
    codes,
    in_zones,
    latest,
    made_instance,
    made_volume,
    new_instance,
    new_volume,
    operator,
    ruled,
    stopped_instance,
)
from tests.workflows.helpers import done, fresh
from tests.world import Cloud, Tenant, make_flavor, make_node, make_tenant, run

# ---- create


@pytest.mark.parametrize(
    ("clauses", "zone", "refused"),
    [
        (EU, "de-rhein-1", None),
        (EU, "us-va-1", {"ATTR_MISMATCH"}),
        (EU, "no-osl-1", {"ATTR_MISMATCH"}),
        (EU, "fi-hel-2", None),
        ([SNC | {"min_remaining_days": 90}], "fr-est-1", {"CERT_EXPIRING"}),
        ([SNC], "fr-est-1", None),
        ([SNC], "fr-idf-3", {"CERT_SCOPE"}),
        ([SNC], "fr-sud-1", {"CERT_MISSING"}),
        ([SNC], "fr-est-2", {"CERT_SUSPENDED"}),
    ],
)
def test_instance_is_created_only_in_admitted_zones(
    known: Cloud, clauses: list[Any], zone: str, refused: set[str] | None
) -> None:
    """T01, T02, T03, T12, T05, T06, T07 through the service."""
    make_node(f"n-{zone}", zone=zone)
    name = classify("mine", clauses, known.tenant.project).pk
    if refused is None:
        instance, _ = new_instance(known, zones=(zone,), classifications=(name,))
        assert Binding.objects.get(pk=instance.pk).classifications == [name]
        return
    with pytest.raises(PolicyUnsatisfiable) as caught:
        new_instance(known, zones=(zone,), classifications=(name,))
    assert codes(caught, zone) == refused
    assert not Instance.objects.exists()


def test_refusal_lists_all_failing_clauses(known: Cloud) -> None:
    """T02: loc, keyloc, logs, meta and adm, not the first of them alone."""
    make_node("n-va", zone=ABROAD)
    with pytest.raises(PolicyUnsatisfiable) as caught:
        new_instance(known, zones=(ABROAD,), classifications=("eu-resident",))
    decision = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    results = next(each["results"] for each in expand_results(decision.document)["zones"] if each["zone"] == ABROAD)
    assert {each["atom"] for each in results if each["result"] != "T"} == {"loc", "keyloc", "logs", "meta", "adm"}


def test_instance_without_a_zone_goes_to_an_admitted_one(known: Cloud) -> None:
    make_node("big", zone=ABROAD, vcpus_total=512, memory_mib_total=2**20)
    assert made_instance(known, classifications=("eu-resident",)).node_id == known.machine.row.pk


def test_refusal_by_policy_is_no_capacity_shortage(known: Cloud) -> None:
    make_node("big", zone=ABROAD, vcpus_total=512)
    big = replace_flavor(known, vcpus=10_000)
    with pytest.raises(InsufficientCapacity):
        new_instance(known, flavor=big, classifications=("eu-resident",))
    with pytest.raises(PolicyUnsatisfiable):
        new_instance(known, zones=(ABROAD,), classifications=("eu-resident",))


def replace_flavor(cloud: Cloud, **sizes: int) -> Any:
    return make_flavor("big", **sizes)


def test_own_clauses_of_an_instance_apply_for_its_lifetime(cloud: Cloud) -> None:
    make_node("big", zone="de-rhein-1", vcpus_total=512, memory_mib_total=2**20)
    own = own_policy(in_zones(HOME), at="policy_atoms")
    instance = stopped_instance(cloud, policy=own)
    assert instance.node_id == cloud.machine.row.pk
    levels = [layer["level"] for layer in latest(instance.pk).policies.document]
    assert levels == ["resource"]
    done(compute.instance_start(cloud.tenant.actor, instance))
    assert [layer["level"] for layer in latest(instance.pk).policies.document] == ["resource"]


def test_policy_tightened_after_the_request_fails_the_operation(cloud: Cloud) -> None:
    """A task message is a request, never an authority: the worker decides again."""
    _, operation = new_instance(cloud, zones=(HOME,))
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    assert run(operation).state == "failed"
    assert operation.error["code"] == "policy_unsatisfiable"
    assert not Allocation.objects.exists()
    assert not cloud.fake.guests


def test_policy_tightened_between_steps_fails_the_operation(cloud: Cloud) -> None:
    """An instance that has an allocation is not started under the previous policy."""
    _, waiting = new_instance(cloud)
    operation = leases.lease_operation(waiting.pk)
    assert operation is not None
    create_workflow.allocate(operation)()  # type: ignore[misc]
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    with pytest.raises(PolicyUnsatisfiable):
        create_workflow.ensure_root_disk(operation)
    assert not cloud.fake.volumes


# ---- a host that is asked for is one more condition


def test_requested_host_restricts_and_never_bypasses_policy(known: Cloud) -> None:
    """B01 and B14 for a create."""
    make_node("n-va", zone=ABROAD)
    boss = replace(operator(), project_id=None)
    options = {"tenant": Tenant(known.tenant.project, boss), "classifications": ("eu-resident",)}
    with pytest.raises(PolicyUnsatisfiable) as caught:
        new_instance(known, host="n-va", **options)
    assert codes(caught, ABROAD) == {"ATTR_MISMATCH"}
    with pytest.raises(PolicyUnsatisfiable):
        new_volume(known, host="n-va", **options)
    instance = made_instance(known, host=str(known.machine.row.pk), **options)
    assert instance.node_id == known.machine.row.pk


def test_unknown_host_is_an_error(cloud: Cloud) -> None:
    boss = Tenant(cloud.tenant.project, operator())
    for make in (new_instance, new_volume):
        with pytest.raises(UnknownHost):
            make(cloud, boss, host="n-nowhere")
    assert not Allocation.objects.exists()


def test_worker_respects_the_requested_host(cloud: Cloud) -> None:
    other = add_machine(cloud, "fr-idf-2")
    boss = Tenant(cloud.tenant.project, operator())
    for number in range(3):
        assert made_volume(cloud, boss, name=f"v{number}", host=other.row.name).node_id == other.row.pk


def test_host_and_volume_on_different_nodes_admit_nothing(cloud: Cloud) -> None:
    volume = made_volume(cloud)
    other = make_node("other", zone="fr-idf-2")
    with pytest.raises(CloudError):
        new_instance(cloud, Tenant(cloud.tenant.project, operator()), volumes=(volume,), host=other.name)


def test_tenants_cannot_request_a_host(cloud: Cloud) -> None:
    for make in (new_instance, new_volume):
        with pytest.raises(RoleNeeded):
            make(cloud, host=cloud.machine.row.name)


# ---- what exists already: start, restart, resize, grow


Change = Callable[[Cloud, Instance], Operation]
STARTS: dict[str, Change] = {
    "instance.start": lambda cloud, instance: compute.instance_start(cloud.tenant.actor, instance),
    "instance.reboot": lambda cloud, instance: compute.instance_reboot(cloud.tenant.actor, instance),
    "instance.reset": lambda cloud, instance: compute.instance_reset(cloud.tenant.actor, instance),
}


@pytest.mark.parametrize("kind", STARTS)
def test_instance_no_longer_admitted_is_not_started(cloud: Cloud, kind: str) -> None:
    instance = stopped_instance(cloud) if kind == "instance.start" else made_instance(cloud)
    starts = cloud.fake.guests[instance.pk].starts
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    with pytest.raises(PolicyUnsatisfiable) as caught:
        STARTS[kind](cloud, instance)
    assert codes(caught, HOME) == {"ATTR_MISMATCH"}
    assert cloud.fake.guests[instance.pk].starts == starts
    assert not Operation.objects.filter(kind=kind).exists()


@pytest.mark.parametrize("kind", STARTS)
def test_instance_no_longer_admitted_after_the_request_is_not_started(cloud: Cloud, kind: str) -> None:
    instance = stopped_instance(cloud) if kind == "instance.start" else made_instance(cloud)
    starts = cloud.fake.guests[instance.pk].starts
    operation = STARTS[kind](cloud, instance)
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="project")
    assert run(operation).state == "failed"
    assert operation.error["code"] == "policy_unsatisfiable"
    assert cloud.fake.guests[instance.pk].starts == starts


@pytest.mark.parametrize("kind", STARTS)
def test_a_start_rests_on_a_decision_of_its_own(cloud: Cloud, kind: str) -> None:
    instance = stopped_instance(cloud) if kind == "instance.start" else made_instance(cloud)
    done(STARTS[kind](cloud, instance))
    decision = Allocation.objects.get(consumer_id=instance.pk).decision
    assert (decision.operation, decision.roles) == (kind, list(ROLES_OF[kind]))
    assert decision.admitted_zones == [HOME]


def test_a_stopped_instance_is_refused_when_its_certificate_is_withdrawn(known: Cloud) -> None:
    name = classify("mine", [SNC], known.tenant.project).pk
    instance = stopped_instance(known, classifications=(name,))
    state_of("zone", HOME, {"certifications": []})
    with pytest.raises(PolicyUnsatisfiable) as caught:
        compute.instance_start(known.tenant.actor, instance)
    assert codes(caught, HOME) == {"CERT_MISSING"}


@pytest.mark.parametrize("how", ["cordon", "draining", "closed"])
def test_closed_node_still_starts_its_instances(cloud: Cloud, how: str) -> None:
    instance = stopped_instance(cloud)
    if how == "cordon":
        node_cordon(SYSTEM, cloud.machine.row, reason="repair")
    else:
        Zone.objects.filter(pk=HOME).update(status=how)
    done(compute.instance_start(cloud.tenant.actor, instance))
    with pytest.raises(CloudError):
        new_instance(cloud, name="another")


def test_stopping_and_deleting_are_always_allowed(cloud: Cloud) -> None:
    instance, volume = made_instance(cloud), made_volume(cloud)
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    done(compute.instance_power_off(cloud.tenant.actor, fresh(instance)))
    done(compute.instance_delete(cloud.tenant.actor, fresh(instance)))
    done(storage.volume_delete(cloud.tenant.actor, volume, attached_to=None))
    assert not Allocation.objects.exists()


def test_resize_is_checked_against_the_current_policy(cloud: Cloud) -> None:
    instance = stopped_instance(cloud)
    bigger = replace_flavor(cloud, vcpus=2, memory_mib=256, disk_gib=2)
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    with pytest.raises(PolicyUnsatisfiable):
        instance_resize(cloud.tenant.actor, instance, flavor=bigger)


def test_shrinking_resize_is_checked_against_the_policy(cloud: Cloud) -> None:
    """A smaller size needs no capacity, but defines the guest anew."""
    big = replace_flavor(cloud, vcpus=2, memory_mib=256, disk_gib=1)
    instance = stopped_instance(cloud, flavor=big)
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    with pytest.raises(PolicyUnsatisfiable):
        instance_resize(cloud.tenant.actor, instance, flavor=cloud.flavor)


def test_volume_growth_is_checked_against_the_current_policy(cloud: Cloud) -> None:
    volume = made_volume(cloud)
    operation = storage.volume_grow(cloud.tenant.actor, volume, size_gib=2)
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    assert run(operation).state == "failed"
    with pytest.raises(PolicyUnsatisfiable):
        storage.volume_grow(cloud.tenant.actor, fresh(volume), size_gib=3)


# ---- the console


def test_a_console_can_be_refused_while_the_guest_runs(known: Cloud) -> None:
    """T21."""
    instance = made_instance(known)
    console_tail(instance, max_bytes=10)
    gateway = {"id": "gate", "attr": "console.gateway_countries", "op": "subset", "value": ["DE"], "roles": ["console"]}
    ruled(known.tenant.project, gateway)
    with pytest.raises(PolicyUnsatisfiable):
        console_tail(instance, max_bytes=10)
    done(compute.instance_reboot(known.tenant.actor, instance))
    assert fresh(instance).state == "active"


def test_administration_from_abroad_closes_the_console_too(known: Cloud) -> None:
    instance = made_instance(known)
    ruled(
        known.tenant.project,
        {"id": "adm", "attr": "admin.access_from", "op": "subset", "value": ["DE"], "roles": ["admin"]},
    )
    with pytest.raises(PolicyUnsatisfiable):
        console_tail(instance, max_bytes=10)


# ---- when the world moves meanwhile


def moving(monkeypatch: pytest.MonkeyPatch, cloud: Cloud, *, times: int) -> list[int]:
    """Change the version of the organization's policy, not its clauses, after each of the next decisions."""
    decide, remaining = decisions.decide, [times]

    def decide_and_move(*args: Any, **kwargs: Any) -> Any:
        decision = decide(*args, **kwargs)
        if remaining[0]:
            remaining[0] -= 1
            ruled(cloud.tenant.project, *in_zones(HOME), at="organization")
        return decision

    monkeypatch.setattr(decisions, "decide", decide_and_move)
    return remaining


def test_renewed_decision_uses_the_versions_at_its_write(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = made_instance(cloud)
    remaining = moving(monkeypatch, cloud, times=2)
    decision = placement.renew_decision(compute.instance_placement_request(instance, operation="instance.start"))
    assert remaining == [0]
    assert Allocation.objects.get(consumer_id=instance.pk).decision == decision
    assert decision.organization_version == PolicyHead.objects.get(organization__isnull=False).version


def test_claim_is_decided_anew_after_a_change_of_policy(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, operation = new_instance(cloud)
    remaining = moving(monkeypatch, cloud, times=2)
    done(operation)
    assert remaining == [0]
    decision = Allocation.objects.get(consumer_id=instance.pk).decision
    assert decision.organization_version == PolicyHead.objects.get(organization__isnull=False).version


def test_renewal_gives_up_after_repeated_changes(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = made_instance(cloud)
    before = Allocation.objects.get(consumer_id=instance.pk).decision
    moving(monkeypatch, cloud, times=1000)
    with pytest.raises(FleetChanged):
        placement.renew_decision(compute.instance_placement_request(instance, operation="instance.start"))
    assert Allocation.objects.get(consumer_id=instance.pk).decision == before


# ---- the table is whole


# Operations that give no place data or work.
FREE = {
    "image.import",  # into the control plane's own store
    "image.verify",
    "instance.shutdown",
    "instance.power-off",
    "instance.delete",
    "node.fence",
    "snapshot.delete",
    "volume.delete",
}


def test_every_operation_is_in_the_table_of_roles_or_exempt() -> None:
    with_roles = {operation for operation, roles in ROLES_OF.items() if roles}
    assert with_roles | FREE == set(WORKFLOWS) | {"console.read", "public-address.attach"}
    assert not with_roles & FREE


@pytest.mark.parametrize("kind", sorted(operation for operation, roles in ROLES_OF.items() if roles))
def test_every_operation_is_refused_by_a_clause_about_any_of_its_roles(cloud: Cloud, kind: str) -> None:
    """Each role of the table alone is enough to refuse the operation."""
    tenant = make_tenant("beta")
    consumer = claimed(cloud, tenant, kind)
    for number, role in enumerate(ROLES_OF[kind]):
        clause = in_zones("de-rhein-1", name=f"r{number}", roles=[role])
        ask = replace(consumer, operation=kind, own=(own_policy(clause, at="x"),))
        with pytest.raises(PolicyUnsatisfiable):
            placement.check_current_node(ask)
    others = sorted({"backup", "snapshot"} - set(ROLES_OF[kind]))
    placement.check_current_node(
        replace(consumer, operation=kind, own=(own_policy(in_zones(ABROAD, roles=others), at="x"),))
    )


def claimed(cloud: Cloud, tenant: Tenant, kind: str) -> Any:
    consumer = consumer_kind(kind)
    kept_as = "volume" if consumer == "snapshot" else consumer
    ask = PlacementRequest(kind, tenant.project, new_id(), kept_as, disk_gib=1)
    placement.claim(ask)
    return replace(ask, consumer_id=new_id(), kind=consumer, copy_of=ask.consumer_id) if kept_as != consumer else ask


def test_check_of_a_consumer_without_an_allocation_is_refused(cloud: Cloud) -> None:
    with pytest.raises(NoAllocation):
        placement.check_current_node(
            replace(claimed(cloud, make_tenant("beta"), "instance.start"), consumer_id=new_id())
        )
