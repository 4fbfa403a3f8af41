"""Small fleets, requests and policies, by example and by Hypothesis."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from andromede_core.facts.world import Fact, World, Zone
from andromede_core.placement.fleet import Fleet, NodeRow
from andromede_core.placement.request import Group, ResolvedRequest, Resources
from andromede_core.policy.assessment import Assessment, assess
from andromede_core.policy.clauses import Clause, Level, Policy

PARIS, RHINE, VIRGINIA = "fr-idf-1", "de-rhein-1", "us-va-1"
ZONE_IDS = (PARIS, RHINE, VIRGINIA)
TRAITS = ("avx512", "nested", "tpm")
ROOMY = Resources(16, 65536, 1000)
SMALL = Resources(2, 4096, 20)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def in_country(zone: str, territory: str | None = None, **fields: Any) -> Zone:
    """Return a zone with a known territory, or without facts."""
    facts = {"location.territory": (Fact(territory, NOW),)} if territory else {}
    return Zone(zone, facts, **fields)


OPEN_ZONES = (in_country(PARIS, "FR"), in_country(RHINE, "DE"), in_country(VIRGINIA, "US"))


def world_of(zones: Iterable[Zone]) -> World:
    return World(zones={zone.id: zone for zone in zones})


OPEN_WORLD = world_of(OPEN_ZONES)


def assessed(request: ResolvedRequest, world: World = OPEN_WORLD) -> Assessment:
    return assess(request.policies, world, now=NOW, roles=request.roles)


def node(name: str, zone: str = PARIS, **changes: Any) -> NodeRow:
    return NodeRow(id=name, name=f"{name}-name", zone=zone, capacity=ROOMY, used=Resources())._replace(**changes)


def fleet(*rows: NodeRow) -> Fleet:
    return Fleet.from_rows(rows)


def three_zones() -> Fleet:
    return fleet(node("n-fr", PARIS), node("n-de", RHINE), node("n-us", VIRGINIA))


def ask(**fields: Any) -> ResolvedRequest:
    return ResolvedRequest(**{"consumer": "instance", "resources": SMALL} | fields)


def only_in(*zones: str, level: Level = "project", clause: str = "loc") -> Policy:
    return Policy(f"pol-{level}", level, (Clause(clause, "in", tuple(sorted(zones)), "zone.id"),))


NODE_IDS = [f"n{number:02}" for number in range(12)]

amounts = st.builds(Resources, st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))
node_sets = st.frozensets(st.sampled_from(NODE_IDS), max_size=3)
trait_sets = st.frozensets(st.sampled_from(TRAITS), max_size=2)
TERRITORIES = ("DE", "FR", "US")
clauses = st.builds(
    lambda number, values: Clause(f"a{number}", "in", tuple(sorted(values)), "zone.id"),
    st.integers(0, 999),
    st.sets(st.sampled_from(ZONE_IDS), min_size=1),
) | st.builds(
    lambda number, values: Clause(f"a{number}", "in", tuple(sorted(values)), "location.territory"),
    st.integers(0, 999),
    st.sets(st.sampled_from(TERRITORIES), min_size=1),
)
policies = st.builds(
    lambda level, found: Policy(f"pol-{level}", level, tuple({clause.id: clause for clause in found}.values())),
    st.sampled_from(["platform", "organization", "project", "resource"]),
    st.lists(clauses, max_size=2),
)
groups = st.builds(Group, rule=st.sampled_from(["affinity", "anti-affinity"]), is_hard=st.booleans(), nodes=node_sets)
requests = st.builds(
    ResolvedRequest,
    consumer=st.sampled_from(["instance", "volume"]),
    resources=amounts,
    zones=st.none() | st.lists(st.sampled_from(ZONE_IDS), min_size=1, max_size=2, unique=True).map(tuple),
    traits=st.just(frozenset()) | trait_sets,
    groups=st.lists(groups, max_size=2).map(tuple),
    near=st.just(frozenset()) | node_sets,
    excluded_nodes=st.just(frozenset()) | node_sets,
    policies=st.lists(policies, max_size=2).map(tuple),
)
mostly = st.sampled_from([True, True, True, False])
node_rows = st.builds(
    NodeRow,
    id=st.sampled_from(NODE_IDS),
    name=st.just("node"),
    zone=st.sampled_from(ZONE_IDS),
    capacity=amounts,
    used=amounts,  # may exceed the capacity: operators lower ratios
    is_ready=mostly,
    is_cordoned=mostly.map(lambda flag: not flag),
    traits=trait_sets,
)
row_lists = st.lists(node_rows, max_size=len(NODE_IDS), unique_by=lambda row: row.id)
zone_lists = st.lists(
    st.builds(
        in_country,
        st.sampled_from(ZONE_IDS),
        st.none() | st.sampled_from(TERRITORIES),
        status=st.sampled_from(["open", "open", "open", "draining", "closed"]),
    ),
    max_size=3,
    unique_by=lambda zone: zone.id,
) | st.just(list(OPEN_ZONES))
seeds = st.integers(0, 2**32 - 1)
