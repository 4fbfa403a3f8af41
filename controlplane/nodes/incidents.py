"""Incidents of nodes: open while the problem is observed, and kept forever as evidence."""

import logging
from collections.abc import Collection, Mapping

from django.db import transaction

from controlplane.audit import evidence_log
from controlplane.audit.services import record
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.nodes.models import Incident, Node

log = logging.getLogger(__name__)


@transaction.atomic
def report(node: Node, kind: str, name: str, **facts: object) -> bool:
    """Open an incident, with a warning in the log, and return True; if it is open, update its time.

    `facts` are JSON values.
    """
    now, name = clock.now(), name[:200]
    open_incidents = Incident.objects.filter(node=node, kind=kind, name=name, ended_at=None)
    if open_incidents.update(observed_at=now):
        return False
    incident = Incident.objects.create(node=node, kind=kind, name=name, facts=facts, observed_at=now)
    document = {"incident": kind, "node": str(node.pk), "zone": node.zone_id, "name": name, "facts": facts}
    evidence_log.append("incident", document)
    record(SYSTEM, f"incident.{kind}", node.pk, incident=str(incident.pk), name=name, facts=facts)
    log.critical("node %s (%s): %s %s %s", node.name, node.zone_id, kind, name, facts)
    return True


def reconcile(node: Node, present: Mapping[str, Collection[str]]) -> set[str]:
    """Open and end incidents of these kinds to match those observed now. Returns the kinds with a new incident."""
    reported, new = set(), set()
    for kind, names in present.items():
        for name in sorted(names):
            reported.add((kind, name[:200]))
            if report(node, kind, name):
                new.add(kind)
    open_incidents = Incident.objects.filter(node=node, ended_at=None)
    over = [row.pk for row in open_incidents if row.kind in present and (row.kind, row.name) not in reported]
    if over:
        Incident.objects.filter(pk__in=over, ended_at=None).update(ended_at=clock.now())
    return new


def end(node: Node, kind: str, *, but: Collection[str] = ()) -> None:
    """End the incidents of this kind, `but` these."""
    over = Incident.objects.filter(node=node, kind=kind, ended_at=None).exclude(name__in=[name[:200] for name in but])
    over.update(ended_at=clock.now())
