"""Do the policies hold for a zone, on the facts that are vouched for? As the node will ask it, and no other way."""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from controlplane.kernel import clock
from controlplane.placement import exemptions
from controlplane.placement.core import exemption as core
from controlplane.placement.core.evaluate import AtomResult, evaluate, waive
from controlplane.placement.core.exemption import Exemption, NotApproved, Occasion
from controlplane.placement.core.policy import Policy
from controlplane.placement.core.roles import ROLES_OF
from controlplane.signer.believed import Believed
from controlplane.signer.errors import FactsNotVouchedFor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judgement:
    """They hold until `lasts`, if nobody changes anything, and under `exemption` if there is one."""

    lasts: datetime | None
    exemption: Exemption | None = None


def judge(policies: tuple[Policy, ...], known: Believed, *, op: str, resource_id: UUID) -> Judgement:
    """Of an operation on a resource, in the zone that is `known`.

    Raises:
        FactsNotVouchedFor: a clause does not hold.
    """
    found = evaluate(policies, known.about, known.world, now=clock.now(), roles=ROLES_OF[op])
    if found.admits:
        return Judgement(found.valid_until)
    for exemption in _exemptions(known.zone, op=op, resource_id=resource_id):
        if waive(found, policies, exemption.terms.waived).admits:
            ends = (found.valid_until, exemption.terms.expires_at)
            return Judgement(min(moment for moment in ends if moment is not None), exemption)
    raise FactsNotVouchedFor(zone=known.zone, clauses=_told(found.results))


def _told(results: tuple[AtomResult, ...]) -> str:
    return ", ".join(f"{each.ref.atom} ({each.code})" for each in results if each.result != "T")


def _exemptions(zone: str, *, op: str, resource_id: UUID) -> list[Exemption]:
    """Those that hold now, both signatures checked by the keys that nodes check them by. That a use is left is seen to
    where the decision is stored."""
    now, found = clock.now(), []
    for row in exemptions.running(resource_id, op, now).filter(zone=zone).select_related("project"):
        exemption = exemptions.as_core(row)
        occasion = Occasion(str(resource_id), op, zone, str(row.project.organization_id))
        try:
            core.check(exemption, occasion, now=now, keyring=exemptions.keyring())
        except NotApproved as exc:
            log.info("exemption %s does not count: %s", row.pk, exc)
            continue
        found.append(exemption)
    return found
