"""Policy check of a zone with the signed facts, exactly as the node does it."""

from dataclasses import dataclass
from datetime import datetime

from andromede_core.policy.clauses import Policy
from andromede_core.policy.evaluation import ClauseResult, evaluate, waive
from andromede_core.policy.roles import ROLES_OF
from controlplane.kernel import clock
from controlplane.placement import exemptions
from controlplane.placement.exemptions import ExemptedAction
from controlplane.placement.models import Exemption
from controlplane.signer.errors import FactsNotVouchedFor
from controlplane.signer.trusted_facts import TrustedFacts


@dataclass(frozen=True)
class PolicyCheck:
    """The result. The policies hold until `lasts` if nothing changes, and under `exemption` if there is one."""

    valid_until: datetime | None
    exemption: Exemption | None = None


def check_policies(policies: tuple[Policy, ...], facts: TrustedFacts, action: ExemptedAction) -> PolicyCheck:
    """Check the policies for an operation on a resource, in the zone that is `known`.

    An operation that gives the place nothing has no clauses.

    Raises:
        FactsNotVouchedFor: a clause does not hold.
    """
    if not ROLES_OF[action.op]:
        return PolicyCheck(None)
    now = clock.now()
    evaluation = evaluate(policies, facts.zone_facts, facts.world, now=now, roles=ROLES_OF[action.op])
    if evaluation.admits:
        return PolicyCheck(evaluation.valid_until)
    for exemption in exemptions.in_force(action, now):
        if exemption.zone == facts.zone and waive(evaluation, policies, exemption.waived).admits:
            ends = (evaluation.valid_until, exemption.expires_at)
            return PolicyCheck(min(moment for moment in ends if moment is not None), exemption)
    raise FactsNotVouchedFor(zone=facts.zone, clauses=_failed_clauses(evaluation.results))


def _failed_clauses(results: tuple[ClauseResult, ...]) -> str:
    return ", ".join(f"{each.ref.clause} ({each.code})" for each in results if each.result != "T")
