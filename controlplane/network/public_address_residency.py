"""Residency of a public address: behind which nodes it was, from its history and the evidence about its instances.

The history states which instance or network had the address when. The evidence about the instance states where it ran,
which is where nodes answered for the address, and what the announcers told routers. For the egress address of a network
that was its gateway node, of which no receipt is made: the audit log states which one it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from uuid import UUID

from django.db.models import Q

from andromede_core.documents.messages import Message
from controlplane.audit import selectors as audit
from controlplane.audit.errors import RecordNotFound
from controlplane.audit.models import AuditEntry
from controlplane.audit.residency import History, Interval
from controlplane.identity.actor import Actor
from controlplane.identity.selectors import projects
from controlplane.kernel.listing import invalid
from controlplane.network.egress_gateways import GATEWAY
from controlplane.network.models import PublicAddressUse

ROLE = "netedge"
MAX_USES = 50  # each reads the evidence about its instance


def public_address_residency(
    actor: Actor, address_id: UUID, *, start: datetime | None, end: datetime | None, role: str | None
) -> History:
    """Return where the address was within [start, end), also after its release.

    An interval is proven if receipts prove that the instance was there, and that of a gateway node is only claimed.

    Raises:
        RecordNotFound: the actor sees no such address, or it was never attached.
        InvalidParameter: in this period it had more than MAX_USES instances and networks.
    """
    seen = PublicAddressUse.objects.filter(address_id=address_id, project_id__in=projects(actor).values("pk"))
    if not seen.exists():
        raise RecordNotFound(name=str(address_id))
    if role not in (None, ROLE):
        return History((), ())
    within = Q() if start is None else Q(ended_at=None) | Q(ended_at__gt=start)
    within &= Q() if end is None else Q(began_at__lt=end)
    uses = list(seen.filter(within).exclude(instance_id=None, network_id=None).order_by("began_at")[: MAX_USES + 1])
    if len(uses) > MAX_USES:
        reason = Message(
            "it had more than {count} instances and networks in this period. Choose a shorter one.", count=MAX_USES
        )
        raise invalid("from", reason)
    changes: Sequence[AuditEntry] = ()
    if any(use.network_id is not None for use in uses):
        changes = list(AuditEntry.objects.filter(resource_id=address_id, verb=GATEWAY).order_by("created_at"))
    return History(tuple(part for use in uses for part in _places(use, changes, start, end)), ())


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
