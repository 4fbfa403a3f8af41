"""Do the policies hold for a zone, on the facts that are vouched for? As the node will ask it, and no other way."""

from dataclasses import dataclass
from datetime import datetime

from andromede_core.policy.clauses import Policy
from andromede_core.policy.evaluation import AtomResult, evaluate, waive
from andromede_core.policy.roles import ROLES_OF
from controlplane.kernel import clock
from controlplane.placement import exemptions
from controlplane.placement.exemptions import Deed
from controlplane.placement.models import Exemption
from controlplane.signer.believed import Believed
from controlplane.signer.errors import FactsNotVouchedFor


@dataclass(frozen=True)
class Judgement:
    """They hold until `lasts`, if nobody changes anything, and under `exemption` if there is one."""

    lasts: datetime | None
    exemption: Exemption | None = None


def judge(policies: tuple[Policy, ...], known: Believed, deed: Deed) -> Judgement:
    """Of an operation on a resource, in the zone that is `known`. One that gives the place nothing is asked no clause.

    Raises:
        FactsNotVouchedFor: a clause does not hold.
    """
    if not ROLES_OF[deed.op]:
        return Judgement(None)
    now = clock.now()
    found = evaluate(policies, known.about, known.world, now=now, roles=ROLES_OF[deed.op])
    if found.admits:
        return Judgement(found.valid_until)
    for exemption in exemptions.in_force(deed, now):
        if exemption.zone == known.zone and waive(found, policies, exemption.waived).admits:
            ends = (found.valid_until, exemption.expires_at)
            return Judgement(min(moment for moment in ends if moment is not None), exemption)
    raise FactsNotVouchedFor(zone=known.zone, clauses=_told(found.results))


def _told(results: tuple[AtomResult, ...]) -> str:
    return ", ".join(f"{each.ref.atom} ({each.code})" for each in results if each.result != "T")
