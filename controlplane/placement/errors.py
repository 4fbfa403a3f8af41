from controlplane.kernel.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable, Unprocessable


class InsufficientCapacity(Conflict):
    code = "insufficient_capacity"
    title = "Not enough capacity"
    detail = "No suitable node has enough free capacity now. {explanation}"


class NoPlace(Conflict):
    """No node for another reason than capacity.

    A zone is closed, nodes are cordoned or unreachable, or a trait or affinity rule fails.
    """

    code = "placement.no_place"
    title = "No suitable node"
    detail = "No node satisfies the request. {explanation}"


class FleetChanged(Unavailable):
    code = "placement.fleet_changed"
    detail = "Free capacity changed while the request was placed. Try again."


class PolicyUnsatisfiable(Unprocessable):
    code = "policy_unsatisfiable"
    title = "Refused by policy"
    detail = "No zone that the policy admits can take the request. {explanation}"


class NotAdmittedHere(PolicyUnsatisfiable):
    """The refusal of an action on a placed resource by its own zone, whatever other zones admit.

    `clauses`: those that its own zone fails, as level/clause.
    """

    detail = (
        "The resource is in {zone}, which {clauses} does not admit. {explanation} Create it again in an admitted "
        "zone, have the policy changed, or request an exemption."
    )


class PolicyInvalid(InvalidRequest):
    code = "placement.policy_invalid"
    title = "Invalid policy"
    detail = "The policy cannot be saved. {place} (clause {atom}): {reason}."


class PolicyEmpty(Unprocessable):
    code = "placement.policy_empty"
    title = "Contradictory policy"
    detail = "EMPTY_INTERSECTION: no zone can ever satisfy these clauses together: {atoms}."


class PersonNeeded(Forbidden):
    code = "placement.person_needed"
    title = "A person is needed"
    detail = (
        "A policy that demands less needs the approval of two people, and this credential belongs to no person. Sign "
        "in as a user."
    )


class SecondPersonNeeded(Forbidden):
    code = "placement.second_person_needed"
    title = "Another person is needed"
    detail = "The author of a proposal cannot approve it. Ask another person to approve it."


class ProposalNotFound(NotFound):
    code = "placement.proposal.not_found"
    detail = "There is no policy proposal {name!r} here."


class ProposalOvertaken(Conflict):
    code = "placement.proposal.overtaken"
    title = "Proposal outdated"
    detail = "The policy changed after the proposal was made. Make a new proposal."


class DeclassifiedNotFound(NotFound):
    code = "placement.declassification.resource_not_found"
    detail = "No classification is recorded for {name!r} in this organization."


class NothingToDeclassify(Unprocessable):
    code = "placement.declassification.nothing_to_lose"
    title = "Nothing to declassify"
    detail = "The classifications or lineage entries cannot be removed: {names}. Name those that the data has."


class NothingLoosened(Unprocessable):
    code = "placement.proposal.not_needed"
    title = "No proposal is needed"
    detail = "This policy demands no less than the one in force. Set it directly, without a proposal."


class PolicyNotUndoable(Conflict):
    code = "placement.policy_not_undoable"
    title = "Cannot be undone"
    detail = "The last change of this policy cannot be undone by you: {reason} Set the policy that you want instead."


class ClassificationNotFound(NotFound):
    code = "placement.classification.not_found"
    detail = "There is no classification {name!r} here. GET /v1/classifications lists them."


class ClassificationTaken(Conflict):
    code = "placement.classification.taken"
    title = "Name taken"
    detail = "There is already a classification {name!r}."


class ClassificationIdTooLong(InvalidRequest):
    code = "placement.classification.id_too_long"
    title = "Name too long"
    detail = "The name of a classification is {prefix!r}, followed by at most {limit} characters."


class TooManyClauses(Unprocessable):
    code = "placement.too_many_atoms"
    title = "Too many clauses"
    detail = "The combined policies would have {count} clauses; the limit is {limit}."


class PolicyOverflows(Unprocessable):
    code = "placement.policy_overflows"
    title = "Too many clauses"
    detail = (
        "With this policy, {count} resources would exceed the limit of {limit} clauses, among them {name}. Use fewer "
        "clauses."
    )


class UnknownHost(InvalidRequest):
    code = "placement.unknown_host"
    title = "Unknown host"
    detail = "There is no node {name!r}. A requested node is never replaced by another one."


class ZoneUnknown(InvalidRequest):
    code = "placement.zone_unknown"
    detail = "There is no zone {name!r}. GET /v1/zones lists them."


class NoAllocation(Conflict):
    code = "placement.no_allocation"
    detail = "The resource has no allocation on a node."


class DecisionNotFound(NotFound):
    code = "placement.decision.not_found"
    detail = "There is no placement decision {name!r} here."


class ExemptionNotFound(NotFound):
    code = "placement.exemption.not_found"
    detail = "There is no exemption {name!r} here."


class ExemptionNotPossible(Unprocessable):
    code = "placement.exemption.not_possible"
    title = "No exemption is possible"
    detail = "This cannot be exempted: {reason}."


class ExemptionAlreadyRequested(Conflict):
    code = "placement.exemption.asked"
    title = "Already requested"
    detail = "Exemption {name} is for the same resource, operation and zone. Have it approved, or wait until it ends."


class ExemptionForOther(Unprocessable):
    code = "placement.exemption.for_other"
    title = "The exemption is for something else"
    detail = "Exemption {name} is for {op}. Use one that was requested for this operation."


class ExemptionUnsigned(Conflict):
    code = "placement.exemption.unsigned"
    title = "The exemption is not approved yet"
    detail = "Exemption {name} has {count} of two required signatures. Have it approved, then repeat the request."


class ExemptionSpent(Conflict):
    code = "placement.exemption.spent"
    title = "Already created"
    detail = "Exemption {name} is for creating {resource}, which was created already. Ask for another exemption."


class ExemptionOver(Conflict):
    code = "placement.exemption.over"
    title = "The exemption is over"
    detail = "Exemption {name} has expired or was used as often as allowed. Ask for another one."


class ExemptionSamePerson(Conflict):
    code = "placement.exemption.same_person"
    title = "Another person is needed"
    detail = "Two people with different duties must approve, and neither may be the requester."


class ApprovalInvalid(InvalidRequest):
    code = "placement.exemption.approval_invalid"
    title = "Invalid approval"
    detail = "The approval is not valid: {reason}."


class SignerSilent(Unavailable):
    code = "placement.signer_silent"
    title = "No permit yet"
    detail = "The {process} has not answered the permit request yet. Nothing is done on a node without a permit."
