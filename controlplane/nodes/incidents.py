"""What is not as it should be on a node, kept until it is seen no more, and forever as evidence."""

import logging
from collections.abc import Collection

from django.db import transaction

from controlplane.audit import evidence
from controlplane.audit.services import record
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.nodes.models import Incident, Node

log = logging.getLogger(__name__)


@transaction.atomic
def report(node: Node, kind: str, name: str, **facts: object) -> None:
    """Loud when it is new; seeing it again only notes when. `facts` are JSON values."""
    now, name = clock.now(), name[:200]
    known = Incident.objects.filter(node=node, kind=kind, name=name, ended_at=None)
    if known.update(seen_at=now):
        return
    incident = Incident.objects.create(node=node, kind=kind, name=name, facts=facts, seen_at=now)
    document = {"incident": kind, "node": str(node.pk), "zone": node.zone_id, "name": name, "facts": facts}
    evidence.append("incident", document)
    record(SYSTEM, f"incident.{kind}", node.pk, incident=str(incident.pk), name=name, facts=facts)
    log.critical("node %s (%s): %s %s %s", node.name, node.zone_id, kind, name, facts)


def end(node: Node, kind: str, *, but: Collection[str] = ()) -> None:
    """Those of this kind, `but` these, are seen no more."""
    over = Incident.objects.filter(node=node, kind=kind, ended_at=None).exclude(name__in=[name[:200] for name in but])
    over.update(ended_at=clock.now())
