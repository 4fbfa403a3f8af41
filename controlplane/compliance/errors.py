from controlplane.kernel.errors import InvalidRequest, NotFound


class PlanNotFound(NotFound):
    code = "compliance.plan.not_found"
    detail = "There is no remediation plan {name!r} here."


class WhatIfInvalid(InvalidRequest):
    code = "compliance.what_if_invalid"
    title = "Cannot be simulated"
    detail = "The change cannot be simulated: {reason}"
