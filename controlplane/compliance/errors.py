from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound


class PlanNotFound(NotFound):
    code = "compliance.plan.not_found"
    detail = "There is no remediation plan {name!r} here."


class WhatIfInvalid(InvalidRequest):
    code = "compliance.what_if_invalid"
    title = "Cannot be simulated"
    detail = "The change cannot be simulated: {reason}"


class PlanNotApproved(Conflict):
    code = "compliance.plan.not_approved"
    title = "Not approved"
    detail = "The remediation plan is {state}. Approve it first; only an approved plan is carried out."


class PlanOver(Conflict):
    code = "compliance.plan.over"
    title = "Over"
    detail = "The remediation plan is {state}. Look for a newer plan of the project."


class PlanExecuted(Conflict):
    code = "compliance.plan.executed"
    title = "Carried out already"
    detail = "The remediation plan is carried out already."


class PlanNotExecuted(Conflict):
    code = "compliance.plan.not_executed"
    title = "Not carried out"
    detail = "The remediation plan is not carried out, so there is nothing to pause."


class ExecutorGone(Conflict):
    code = "compliance.plan.executor_gone"
    title = "Paused"
    detail = (
        "Who began the execution may not change the project any more, so the execution has paused itself. Another "
        "member of the project resumes it."
    )


class ItemStays(Conflict):
    code = "compliance.plan.item_stays"
    title = "Stays in its zone"
    detail = "It stays in its zone: {reason}"
