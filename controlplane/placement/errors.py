from controlplane.kernel.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable, Unprocessable


class InsufficientCapacity(Conflict):
    code = "insufficient_capacity"
    title = "Not enough room"
    detail = "No node can take it at the moment. {explanation}"


class NoPlace(Conflict):
    """No node for another reason than capacity.

    A zone is closed, nodes are cordoned or unreachable, or a trait or affinity rule fails.
    """

    code = "placement.no_place"
    title = "No place for it"
    detail = "There is no place for it as things stand. {explanation}"


class FleetChanged(Unavailable):
    code = "placement.fleet_changed"
    detail = "The fleet changed faster than places on it could be taken. Try again."


class PolicyUnsatisfiable(Unprocessable):
    code = "policy_unsatisfiable"
    title = "Refused by policy"
    detail = "No zone that the policy admits can take it. {explanation}"


class NotAdmittedHere(PolicyUnsatisfiable):
    """The refusal of an action on a placed resource by its own zone, whatever other zones admit.

    `clauses`: those that its own zone fails, as level/atom.
    """

    detail = (
        "It is in {zone}, which {clauses} does not admit, so this is refused. {explanation} Create it again in a zone "
        "that is admitted, have the policy changed, or ask for an exemption."
    )


class PolicyInvalid(InvalidRequest):
    code = "placement.policy_invalid"
    title = "Invalid policy"
    detail = "The policy cannot be saved. {place} (atom {atom}): {reason}."


class PolicyEmpty(Unprocessable):
    code = "placement.policy_empty"
    title = "Contradictory policy"
    detail = "EMPTY_INTERSECTION: no zone can ever satisfy these atoms together: {atoms}."


class PersonNeeded(Forbidden):
    code = "placement.person_needed"
    title = "A person is needed"
    detail = "To demand less takes two people: this credential is nobody's."


class SecondPersonNeeded(Forbidden):
    code = "placement.second_person_needed"
    title = "Another person is needed"
    detail = "Who has proposed it cannot approve it: that takes a second person."


class ProposalNotFound(NotFound):
    code = "placement.proposal.not_found"
    detail = "There is no policy proposal {name!r} here."


class ProposalOvertaken(Conflict):
    code = "placement.proposal.overtaken"
    title = "Overtaken"
    detail = "Another version of the policy has come into force since the proposal was made. Propose it anew."


class DeclassifiedNotFound(NotFound):
    code = "placement.declassification.resource_not_found"
    detail = "The organization has nothing {name!r} of whose data something is recorded."


class NothingToDeclassify(Unprocessable):
    code = "placement.declassification.nothing_to_lose"
    title = "Nothing to declassify"
    detail = "The data has not this to lose: {names}. Read what it has, and name that."


class NothingLoosened(Unprocessable):
    code = "placement.proposal.not_needed"
    title = "No proposal is needed"
    detail = "This policy demands no less than the one in force: set it, and it holds at once."


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
    detail = "Classifications are named {prefix!r} and their own name: that has at most {limit} letters here."


class TooManyAtoms(Unprocessable):
    code = "placement.too_many_atoms"
    title = "Too many clauses"
    detail = "The policies that would hold together have {count} atoms; {limit} is the limit."


class PolicyOverflows(Unprocessable):
    code = "placement.policy_overflows"
    title = "Too many clauses"
    detail = (
        "With this policy, {count} resources would have more than {limit} clauses in all, among them {name}. Say the "
        "same in fewer clauses."
    )


class UnknownHost(InvalidRequest):
    code = "placement.unknown_host"
    title = "Unknown host"
    detail = "There is no node {name!r}. A host that is asked for is never replaced by another one."


class ZoneUnknown(InvalidRequest):
    code = "placement.zone_unknown"
    detail = "There is no zone {name!r}. GET /v1/zones lists them."


class NoAllocation(Conflict):
    code = "placement.no_allocation"
    detail = "It has no place on a node (any more)."


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


class ExemptionAsked(Conflict):
    code = "placement.exemption.asked"
    title = "It was asked for already"
    detail = "Exemption {name} is for the same resource, operation and zone. Have it approved, or wait until it ends."


class ExemptionForOther(Unprocessable):
    code = "placement.exemption.for_other"
    title = "The exemption is for something else"
    detail = "Exemption {name} is for {op}. Name one that was asked for with the refusal of this."


class ExemptionUnsigned(Conflict):
    code = "placement.exemption.unsigned"
    title = "The exemption is not approved yet"
    detail = "Exemption {name} has {count} of the two signatures that it takes. Have it approved, then ask again."


class ExemptionSpent(Conflict):
    code = "placement.exemption.spent"
    title = "It was created already"
    detail = "Exemption {name} is for creating {resource}, which was created already. Ask for another exemption."


class ExemptionOver(Conflict):
    code = "placement.exemption.over"
    title = "The exemption is over"
    detail = "Exemption {name} has expired or was used as often as allowed. Ask for another one."


class ExemptionSamePerson(Conflict):
    code = "placement.exemption.same_person"
    title = "Another person is needed"
    detail = "Two people of different duties must approve, and neither may be the one who asked for it."


class ApprovalInvalid(InvalidRequest):
    code = "placement.exemption.approval_invalid"
    title = "Invalid approval"
    detail = "The approval does not count: {reason}."


class SignerSilent(Unavailable):
    code = "placement.signer_silent"
    title = "No permit yet"
    detail = "The {process} of permits has not answered yet: nothing is done on a node without one."
