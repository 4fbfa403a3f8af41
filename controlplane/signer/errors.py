from controlplane.kernel.errors import Conflict, Unprocessable


class PermitOutdated(Conflict):
    code = "permit.outdated"
    title = "Asked for too late"
    detail = "The permit was asked for something that is not so any more: {reason}"


class NodeNotCleared(Unprocessable):
    code = "permit.node_not_cleared"
    title = "Node not cleared"
    detail = "The machine that carries it may not hold data of these classifications: {reason}"


class FactsNotVouchedFor(Unprocessable):
    code = "permit.facts_not_vouched_for"
    title = "Facts without a signature"
    detail = "What officers have signed of the zone {zone} does not satisfy the policies: {clauses}"


class PermitDisputed(Conflict):
    code = "permit.disputed"
    title = "Signer and sentinel disagree"
    detail = (
        "The sentinel does not put its signature under the permit: {reason} Nothing was done; your operator was told."
    )
