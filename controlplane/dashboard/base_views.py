"""Base classes of all pages: one class per page, which calls the API and renders a template.

`PublicPage` needs no session, `Page` needs one, `ProjectPage` shows resources of a project; `FormPage` and `Action`
add writes.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views import View

from controlplane.dashboard import cookies, navigation
from controlplane.dashboard.api_client import Api, ApiError
from controlplane.dashboard.forms import ApiForm, changed_fields
from controlplane.dashboard.rights import Rights
from controlplane.events.kinds import KINDS
from controlplane.kernel import clock

UNFINISHED, PROOF_TOO_OLD = "signin.second_factor_demanded", "signin.proof_too_old"
# Statuses that a form shows because the user can correct them (is_correctable).
CORRECTABLE_STATUSES = frozenset({400, 403, 409, 412, 413, 422, 429, 503})
# Idle timeout of a session; its last use is recorded once a minute.
IDLE_S = (settings.SESSION_IDLE_MINUTES - 1) * 60
Context = dict[str, Any]
Text = str | Promise
NOTICES_KEPT_S = 2.0
# Cache of the active maintenance rules: time of the request and rules, by whether the user sees nodes.
notices: dict[bool, tuple[float, list[Context]]] = {}


class PublicPage(View):
    """A page without sign-in. `title` is its heading, `template` its template, `section` its entry in the menu."""

    template = ""
    title: Text = ""
    section = ""
    # Kinds of resources whose events refresh parts of the page.
    live = ""
    # API operation of the form or button; parameters of the URL can stand in it in braces.
    right = ""

    @classmethod
    def right_at(cls, path: Mapping[str, str]) -> str:
        """Return the operation of the page for the parameters of its URL."""
        return cls.right.format(**path).replace("-", "_")

    @cached_property
    def api(self) -> Api:
        return Api(self.request, cookies.read_session_secret(self.request))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            self.prepare()
            response = super().dispatch(request, *args, **kwargs)
        except ApiError as exc:
            response = self.error_page(exc)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def prepare(self) -> None:
        """Run checks before the first API request."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return self.page(self.context())

    def context(self) -> Context:
        return {}

    def layout_context(self) -> Context:
        """Return the template context of the frame around the page."""
        return {"theme": cookies.theme_of(self.request), "title": self.title, "section": self.section}

    def page(self, context: Context) -> HttpResponse:
        # The frame reuses the data that the page has already requested.
        return render(self.request, self.template, {**self.layout_context(), **context})

    def error_page(self, exc: ApiError) -> HttpResponse:
        """Render an error that cannot be shown on the page itself."""
        return problem_page(self.request, exc.status, exc.problem)

    def error_json(self, exc: ApiError) -> JsonResponse:
        """Return the problem, or the URL of the page where a proof of identity is due."""
        if exc.status == 401 or exc.code in (UNFINISHED, PROOF_TOO_OLD):
            return JsonResponse({"go": self.error_page(exc)["Location"]})
        return JsonResponse(dict(exc.problem), status=exc.status)

    def query(self, name: str) -> str:
        return self.request.GET.get(name, "")


class Page(PublicPage):
    """A page for signed-in users; others are redirected to sign-in and back."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not cookies.read_session_secret(request):
            return redirect_to_sign_in(request)
        return super().dispatch(request, *args, **kwargs)

    def prepare(self) -> None:
        """Set the event position before the page is read, so that a live page misses no event."""
        self.stream = ""
        if self.live and self.request.method == "GET":
            project = self.project_of_page()
            of = {"project": project["id"]} if project else {}
            cursor = self.api.get("events", after="now", **of)["cursor"]
            self.stream = f"{reverse('stream')}?{urlencode({**of, 'after': cursor})}"

    @cached_property
    def me(self) -> Context:
        """Return the user of the page."""
        me: Context = self.api.get("me")
        return me

    @cached_property
    def has_membership(self) -> bool:
        """Return whether the user is a member of an organization or has a platform role."""
        return bool(self.me["memberships"] or self.me["duty"])

    @cached_property
    def projects(self) -> list[Context]:
        if not self.has_membership:
            return []
        projects: list[Context] = self.api.get("projects", limit=50, sort="name")["items"]
        return projects

    def layout_context(self) -> Context:
        return super().layout_context() | {
            "rights": Rights.of(self.me, self.place()),
            "right": self.own_right(),
            "me": self.me,
            "session": {"left_s": session_left_s(self.me), "idle_s": IDLE_S},
            "projects": self.projects,
            "stream": self.stream,
            "event_kinds": " ".join(KINDS),
            "menu": navigation.menu(self.me, self.project_of_page()),
            "project": self.project_of_page(),
            "crumbs": self.crumbs(),
            "maintenance": self.maintenance(),
        }

    def maintenance(self) -> list[Context]:
        """Return the active maintenance rules, cached for NOTICES_KEPT_S."""
        sees_nodes = bool(self.me["duty"])
        read_at, rules = notices.get(sees_nodes, (0.0, []))
        if time.monotonic() - read_at > NOTICES_KEPT_S:
            active = self.api.get("maintenance", state="active")["items"]
            rules = [each for each in active if each["action"] != "accept"]
            notices[sees_nodes] = time.monotonic(), rules
        return rules

    def project_of_page(self) -> Context | None:
        """Return the project of the page, or None."""
        return None

    def own_right(self) -> str:
        """Return the API operation of the page's form."""
        return self.right_at(self.kwargs)

    def place(self) -> Context | None:
        """Return the project or the organization of the page."""
        return self.project_of_page()

    def crumbs(self) -> list[tuple[Text, str]]:
        """Return the breadcrumbs: names and URLs from the top."""
        return []

    def error_page(self, exc: ApiError) -> HttpResponse:
        if exc.status == 401:
            response = redirect_to_sign_in(self.request)
            cookies.delete_session(response)
            return response
        if exc.code == UNFINISHED:
            return redirect(f"{reverse('second-factor')}?{urlencode({'next': self.request.get_full_path()})}")
        if exc.code == PROOF_TOO_OLD:
            return redirect(f"{reverse('prove')}?{urlencode({'next': origin_url(self.request)})}")
        return super().error_page(exc)


class ProjectPage(Page):
    """A page of a project; its URL starts with the project's."""

    @cached_property
    def project(self) -> Context:
        project: Context = self.api.get("projects", self.kwargs["project"])
        return project

    def project_of_page(self) -> Context:
        return self.project

    @property
    def project_reference(self) -> str:
        """Return the project's name for a command; its id if the user has several projects of that name."""
        names = [project["name"] for project in self.projects]
        reference: str = self.project["name" if names.count(self.project["name"]) == 1 else "id"]
        return reference

    def get_in_project(self, *path: str, **query: Any) -> Any:
        """Return a document of the API below the project."""
        return self.api.get("projects", self.kwargs["project"], *path, **query)

    def url(self, name: str, **path: str) -> str:
        """Return the URL of another page of the project."""
        return reverse(name, kwargs={"project": self.kwargs["project"], **path})


class FormPage(Page):
    """A page with a form. `form_class` has its fields; `send` performs the request and returns the next URL."""

    form_class: type[ApiForm] = ApiForm
    submit: Text = ""

    def form(self, data: Mapping[str, Any] | None = None) -> ApiForm:
        return self.form_class(data, self.request.FILES or None, initial=self.initial(), **self.choices())

    def initial(self) -> Context:
        """Return the initial values of the form."""
        return {name: self.request.GET[name] for name in self.form_class.base_fields if name in self.request.GET}

    def choices(self) -> Context:
        """Return the arguments of the form class that come from the API."""
        return {}

    def send(self, form: ApiForm) -> str | HttpResponse:
        """Perform the request and return the next URL, or a page for a one-time secret. Raises ApiError, shown in
        the form."""
        raise NotImplementedError

    def save(self, thing: Mapping[str, Any], form: ApiForm, *path: str) -> None:
        """Update the resource at `path` with the changed fields of its NamedForm."""
        if body := changed_fields(thing, form.body()):
            self.api.patch(*path, body=body)
        self.notify(_("Changes saved."))

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return self.render_form(self.form())

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        form = self.form(request.POST)
        if form.is_valid():
            try:
                then = self.send(form)
            except ApiError as exc:
                if not is_correctable(exc):
                    raise
                form.show_problem(exc.problem)
            else:
                return redirect(then) if isinstance(then, str) else then
        return self.render_form(form)

    def render_form(self, form: ApiForm) -> HttpResponse:
        return self.page({"form": form, "submit": self.submit, **self.context()})

    @property
    def key(self) -> str:
        """Return the Idempotency-Key of the form."""
        return self.request.POST.get("idempotency_key", "")

    def notify(self, text: Text) -> None:
        """Show a message on the next page."""
        messages.success(self.request, str(text))


class Action(Page):
    """A button: a POST that performs one action and redirects back. An error is shown on that page."""

    done: Text = ""

    def perform(self) -> None:
        """Perform the action. Raises ApiError."""
        raise NotImplementedError

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect(self.back())

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        try:
            self.perform()
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            messages.error(request, str(exc.problem.get("detail", exc.code)))
        else:
            if self.done:
                messages.success(request, str(self.done))
        return redirect(self.back())

    def back(self) -> str:
        """Return the next URL."""
        return safe_redirect_url(self.request, self.request.POST.get("next", "")) or reverse("home")


def session_left_s(me: Context) -> int:
    """Return the remaining lifetime of the session in seconds."""
    return int((datetime.fromisoformat(me["credential"]["expires_at"]) - clock.now()).total_seconds())


def problem_page(request: HttpRequest, status: int, problem: Mapping[str, Any]) -> HttpResponse:
    """Render a problem as a page of its own."""
    title = _("Not found") if status == 404 else problem.get("title") or status
    context = {"theme": cookies.theme_of(request), "title": title, "problem": problem, "status": status}
    return render(request, "dashboard/shared/problem.html", context, status=status)


def is_correctable(exc: ApiError) -> bool:
    """Return whether the user can correct the request on the page; otherwise a proof of identity is due first."""
    return exc.status in CORRECTABLE_STATUSES and exc.code not in (UNFINISHED, PROOF_TOO_OLD)


def redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    return redirect(f"{reverse('sign-in')}?{urlencode({'next': origin_url(request)})}")


def origin_url(request: HttpRequest) -> str:
    """Return the URL to return to; for a form, the page that shows it."""
    if request.method == "GET":
        return request.get_full_path()
    return safe_redirect_url(request, request.POST.get("next", "")) or request.path


def safe_redirect_url(request: HttpRequest, url: str) -> str:
    """Return the URL if it is on this site, else an empty string, to prevent open redirects."""
    is_ours = url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    return url if is_ours else ""
