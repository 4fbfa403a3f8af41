"""Routes of the service itself: health, the OpenAPI document, and the pages of errors."""

from functools import cache

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api import problem_pages
from controlplane.api.base_views import PublicView
from controlplane.api.v1.service.schemas import HealthOut, ProblemPageOut
from controlplane.kernel.views import route

# For responses that are the same for all callers, and do not change before the next release.
STORABLE = {"Cache-Control": "public, max-age=300"}


class Health(PublicView):
    """Health of the API and its database. Public, and without details."""

    authentication_classes = []

    @route("health_get", HealthOut)
    def get(self, request: Request) -> Response:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return Response({"status": "ok"})


class Problem(PublicView):
    """Page of an error code, to which the `type` of a problem leads.

    Public, since unauthenticated callers get errors too. In English or French; as text for clients that accept text
    rather than JSON.
    """

    authentication_classes = []

    @route("problem_get", ProblemPageOut, media_types=("text/plain",))
    def get(self, request: Request) -> HttpResponse:
        code = self.kwargs["code"]
        if request.headers.get("Accept", "").startswith("text/"):
            return HttpResponse(problem_pages.text(code), content_type="text/plain; charset=utf-8")
        return Response(ProblemPageOut(problem_pages.page(code)).data)


class OpenApi(PublicView):
    """The OpenAPI document. Public: the description of the API is no secret."""

    authentication_classes = []

    @route("openapi_get", media_type="application/json")
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(_document(), content_type="application/json", headers=STORABLE)


@cache
def _document() -> bytes:
    document: bytes = (settings.BASE_DIR / "docs" / "reference" / "openapi.json").read_bytes()
    return document
