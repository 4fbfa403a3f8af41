from controlplane.kernel.errors import Conflict, Unprocessable


class PermitOutdated(Conflict):
    code = "permit.outdated"
    title = "Permit request outdated"
    detail = "The state changed after the permit was requested: {reason}"


class NodeNotCleared(Unprocessable):
    code = "permit.node_not_cleared"
    title = "Node not cleared"
    detail = "The node may not hold data with these classifications: {reason}"


class FactsNotVouchedFor(Unprocessable):
    code = "permit.facts_not_vouched_for"
    title = "Facts without a signature"
    detail = "The signed facts about the zone {zone} do not satisfy the policies: {clauses}"


class PermitDisputed(Conflict):
    code = "permit.disputed"
    title = "Signer and sentinel disagree"
    detail = "The sentinel refused to sign the permit: {reason} Nothing was done, and the operators were notified."
