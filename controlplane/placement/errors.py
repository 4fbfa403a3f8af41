from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound, Unavailable, Unprocessable


class InsufficientCapacity(Conflict):
    code = "insufficient_capacity"
    title = "Not enough room"
    detail = "No node can take it at the moment. {explanation}"


class FleetChanged(Unavailable):
    code = "placement.fleet_changed"
    detail = "The fleet changed faster than places on it could be taken. Try again."


class PolicyUnsatisfiable(Unprocessable):
    code = "policy_unsatisfiable"
    title = "Refused by policy"
    detail = "No zone that the policy admits can take it. {explanation}"


class PolicyInvalid(InvalidRequest):
    code = "placement.policy_invalid"
    title = "Invalid policy"
    detail = "The policy cannot be saved: {reason}"


class PolicyEmpty(Unprocessable):
    code = "placement.policy_empty"
    title = "Contradictory policy"
    detail = "Together with the policies above it, this policy admits no zone at all: see the atoms {atoms}."


class ZoneUnknown(InvalidRequest):
    code = "placement.zone_unknown"
    detail = "There is no zone {name!r}. GET /v1/zones lists them."


class NoAllocation(Conflict):
    code = "placement.no_allocation"
    detail = "It has no place on a node (any more)."


class DecisionNotFound(NotFound):
    code = "placement.decision.not_found"
    detail = "There is no placement decision {name!r} here."
