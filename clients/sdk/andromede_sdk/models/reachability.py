# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Reachability(Model):
    """The answer, from what the control plane has recorded; no packet was sent.

    `verdict`: refused if a step refuses, else unknown if one is unknown, else allowed. Steps behind a refusal are
    listed too. `next_steps`: what to do about the steps that stop the traffic."""

    verdict: str  # allowed, refused, unknown
    source: ReachabilityEnd
    target: ReachabilityEnd
    protocol: str  # any, tcp, udp, icmp
    port: int | None
    family: str  # ipv4, ipv6
    steps: list[ReachabilityStep]
    next_steps: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReachabilityEnd(Model):
    """An end of the question as it was understood. All null: anywhere outside."""

    instance: Named | None
    port: Named | None
    network: Named | None
    address: str | None


class ReachabilityEndInput(TypedDict):
    """One end: an instance, a port or an address, or `outside`, any address outside. Give one of them."""

    instance: NotRequired[str]
    port: NotRequired[str]
    address: NotRequired[str]
    outside: NotRequired[bool]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReachabilityStep(Model):
    """One thing that lets the traffic pass or stops it.

    `security_group` and `rule`: the rule that allows it. `port`: the port that the step is about."""

    kind: str  # instance, zone, egress, network, gateway, destination, translation, public-address, ingress
    outcome: str  # allowed, refused, unknown
    text: str
    port: str | None
    security_group: Named | None
    rule: str | None
