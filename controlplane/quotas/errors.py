from controlplane.kernel.errors import Conflict, NotFound, Unprocessable


class QuotaExceeded(Conflict):
    """A limit would be exceeded. `level`: project or organization."""

    code = "quota_exceeded"
    title = "Quota exceeded"
    detail = (
        "The quota of the {level} is {limit} {dimension}; {used} are used, and {requested} more were requested. "
        "Delete what is not needed, or request a higher quota."
    )


class QuotaAboveOrganization(Unprocessable):
    code = "quota_above_organization"
    title = "Exceeds the organization's quota"
    detail = (
        "The quota of the organization is {limit} {dimension}; a project cannot have {requested}. Set a lower quota, "
        "or request a higher one for the organization."
    )


class QuotaRequestNotFound(NotFound):
    code = "quota_request.not_found"
    detail = "There is no request for a quota {name!r} here."


class QuotaRequestPending(Conflict):
    code = "quota_request.pending"
    title = "Already requested"
    detail = "There is already a request for more {dimension}. Withdraw it, or wait for its answer."


class QuotaNotMore(Unprocessable):
    code = "quota_request.not_more"
    title = "Not above the current quota"
    detail = "The quota of the organization is already {limit} {dimension}. Request a higher one."


class QuotaRequestDecided(Conflict):
    code = "quota_request.decided"
    title = "Already decided"
    detail = "The request is already {state}."
