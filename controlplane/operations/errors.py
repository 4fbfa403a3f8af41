from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound, Unavailable


class Busy(Conflict):
    code = "resource_busy"
    title = "Busy"
    detail = "Another operation ({kind}) works on it. Wait until that operation has ended, or cancel it."
    retryable = True


class OperationNotFound(NotFound):
    code = "operation.not_found"
    detail = "There is no operation {name!r} here."


class NotCancellable(Conflict):
    code = "operation.not_cancellable"
    detail = "The operation cannot be cancelled: it is {state}."


class NotRetryable(Conflict):
    code = "operation.not_retryable"
    title = "Cannot be asked for again"
    detail = "The operation cannot be asked for again: {reason}"


class NotResolvable(Conflict):
    code = "operation.not_resolvable"
    title = "Cannot be resolved"
    detail = "The operation cannot be resolved: {reason}"


class UnderMaintenance(Unavailable):
    code = "maintenance"
    title = "Under maintenance"
    detail = "This ({kind}) is not taken at the moment, because of maintenance: {reason}"


class MaintenanceNotFound(NotFound):
    code = "maintenance.not_found"
    detail = "There is no maintenance {name!r}."


class MaintenanceEndsFirst(InvalidRequest):
    code = "maintenance.ends_first"
    detail = "It must end in the future, and after it begins."


class Cancelled(Conflict):
    code = "operation.cancelled"
    title = "Cancelled"
    detail = "The operation was cancelled before it ended; what it had begun was undone."


class DeadlineExceeded(Unavailable):
    code = "operation.deadline_exceeded"
    title = "Took too long"
    detail = "The operation did not succeed within {limit_s} seconds; the last obstacle was: {obstacle}"
    retryable = False


class LeaseLost(Conflict):
    code = "operation.lease_lost"
    detail = "Another worker has taken the operation over."
