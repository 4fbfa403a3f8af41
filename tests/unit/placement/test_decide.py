"""Decisions by example: each rule, its reason, and what would have helped."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from andromede_core.facts.world import Fact, Zone
from andromede_core.placement.capacity import fits, fits_by_zone, largest
from andromede_core.placement.decide import decide
from andromede_core.placement.decision import Decision, as_document
from andromede_core.placement.explanation import tenant
from andromede_core.placement.fleet import Fleet, NodeRow
from andromede_core.placement.request import Group, ResolvedPoolRequirement, ResolvedRequest, Resources
from andromede_core.policy.clauses import Certified, Clause, Policy
from tests.unit.placement.examples import (
    OPEN_ZONES,
    PARIS,
    RHINE,
    ROOMY,
    VIRGINIA,
    ask,
    assessed,
    fleet,
    in_country,
    node,
    only_in,
    three_zones,
    world_of,
)


def decided(request: ResolvedRequest, nodes: Fleet, zones: tuple[Zone, ...] = OPEN_ZONES, *, seed: int = 1) -> Decision:
    return decide(request, nodes, assessed(request, world_of(zones)), seed=seed)


def changes(decision: Decision) -> dict[str, dict[str, object]]:
    return {each.change: dict(each.facts) for each in decision.relaxations}


def test_zone_policy_admits_only_nodes_of_its_zones() -> None:
    decision = decided(ask(policies=(only_in(PARIS, RHINE),)), three_zones())
    assert set(decision.candidates) == {"n-fr", "n-de"}
    assert decision.refusals() == {"n-us": "ATTR_MISMATCH"}
    assert decision.relaxations == ()


FULL = node("n1", used=ROOMY)
WITH_POOL = frozenset({"pool:fast"})
NO_ROOM = ("NO_CAPACITY", "POOL_FULL", "POOL_NEARLY_FULL")


def nearly_full(gib: int) -> ResolvedPoolRequirement:
    """A request for space in a pool that has room and takes no new data."""
    return ResolvedPoolRequirement("fast", "pool:fast", gib, ((PARIS, 10), (RHINE, 10)), frozenset({PARIS}))


REFUSALS: list[tuple[str, NodeRow, ResolvedRequest]] = [
    ("ATTR_MISMATCH", node("n1"), ask(policies=(only_in(RHINE),))),
    ("ATTR_UNKNOWN", node("n1", "xx-new-1"), ask()),
    ("ZONE_NOT_ASKED", node("n1"), ask(zones=(RHINE,))),
    ("ADDRESS_ELSEWHERE", node("n1"), ask(routed_to=frozenset({RHINE}))),
    ("ADDRESS_ELSEWHERE", node("n1"), ask(routed_to=frozenset({PARIS, RHINE}))),
    ("MTU_TOO_LARGE", node("n1"), ask(mtu_zones=frozenset({RHINE}))),
    ("NODE_NOT_READY", node("n1", is_ready=False), ask()),
    ("NODE_CORDONED", node("n1", is_cordoned=True), ask()),
    ("NODE_NOT_CLEARED", node("n1", cleared=()), ask()),
    ("NODE_NOT_CLEARED", node("n1", cleared=("eu-resident", "public")), ask(classifications=("dr", "public"))),
    ("NODE_UNATTESTED", node("n1", is_attested=False), ask(classifications=("eu-resident",))),
    ("NODE_EXCLUDED", node("n1"), ask(excluded_nodes=frozenset({"n1"}))),
    ("TRAIT_MISSING", node("n1", traits=frozenset({"tpm"})), ask(traits=frozenset({"tpm", "avx512"}))),
    ("NOT_THE_HOST", node("n1"), ask(host="n2")),
    ("NOT_NEAR", node("n1"), ask(near=frozenset({"n2"}))),
    ("NOT_WITH_GROUP", node("n1"), ask(groups=(Group("affinity", True, frozenset({"n2"})),))),
    ("NOT_APART_FROM_GROUP", node("n1"), ask(groups=(Group("anti-affinity", True, frozenset({"n1"})),))),
    ("POOL_MISSING", node("n1"), ask(shares=(ResolvedPoolRequirement("fast", "pool:fast", 1, ((PARIS, 10),)),))),
    (
        "POOL_MISSING",
        node("n1", traits=WITH_POOL),
        ask(shares=(ResolvedPoolRequirement("fast", "pool:fast", 0, ((RHINE, 10),)),)),
    ),
    (
        "POOL_FULL",
        node("n1", traits=WITH_POOL),
        ask(shares=(ResolvedPoolRequirement("fast", "pool:fast", 11, ((PARIS, 10),)),)),
    ),
    ("POOL_NEARLY_FULL", node("n1", traits=WITH_POOL), ask(shares=(nearly_full(1),))),
    ("NO_CAPACITY", FULL, ask()),
]


@pytest.mark.parametrize(("code", "row", "request_"), REFUSALS, ids=[code for code, _, _ in REFUSALS])
def test_each_rule_refuses_with_its_reason(code: str, row: NodeRow, request_: ResolvedRequest) -> None:
    decision = decided(request_, fleet(row))
    assert not decision.is_admitted
    assert decision.refusals() == {"n1": code}
    assert decision.verdict == ("no_capacity" if code in NO_ROOM else "inadmissible")


def test_existing_pool_volume_needs_no_free_space() -> None:
    """Moves, and whatever else opens what is there, also where the pool is overfull."""
    share = ResolvedPoolRequirement("fast", "pool:fast", 0, ((PARIS, 0),))
    assert decided(ask(shares=(share,)), fleet(node("n1", traits=WITH_POOL))).is_admitted


def test_nearly_full_pool_opens_what_is_there() -> None:
    assert decided(ask(shares=(nearly_full(0),)), fleet(node("n1", traits=WITH_POOL))).is_admitted


def test_nearly_full_pool_is_explained() -> None:
    request, fast = ask(shares=(nearly_full(1),)), node("n1", traits=WITH_POOL)
    decision = decided(request, fleet(fast))
    assert changes(decision) == {"pool_nearly_full": {}}
    assert f"The shared storage fast is nearly full in {PARIS}" in " ".join(tenant(as_document(decision)))
    assert decided(request, fleet(fast, node("n2", RHINE, traits=WITH_POOL))).candidates == ("n2",)


def test_a_pool_is_explained() -> None:
    share = ResolvedPoolRequirement("fast", "pool:fast", 11, ((PARIS, 10), (RHINE, 20)))
    decision = decided(ask(shares=(share,)), fleet(node("n1", traits=WITH_POOL), node("n2", RHINE)))
    assert decision.refusals() == {"n1": "POOL_FULL", "n2": "POOL_MISSING"}
    assert changes(decision) == {"pool": {}, "pool_room": {}}
    explanation = " ".join(tenant(as_document(decision)))
    assert f"Nodes in {RHINE} do not mount the required shared storage: fast." in explanation
    assert f"The shared storage fast has too little free space in {PARIS}." in explanation


@pytest.mark.parametrize("status", ["draining", "closed"])
def test_a_zone_that_is_not_open_takes_nothing(status: str) -> None:
    zones = (in_country(PARIS, status=status),)
    decision = decided(ask(), fleet(node("n1")), zones)
    assert decision.refusals() == {"n1": "ZONE_CLOSED"}
    assert changes(decision) == {"zone_open": {"zones": [PARIS]}}


def test_capacity_is_not_blamed_when_another_filter_refuses() -> None:
    decision = decided(ask(), fleet(FULL._replace(is_cordoned=True)))
    assert decision.refusals() == {"n1": "NODE_CORDONED"}
    assert decision.nearest[0].codes == ("NODE_CORDONED", "NO_CAPACITY")


def test_guest_with_data_on_two_nodes_has_no_node() -> None:
    decision = decided(ask(near=frozenset({"n1", "n2"})), fleet(node("n1"), node("n2")))
    assert set(decision.refusals().values()) == {"NOT_NEAR"}


def test_a_group_without_members_yet_admits_every_node() -> None:
    groups = (Group("affinity", True), Group("anti-affinity", True))
    assert decided(ask(groups=groups), three_zones()).admitted == 3


def test_overfull_resource_that_is_not_requested_is_ignored() -> None:
    overfull = node("n1", used=Resources(vcpus=99))
    assert decided(ask(resources=Resources(0, 0, 10)), fleet(overfull)).is_admitted


def test_contradictory_policies_are_named_as_the_cause() -> None:
    policies = (only_in(PARIS, level="organization"), only_in(VIRGINIA, level="project"))
    decision = decided(ask(policies=policies), three_zones())
    assert decision.verdict == "unsatisfiable"
    assert [ref.level for ref in decision.unsatisfiable] == ["organization", "project"]


def test_the_emptier_node_comes_first() -> None:
    nodes = fleet(node("busy", used=Resources(12, 60000, 900)), node("idle"))
    assert decided(ask(), nodes).candidates == ("idle", "busy")


def test_a_soft_rule_outweighs_spreading() -> None:
    nodes = fleet(node("busy", used=Resources(12, 60000, 900)), node("idle"))
    together = Group("affinity", False, frozenset({"busy"}))
    apart = Group("anti-affinity", False, frozenset({"idle"}))
    for group in (together, apart):
        assert decided(ask(groups=(group,)), nodes).candidates == ("busy", "idle")


def test_equal_nodes_are_shuffled_by_the_seed() -> None:
    nodes = fleet(*(node(f"n{number}") for number in range(10)))
    firsts = {decided(ask(), nodes, seed=seed).candidates[0] for seed in range(40)}
    assert len(firsts) > 5


def test_refusal_names_the_single_failing_clause() -> None:
    nodes = fleet(node("n-us", VIRGINIA), node("n-de", RHINE, is_cordoned=True))
    policies = (only_in(PARIS, VIRGINIA, level="organization"), only_in(PARIS, RHINE, level="project", clause="home"))
    decision = decided(ask(policies=policies), nodes)
    assert changes(decision) == {
        "policy": {"policy": "pol-project", "level": "project", "atom": "home", "zones": [VIRGINIA]}
    }


def test_a_refusal_names_the_zones_and_nodes_that_would_do() -> None:
    nodes = fleet(node("n-fr", PARIS, is_cordoned=True), node("n-de", RHINE))
    decision = decided(ask(zones=(PARIS,)), nodes)
    assert changes(decision) == {"zone_asked": {"zones": [RHINE]}, "cordon": {"nodes": ["n-fr"]}}


def test_a_refusal_names_the_fewest_traits_to_do_without() -> None:
    nodes = fleet(node("n1", traits=frozenset({"tpm"})), node("n2"))
    decision = decided(ask(traits=frozenset({"tpm", "avx512"})), nodes)
    assert changes(decision) == {"traits": {"traits": ["avx512"]}}
    assert decision.nearest[0].missing_traits == ("avx512",)


def test_a_refusal_names_the_largest_size_that_fits() -> None:
    nodes = fleet(node("n1", used=Resources(vcpus=13)), node("n2", used=Resources(memory_mib=63000)))
    decision = decided(ask(resources=Resources(4, 4096, 20)), nodes)
    assert [dict(each.facts) for each in decision.relaxations] == [
        {"vcpus": 3, "memory_mib": 4096, "disk_gib": 20},
        {"vcpus": 4, "memory_mib": 2536, "disk_gib": 20},
    ]
    assert decision.nearest[0].shortfall == {"vcpus": 1}


def test_largest_admitted_size_reduces_the_request_minimally() -> None:
    nodes = fleet(node("n1", used=Resources(8, 32768, 0)), node("n2", used=Resources(15, 65000, 0)))
    decision = decided(ask(resources=Resources(16, 65536, 20)), nodes)
    assert changes(decision) == {"size": {"vcpus": 8, "memory_mib": 32768, "disk_gib": 20}}


def test_zones_report_clauses_and_counts_also_where_there_is_no_node() -> None:
    decision = decided(
        ask(policies=(only_in(PARIS, VIRGINIA),)), fleet(node("n1"), node("n2", RHINE), FULL._replace(id="n3"))
    )
    zones = {zone.zone: (zone.nodes, zone.admitted, dict(zone.codes)) for zone in decision.zones}
    assert zones == {PARIS: (2, 1, {"NO_CAPACITY": 1}), RHINE: (1, 0, {"ATTR_MISMATCH": 1}), VIRGINIA: (0, 0, {})}
    assert all(zone.results for zone in decision.zones)


def test_an_empty_fleet_refuses_without_inventing_reasons() -> None:
    decision = decided(ask(), fleet())
    assert (decision.verdict, decision.refusals(), decision.nearest) == ("inadmissible", {}, ())


def test_a_large_fleet_leaves_a_short_document_with_whole_counts() -> None:
    nodes = fleet(*(node(f"n{number:04}", is_cordoned=number % 2 == 0) for number in range(1000)))
    document = as_document(decided(ask(), nodes))
    assert document["candidates"]["count"] == 500  # type: ignore[index]
    assert len(json.dumps(document)) < 10_000


def test_duplicate_node_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="same node id"):
        fleet(node("n1"), node("n1"))


def test_negative_amounts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        ask(resources=Resources(-1, 0, 0))


def test_fits_counts_copies_over_admissible_nodes() -> None:
    nodes = fleet(node("n1"), node("n2", used=Resources(13, 0, 0)), node("n3", is_cordoned=True))
    assert fits(ask(), nodes, assessed(ask())) == 8 + 1


def test_fits_by_zone_is_fits_of_each_zone_alone() -> None:
    nodes = fleet(
        node("n1", PARIS), node("n2", RHINE), node("n3", RHINE, used=Resources(13, 0, 0)), node("n4", VIRGINIA)
    )
    groups = ((), (Group("affinity", True),), (Group("anti-affinity", True),))
    for request in (ask(groups=group) for group in groups):
        alone = {
            zone: fits(replace(request, zones=(zone,)), nodes, assessed(request)) for zone in nodes.dictionary.zones
        }
        assert fits_by_zone(request, nodes, assessed(request)) == alone


def test_fits_respects_the_group() -> None:
    nodes = fleet(node("n1"), node("n2"))
    assert fits(ask(groups=(Group("anti-affinity", True),)), nodes, assessed(ask())) == 2
    assert fits(ask(groups=(Group("affinity", True),)), nodes, assessed(ask())) == 8


def test_the_largest_that_fits_is_the_room_on_one_node() -> None:
    nodes = fleet(node("n1", used=Resources(8, 0, 0)), node("n2", used=Resources(0, 61440, 0)))
    assert largest(ask(), nodes, assessed(ask())) == Resources(8, 65536, 1000)
    assert largest(ask(), fleet(FULL), assessed(ask())) is None


def test_capacity_of_an_empty_request_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        fits(ask(resources=Resources()), fleet(), assessed(ask()))


def territory(zone: str, value: object) -> Zone:
    ever = datetime(2020, 1, 1, tzinfo=UTC)
    return Zone(zone, {"location.territory": (Fact(value, ever),), "network_class": (Fact(0, ever),)})


DEMANDS = Policy(
    "pol-1",
    "organization",
    (
        Clause("net", "ge", 1, "network_class", roles=("compute",)),
        Clause("loc", "in", ("FR",), "location.territory"),
        Clause("meta", "subset", ("FR",), "metadata.countries", roles=("compute",)),
    ),
)


def test_node_is_refused_by_the_first_failing_clause_of_its_zone() -> None:
    zones = (territory(PARIS, "FR"), territory(RHINE, "DE"), territory(VIRGINIA, None))
    decision = decided(ask(policies=(DEMANDS,)), three_zones(), zones)
    assert decision.refusals() == dict.fromkeys(["n-fr", "n-de", "n-us"], "LEVEL_TOO_LOW")
    assert {miss.node: miss.codes for miss in decision.nearest} == {
        "n-fr": ("LEVEL_TOO_LOW", "ATTR_UNKNOWN"),
        "n-de": ("LEVEL_TOO_LOW", "ATTR_MISMATCH", "ATTR_UNKNOWN"),
        "n-us": ("LEVEL_TOO_LOW", "ATTR_UNKNOWN"),
    }


def test_each_reason_of_a_filter_counts_its_own_nodes() -> None:
    zones = (territory(PARIS, "FR"), territory(RHINE, "DE"), territory(VIRGINIA, None))
    decision = decided(ask(policies=(DEMANDS,), roles=("backup",)), three_zones(), zones)
    assert decision.refusals() == {"n-de": "ATTR_MISMATCH", "n-us": "ATTR_UNKNOWN"}
    reasons = Policy(
        "pol-2", "project", (Clause("far", "min_distance_km", 10), Clause("snc", "holds", Certified("SNC")))
    )
    known = {PARIS: territory(PARIS, "FR"), RHINE: territory(RHINE, "FR")}
    certified = Zone(PARIS, {**known[PARIS].facts, "certifications": (Fact([], datetime(2020, 1, 1, tzinfo=UTC)),)})
    decision = decided(ask(policies=(reasons,)), fleet(node("n1"), node("n2", RHINE)), (certified, known[RHINE]))
    assert decision.refusals() == {"n1": "CERT_MISSING", "n2": "ATTR_UNKNOWN"}
    assert [(each.filter, each.code, len(each.nodes)) for each in decision.eliminated[:2]] == [
        ("policy", "CERT_MISSING", 1),
        ("facts", "ATTR_UNKNOWN", 1),
    ]
    assert [dict(zone.codes) for zone in decision.zones] == [{"ATTR_UNKNOWN": 1}, {"CERT_MISSING": 1}]


def test_two_reasons_of_one_filter_are_separate() -> None:
    zones = (territory(PARIS, "FR"), territory(RHINE, "DE"))
    net = Policy("pol-1", "project", (Clause("loc", "in", ("FR",), "location.territory"), DEMANDS.clauses[0]))
    decision = decided(ask(policies=(net,)), fleet(node("n1"), node("n2", RHINE), node("n3")), zones)
    assert [(each.filter, each.code, each.nodes) for each in decision.eliminated[:3]] == [
        ("policy", "ATTR_MISMATCH", ("n2",)),
        ("policy", "LEVEL_TOO_LOW", ("n1", "n3")),
        ("facts", "ATTR_UNKNOWN", ()),
    ]
