"""The request transaction: a request's writes and its response are one transaction.

It is opened around the handler of every POST, PUT, PATCH and DELETE; the response is rendered in it and, under an
idempotency key, stored in it. An error rolls all of it back. Messages are sent after the commit
(`transaction.on_commit`), so that none reports what was rolled back. A dry run is the same, rolled back at its end.
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
# Mark of a dry run for a form that is being filled in: the dashboard sets it in the request's environment, no header
# can. Such a dry run is a read: it locks no row, leaves no record and counts as a read.
PREVIEW = "andromede.preview"
DRY_RUN_PARAMETER = {DRY_RUN: Parameter("true: only return what would happen; nothing is written.", FLAG)}
Handler = Callable[[], Any]


def is_dry_run(request: Request) -> bool:
    """Return True if nothing is to be written. Raises InvalidParameter."""
    return flag(request.query_params, DRY_RUN)


def is_preview(request: Request | HttpRequest) -> bool:
    """Return True for a dry run that a page of the dashboard makes before the user submits its form."""
    return request.META.get(PREVIEW) is True and request.GET.get(DRY_RUN) == "true"


def in_one_transaction(view: APIView, request: Request, work: Handler, content: bytes | None) -> HttpResponse:
    """Run the handler in one transaction and return its response after the commit.

    An error of the handler propagates, with nothing written except what the error keeps. `content`: the body if it is
    not JSON.
    """
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
    """Run the handler and roll back; return its response, with status 200 if it has a document.

    Errors of the handler propagate.
    """
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
    """Render the response inside the transaction, not after the commit: what rendering reads belongs to it."""
    if isinstance(answer, Response):
        view.finalize_response(request, answer)
        answer.render()
    return cast(HttpResponse, answer)
