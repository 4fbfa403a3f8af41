"""Do the policies hold for a zone, on the facts that are vouched for? As the node will ask it, and no other way."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from controlplane.catalog import keys
from controlplane.kernel import clock
from controlplane.nodes import trust
from controlplane.placement import exemptions
from controlplane.placement.core import exemption as core
from controlplane.placement.core.evaluate import AtomResult, evaluate, waive
from controlplane.placement.core.exemption import Exemption, NotApproved
from controlplane.placement.core.policy import Policy
from controlplane.placement.core.roles import ROLES_OF
from controlplane.placement.core.signed import Verify
from controlplane.placement.core.trust import Key
from controlplane.signer.believed import Believed
from controlplane.signer.errors import FactsNotVouchedFor


@dataclass(frozen=True)
class Judgement:
    """They hold until `lasts`, if nobody changes anything, and under `exemption` if there is one."""

    lasts: datetime | None
    exemption: Exemption | None = None


def judge(policies: tuple[Policy, ...], known: Believed, *, op: str, resource_id: UUID) -> Judgement:
    """
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
    now = clock.now()
    found = []
    for exemption in map(exemptions.as_core, exemptions.running(resource_id, op, now).filter(zone=zone)):
        verify = core.verifier_of(trust.keyset(), exemption.terms, _verifier)
        try:
            core.check(exemption, resource=str(resource_id), op=op, zone=zone, now=now, verify=verify)
        except NotApproved:
            continue
        found.append(exemption)
    return found


def _verifier(key: Key) -> Verify:
    return keys.verifier(key.public_key)
