"""The write transaction: whatever a request changes, and what it is answered, is one transaction.

It is opened around the handler of every POST, PUT, PATCH and DELETE, and the answer is rendered in it and, under an
idempotency key, stored in it. An error rolls all of it back. Messages leave after the commit (`transaction.on_commit`),
so that nobody hears of what was not done. A dry run is the same, rolled back at its end.
"""

from collections.abc import Callable
from typing import Any, cast

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.kernel import idempotency
from controlplane.kernel.db import rolled_back
from controlplane.kernel.errors import CloudError
from controlplane.kernel.listing import flag
from controlplane.kernel.query_parameters import FLAG, Parameter

FAILURES = 400
DRY_RUN = "dry_run"
# Of a page that says, while a form is filled in, what would become of it: set in the request's environment by the
# dashboard, and by no header. Such a dry run is a read: it locks no row, leaves no record and counts as one.
PREVIEW = "andromede.preview"
DRY_RUN_PARAMETER = {DRY_RUN: Parameter("true: say only what would be; nothing is written.", FLAG)}
Handler = Callable[[], Any]


def is_dry_run(request: Request) -> bool:
    """Whether nothing is to be written. Raises InvalidParameter."""
    return flag(request.query_params, DRY_RUN)


def is_preview(request: Request | HttpRequest) -> bool:
    """Whether a dry run is asked by a page that nobody has pressed a button on."""
    return request.META.get(PREVIEW) is True and request.GET.get(DRY_RUN) == "true"


def in_one_transaction(view: APIView, request: Request, work: Handler, content: bytes | None) -> HttpResponse:
    """What the work answers, committed; raises what it raises, with nothing written but what the error keeps.
    `content`: of a body that is no document."""
    if is_dry_run(request):
        return _run_dry(view, request, work)
    try:
        with transaction.atomic(durable=True):
            claim = idempotency.claim(request, content)
            if claim is not None and claim.answer is not None:
                return claim.answer
            answer = _rendered(view, request, work())
            if answer.status_code >= FAILURES:
                transaction.set_rollback(True)
            elif claim is not None:
                claim.keep(answer)
            return answer
    except CloudError as exc:
        exc.keep()
        raise


def _run_dry(view: APIView, request: Request, work: Handler) -> HttpResponse:
    """What would be, with 200 where a document says it; raises what the work raises."""
    try:
        with rolled_back():
            answer = work()
            if isinstance(answer, Response) and answer.status_code < FAILURES and answer.data is not None:
                answer.status_code = 200
                for header in ("Location", "Retry-After"):
                    answer.headers.pop(header, None)
            return _rendered(view, request, answer)
    except CloudError as exc:
        exc.forget()
        raise


def _rendered(view: APIView, request: Request, answer: Any) -> HttpResponse:
    """The answer as bytes, now and not after the commit: what it reads belongs to the transaction."""
    if isinstance(answer, Response):
        view.finalize_response(request, answer)
        answer.render()
    return cast(HttpResponse, answer)
