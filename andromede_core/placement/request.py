"""Placement requests, with policies and pools resolved."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from andromede_core.policy.clauses import ROLES, Policy, Role

Consumer = Literal["instance", "volume", "snapshot", "image"]
Rule = Literal["affinity", "anti-affinity"]


class Resources(NamedTuple):
    """An amount of each resource; the order of the fields is the order of the columns in a Fleet."""

    vcpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0


DIMENSIONS = Resources._fields


@dataclass(frozen=True, slots=True)
class Group:
    """An affinity group as one of its members meets it; `nodes` are where the other members are now.

    A hard rule refuses nodes, a soft one only prefers others. Affinity without members yet admits every node.
    """

    rule: Rule
    is_hard: bool
    nodes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ResolvedPoolRequirement:
    """A pool that the node must have, as its `trait` shows, and the requested space in it.

    `free_gib`: the pool's free space, by zone; a zone that is not in it does not count. `nearly_full`: zones whose pool
    takes no new data, whatever its free space.
    """

    pool: str
    trait: str
    gib: int
    free_gib: tuple[tuple[str, int], ...]
    nearly_full: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ResolvedRequest:
    """A placement request with policies and pools resolved.

    `zones`: any of these (None: any at all). `routed_to`: the node's zone must be each of these, because addresses of
    the guest are routed there. `mtu_zones`: zones whose underlay carries the packets of the guest's networks (None:
    all). `near`: the node must be each of these, because a guest and the data it
    uses share a node; two different ones admit nothing. Amounts are what is added to the node's load, so growing a
    resource in place requests the difference and is `near` its own node. `host`: the only node allowed, by the caller's
    choice. `roles`: the reasons for holding data that the operation gives the place; clauses about others do not apply.
    `classifications`: of the data, which the node's charter has to allow. `is_there`: the resource is in its place
    already and only goes on there; filters that keep new resources away from a zone or node do not count. `shares`: of
    storage that nodes have in common.
    """

    consumer: Consumer
    resources: Resources
    zones: tuple[str, ...] | None = None
    routed_to: frozenset[str] = frozenset()
    mtu_zones: frozenset[str] | None = None
    traits: frozenset[str] = frozenset()
    groups: tuple[Group, ...] = ()
    near: frozenset[str] = frozenset()
    host: str | None = None
    excluded_nodes: frozenset[str] = frozenset()
    policies: tuple[Policy, ...] = ()
    roles: tuple[Role, ...] = ROLES
    classifications: tuple[str, ...] = ()
    is_there: bool = False
    shares: tuple[ResolvedPoolRequirement, ...] = ()

    def __post_init__(self) -> None:
        if min(self.resources) < 0:
            raise ValueError(f"A request cannot ask for a negative amount: {self.resources}.")
