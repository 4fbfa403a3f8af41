"""Residency of a public address: behind which nodes it was, from its history and the evidence about its instances.

The history states which instance had the address when. The evidence about that instance states where it ran, which is
where nodes answered for the address, and what the announcers told routers.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from andromede_core.documents.messages import Message
from controlplane.audit import selectors as audit
from controlplane.audit.errors import RecordNotFound
from controlplane.audit.residency import History, Interval
from controlplane.identity.actor import Actor
from controlplane.identity.selectors import projects
from controlplane.kernel.listing import invalid
from controlplane.network.models import PublicAddressUse

ROLE = "netedge"
MAX_USES = 50  # each reads the evidence about its instance


def public_address_residency(
    actor: Actor, address_id: UUID, *, start: datetime | None, end: datetime | None, role: str | None
) -> History:
    """Return where the address was within [start, end), also after its release.

    An interval is proven if receipts prove that the instance was there.

    Raises:
        RecordNotFound: the actor sees no such address, or it was never attached.
        InvalidParameter: in this period it was at more than MAX_USES instances.
    """
    seen = PublicAddressUse.objects.filter(address_id=address_id, project_id__in=projects(actor).values("pk"))
    if not seen.exists():
        raise RecordNotFound(name=str(address_id))
    if role not in (None, ROLE):
        return History((), ())
    within = Q() if start is None else Q(ended_at=None) | Q(ended_at__gt=start)
    within &= Q() if end is None else Q(began_at__lt=end)
    uses = list(seen.filter(within).exclude(instance_id=None).order_by("began_at")[: MAX_USES + 1])
    if len(uses) > MAX_USES:
        reason = Message("it was at more than {count} instances in this period. Choose a shorter one.", count=MAX_USES)
        raise invalid("from", reason)
    return History(tuple(part for use in uses for part in _places(use, start, end)), ())


def _places(use: PublicAddressUse, start: datetime | None, end: datetime | None) -> Iterator[Interval]:
    """Yield where the instance ran while it had the address."""
    assert use.instance_id is not None
    first = use.began_at if start is None else max(use.began_at, start)
    last = min((each for each in (use.ended_at, end) if each is not None), default=None)
    for each in audit.residency_of(use.instance_id, start=first, end=last, role="compute").intervals:
        yield replace(each, role=ROLE, instance=str(use.instance_id))
