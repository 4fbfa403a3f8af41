"""The write transaction: whatever a request changes, and what it is answered, is one transaction.

It is opened around the handler of every POST, PUT, PATCH and DELETE, and the answer is rendered in it. An error rolls
all of it back. Messages leave after the commit (`transaction.on_commit`), so that nobody hears of what was not done.
"""

from collections.abc import Callable
from typing import Any, cast

from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.kernel.errors import CloudError

FAILURES = 400


def in_one_transaction(view: APIView, request: Request, handler: Callable[[], HttpResponse]) -> HttpResponse:
    """What the handler answers, committed; raises what it raises, with nothing written but what the error keeps."""
    try:
        with transaction.atomic(durable=True):
            answer = rendered(view, request, handler())
            if answer.status_code >= FAILURES:
                transaction.set_rollback(True)
            return answer
    except CloudError as exc:
        exc.keep()
        raise


def rendered(view: APIView, request: Request, answer: Any) -> HttpResponse:
    """The answer as bytes, now and not after the commit: what it reads belongs to the transaction."""
    if isinstance(answer, Response):
        view.finalize_response(request, answer)
        answer.render()
    return cast(HttpResponse, answer)
