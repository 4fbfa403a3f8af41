"""Error pages for requests that reach no page."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from controlplane.dashboard.base_views import problem_page


def bad_request(request: HttpRequest) -> HttpResponse:
    detail = _("The request is not valid. Return to the home page and try again.")
    return _page(request, 400, _("Bad request"), detail)


def not_found(request: HttpRequest) -> HttpResponse:
    return _page(request, 404, _("Not found"), "")


def server_error(request: HttpRequest) -> HttpResponse:
    detail = _(
        "The error was logged. Try again. If the problem persists, contact the cloud operator with the number below."
    )
    return _page(request, 500, _("Internal error"), detail)


def csrf(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Render Django's CSRF failure: the form expired or came from another site."""
    detail = _("The form has expired, or your browser blocks cookies. Reload the page and submit it again.")
    return _page(request, 403, _("Form expired"), detail)


def _page(request: HttpRequest, status: int, title: str, detail: str) -> HttpResponse:
    problem = {"title": title, "detail": detail, "request_id": getattr(request, "request_id", "")}
    return problem_page(request, status, problem)
