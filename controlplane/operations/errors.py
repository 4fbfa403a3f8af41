from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound, Unavailable


class Busy(Conflict):
    code = "resource_busy"
    title = "Busy"
    detail = "Another operation ({kind}) has locked this resource. Wait until that operation ends, or cancel it."
    retryable = True


class OperationNotFound(NotFound):
    code = "operation.not_found"
    detail = "There is no operation {name!r} here."


class NotCancellable(Conflict):
    code = "operation.not_cancellable"
    detail = "The operation cannot be cancelled: it is {state}."


class NotRetryable(Conflict):
    code = "operation.not_retryable"
    title = "Cannot be retried"
    detail = "The operation cannot be retried: {reason}"


class NotResolvable(Conflict):
    code = "operation.not_resolvable"
    title = "Cannot be resolved"
    detail = "The operation cannot be resolved: {reason}"


class UnderMaintenance(Unavailable):
    code = "maintenance"
    title = "Under maintenance"
    detail = "A maintenance rule rejects operations of the kind {kind}: {reason}"


class MaintenanceNotFound(NotFound):
    code = "maintenance.not_found"
    detail = "There is no maintenance rule {name!r}."


class MaintenanceEndsFirst(InvalidRequest):
    code = "maintenance.ends_first"
    detail = "The end must be in the future, and after the beginning."


class Cancelled(Conflict):
    code = "operation.cancelled"
    title = "Cancelled"
    detail = "The operation was cancelled, and its completed steps were undone."


class DeadlineExceeded(Unavailable):
    code = "operation.deadline_exceeded"
    title = "Took too long"
    detail = "The operation did not succeed within {limit_s} seconds. The last error of a step was: {obstacle}"
    retryable = False


class LeaseLost(Conflict):
    code = "operation.lease_lost"
    detail = "Another worker has taken the operation over."
