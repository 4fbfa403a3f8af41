from controlplane.kernel.errors import Conflict, NotFound, Unprocessable


class QuotaExceeded(Conflict):
    """A limit would be exceeded. `level`: project or organization."""

    code = "quota_exceeded"
    title = "Quota exceeded"
    detail = (
        "The {level} may use {limit} {dimension}; {used} are used and {requested} more were asked for. "
        "Delete what is not needed, or have the limit raised."
    )


class QuotaAboveOrganization(Unprocessable):
    code = "quota_above_organization"
    title = "More than the organization has"
    detail = (
        "The organization may use {limit} {dimension}; a project cannot be given {requested}. "
        "Give it less, or ask for more for the organization."
    )


class QuotaRequestNotFound(NotFound):
    code = "quota_request.not_found"
    detail = "There is no request for a quota {name!r} here."


class QuotaRequestPending(Conflict):
    code = "quota_request.pending"
    title = "Asked already"
    detail = "There is already a request for more {dimension}. Withdraw it, or wait for its answer."


class QuotaNotMore(Unprocessable):
    code = "quota_request.not_more"
    title = "That is not more"
    detail = "The organization may use {limit} {dimension} already; ask for more than that."


class QuotaRequestDecided(Conflict):
    code = "quota_request.decided"
    title = "Decided already"
    detail = "The request is {state} already."
