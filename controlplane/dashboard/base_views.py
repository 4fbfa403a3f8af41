"""What all pages are made of: a class per page, which asks the API and fills a template.

`Open` is for anybody, `Page` for whoever has signed in, `ProjectPage` for what is in a project; `FormPage` and
`Action` add what changes something.
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
# What a form can mend, and so shows (is_correctable).
CORRECTABLE_STATUSES = frozenset({400, 403, 409, 412, 413, 422, 429, 503})
# A session that is not used ends so long after its last use, which is noted once a minute.
IDLE_S = (settings.SESSION_IDLE_MINUTES - 1) * 60
Context = dict[str, Any]
Text = str | Promise
NOTICES_KEPT_S = 2.0
# By whether whoever looks sees nodes: when it was asked, and the rules of maintenance in force then.
notices: dict[bool, tuple[float, list[Context]]] = {}


class PublicPage(View):
    """A page for anybody. `title` heads it, `template` shows it, `section` is where it is in the menu."""

    template = ""
    title: Text = ""
    section = ""
    # The kinds of things whose events make parts of the page old.
    live = ""
    # The API's operation that its form or button asks for; what its address names may stand in it, in braces.
    right = ""

    @classmethod
    def right_at(cls, path: Mapping[str, str]) -> str:
        """The same for an address."""
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
        """Before anything else is asked."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return self.page(self.context())

    def context(self) -> Context:
        return {}

    def layout_context(self) -> Context:
        """What stands around the page."""
        return {"theme": cookies.theme_of(self.request), "title": self.title, "section": self.section}

    def page(self, context: Context) -> HttpResponse:
        # What the page has asked for by now, its frame need not ask for.
        return render(self.request, self.template, {**self.layout_context(), **context})

    def error_page(self, exc: ApiError) -> HttpResponse:
        """What cannot be shown on the page itself."""
        return problem_page(self.request, exc.status, exc.problem)

    def error_json(self, exc: ApiError) -> JsonResponse:
        """The problem; or, where something has to be proved first, where the browser is to go."""
        if exc.status == 401 or exc.code in (UNFINISHED, PROOF_TOO_OLD):
            return JsonResponse({"go": self.error_page(exc)["Location"]})
        return JsonResponse(dict(exc.problem), status=exc.status)

    def query(self, name: str) -> str:
        return self.request.GET.get(name, "")


class Page(PublicPage):
    """A page for whoever has signed in; all others sign in first, and come back."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not cookies.read_session_secret(request):
            return redirect_to_sign_in(request)
        return super().dispatch(request, *args, **kwargs)

    def prepare(self) -> None:
        """From where on a live page listens: what happens after it was read must not be missed."""
        self.stream = ""
        if self.live and self.request.method == "GET":
            project = self.project_of_page()
            of = {"project": project["id"]} if project else {}
            cursor = self.api.get("events", after="now", **of)["cursor"]
            self.stream = f"{reverse('stream')}?{urlencode({**of, 'after': cursor})}"

    @cached_property
    def me(self) -> Context:
        """Who looks at the page."""
        me: Context = self.api.get("me")
        return me

    @cached_property
    def has_membership(self) -> bool:
        """In an organization, or with a duty for all of them. Whoever is not has an account and nothing else."""
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
        """What is refused or kept waiting at the moment. Pages ask for it once in NOTICES_KEPT_S, and not each."""
        sees_nodes = bool(self.me["duty"])
        asked_at, rules = notices.get(sees_nodes, (0.0, []))
        if time.monotonic() - asked_at > NOTICES_KEPT_S:
            found = self.api.get("maintenance", state="active")["items"]
            rules = [each for each in found if each["action"] != "accept"]
            notices[sees_nodes] = time.monotonic(), rules
        return rules

    def project_of_page(self) -> Context | None:
        """The project that the page is about; None: it is about none."""
        return None

    def own_right(self) -> str:
        """The API's operation that its own form asks for."""
        return self.right_at(self.kwargs)

    def place(self) -> Context | None:
        """The project or the organization that the page is in."""
        return self.project_of_page()

    def crumbs(self) -> list[tuple[Text, str]]:
        """The way to this page, from the top: names and addresses."""
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
    """A page of a project, whose address begins with it."""

    @cached_property
    def project(self) -> Context:
        project: Context = self.api.get("projects", self.kwargs["project"])
        return project

    def project_of_page(self) -> Context:
        return self.project

    def get_in_project(self, *path: str, **query: Any) -> Any:
        """What the API answers below the project."""
        return self.api.get("projects", self.kwargs["project"], *path, **query)

    def url(self, name: str, **path: str) -> str:
        """Of another page of the project."""
        return reverse(name, kwargs={"project": self.kwargs["project"], **path})


class FormPage(Page):
    """A page with a form. `form_class` has its fields; `send` does what it is for and says where to go then."""

    form_class: type[ApiForm] = ApiForm
    submit: Text = ""

    def form(self, data: Mapping[str, Any] | None = None) -> ApiForm:
        return self.form_class(data, self.request.FILES or None, initial=self.initial(), **self.choices())

    def initial(self) -> Context:
        """What stands in the fields at first."""
        return {name: self.request.GET[name] for name in self.form_class.base_fields if name in self.request.GET}

    def choices(self) -> Context:
        """What the form needs to know from the API: arguments of its class."""
        return {}

    def send(self, form: ApiForm) -> str | HttpResponse:
        """Where to go then; or the page itself, of what is shown this once. Raises Refused: the form shows why."""
        raise NotImplementedError

    def save(self, thing: Mapping[str, Any], form: ApiForm, *path: str) -> None:
        """Make the thing at `path` in the API what stands in its NamedForm now."""
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
        """Under which what the form asks for is done once, however often it is sent."""
        return self.request.POST.get("idempotency_key", "")

    def notify(self, text: Text) -> None:
        """On the next page."""
        messages.success(self.request, str(text))


class Action(Page):
    """A button: a POST that does one thing and goes back to where it was pressed. A refusal is told there."""

    done: Text = ""

    def perform(self) -> None:
        """Raises Refused."""
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
        """Where to go then."""
        return safe_redirect_url(self.request, self.request.POST.get("next", "")) or reverse("home")


def session_left_s(me: Context) -> int:
    """How long the session lasts at most."""
    return int((datetime.fromisoformat(me["credential"]["expires_at"]) - clock.now()).total_seconds())


def problem_page(request: HttpRequest, status: int, problem: Mapping[str, Any]) -> HttpResponse:
    """The page of a problem, where there is no other."""
    title = _("Not found") if status == 404 else problem.get("title") or status
    context = {"theme": cookies.theme_of(request), "title": title, "problem": problem, "status": status}
    return render(request, "dashboard/refused.html", context, status=status)


def is_correctable(exc: ApiError) -> bool:
    """Whether whoever asked can do something about it where they are; else they have to prove something first."""
    return exc.status in CORRECTABLE_STATUSES and exc.code not in (UNFINISHED, PROOF_TOO_OLD)


def redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    return redirect(f"{reverse('sign-in')}?{urlencode({'next': origin_url(request)})}")


def origin_url(request: HttpRequest) -> str:
    """The page to come back to: of a form, the one that shows it."""
    if request.method == "GET":
        return request.get_full_path()
    return safe_redirect_url(request, request.POST.get("next", "")) or request.path


def safe_redirect_url(request: HttpRequest, url: str) -> str:
    """The address if it is one of ours, else nothing: nobody is sent elsewhere by a link that begins here."""
    is_ours = url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    return url if is_ours else ""
