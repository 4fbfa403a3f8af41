"""Residency of a public address: behind which nodes it was, from its history and the evidence about its instances.

The history states which instance or network had the address when. The evidence about the instance states where it ran,
which is where nodes answered for the address, and what the announcers told routers. For the egress address of a network
that was its gateway node, of which no receipt is made: the audit log states which one it was. The audit log also states
when the address was suspended: meanwhile it was behind no node.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from uuid import UUID

from django.db.models import Q

from controlplane.audit import selectors as audit
from controlplane.audit.errors import RecordNotFound
from controlplane.audit.models import AuditEntry
from controlplane.audit.residency import History, Interval
from controlplane.identity.actor import Actor
from controlplane.identity.selectors import projects
from controlplane.network.egress_gateways import GATEWAY
from controlplane.network.models import PublicAddressUse
from controlplane.network.public_addresses import RESUME, SUSPEND

Period = tuple[datetime, datetime | None]

ROLE = "netedge"
MAX_USES = 50  # of an answer: each reads the evidence about its instance


def public_address_residency(
    actor: Actor, address_id: UUID, *, start: datetime | None, end: datetime | None, role: str | None
) -> tuple[History, datetime | None]:
    """Return where the address was within [start, end), also after its release, with its last MAX_USES uses in it.

    The moment before which it had others, as the end of the next request; None: it had none. An address has one use at
    a time. An interval is proven if receipts prove that the instance was there, and that of a gateway node is only
    claimed.

    Raises:
        RecordNotFound: the actor sees no such address, or it was never attached.
    """
    seen = PublicAddressUse.objects.filter(address_id=address_id, project_id__in=projects(actor).values("pk"))
    if not seen.exists():
        raise RecordNotFound(name=str(address_id))
    if role not in (None, ROLE):
        return History((), ()), None
    within = Q() if start is None else Q(ended_at=None) | Q(ended_at__gt=start)
    within &= Q() if end is None else Q(began_at__lt=end)
    newest = seen.filter(within).exclude(instance_id=None, network_id=None).order_by("-began_at", "-pk")
    found = list(newest[: MAX_USES + 1])
    uses = found[:MAX_USES][::-1]
    changes = _gateway_changes(address_id, [use for use in uses if use.network_id is not None])
    suspensions = _suspensions(address_id)
    places = (part for use in uses for part in _places(use, changes, start, end))
    intervals = tuple(part for place in places for part in _outside(place, suspensions))
    return History(intervals, ()), uses[0].began_at if len(found) > MAX_USES else None


def _suspensions(address_id: UUID) -> list[Period]:
    """Return when the address was suspended, the oldest first; an end of None: it is."""
    entries = AuditEntry.objects.filter(resource_id=address_id, verb__in=(SUSPEND, RESUME)).order_by("created_at")
    periods: list[Period] = []
    for verb, moment in entries.values_list("verb", "created_at"):
        is_suspended = bool(periods) and periods[-1][1] is None
        if verb == SUSPEND and not is_suspended:
            periods.append((moment, None))
        elif verb == RESUME and is_suspended:
            periods[-1] = (periods[-1][0], moment)
    return periods


def _outside(place: Interval, suspensions: Sequence[Period]) -> Iterator[Interval]:
    """Yield the parts of the interval that are in none of the periods. These are in order and do not overlap."""
    begin: datetime | None = place.start
    for since, until in suspensions:
        if begin is None or (until is not None and until <= begin):
            continue
        if place.end is not None and since >= place.end:
            break
        if begin < since:
            # No receipt of the node is about the suspension.
            yield replace(place, start=begin, end=since, close_receipt="")
            place = replace(place, open_receipt="")
        begin = until
    if begin is not None and (place.end is None or begin < place.end):
        yield replace(place, start=begin)


def _gateway_changes(address_id: UUID, uses: Sequence[PublicAddressUse]) -> list[AuditEntry]:
    """Return the changes of the gateway node during these uses of networks, the oldest first."""
    if not uses:
        return []
    since = AuditEntry.objects.filter(resource_id=address_id, verb=GATEWAY, created_at__gte=uses[0].began_at)
    last = uses[-1].ended_at
    return list((since if last is None else since.filter(created_at__lt=last)).order_by("created_at"))


def _places(
    use: PublicAddressUse, changes: Sequence[AuditEntry], start: datetime | None, end: datetime | None
) -> Iterator[Interval]:
    """Yield where the instance ran, or which nodes were the gateway of the network, while it had the address."""
    first = use.began_at if start is None else max(use.began_at, start)
    last = _earliest(use.ended_at, end)
    if use.instance_id is None:
        yield from _gateways(use, changes, first, last)
        return
    for each in audit.residency_of(use.instance_id, start=first, end=last, role="compute").intervals:
        yield replace(each, role=ROLE, instance=str(use.instance_id))


def _gateways(
    use: PublicAddressUse, changes: Sequence[AuditEntry], first: datetime, last: datetime | None
) -> Iterator[Interval]:
    """Yield the gateway nodes within [first, last). `changes`: of the address's gateways, the oldest first."""
    own = [
        each
        for each in changes
        if use.began_at <= each.created_at and (use.ended_at is None or each.created_at < use.ended_at)
    ]
    for change, following in zip_longest(own, own[1:]):
        begin = max(change.created_at, first)
        end = last if following is None else _earliest(following.created_at, last)
        if change.facts["node"] is not None and (end is None or begin < end):
            yield _claimed(change.facts["zone"], change.facts["node"], begin, end)


def _claimed(zone: str, node: str, start: datetime, end: datetime | None) -> Interval:
    """Return the interval of a gateway node: placement admitted the address when the network got it."""
    return Interval(
        role=ROLE,
        disk="",
        zone=zone,
        node=node,
        start=start,
        end=end,
        decision="",
        permit="",
        open_receipt="",
        close_receipt="",
        state="claimed",
        is_compliant=True,
    )


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)
