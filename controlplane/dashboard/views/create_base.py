"""Pages that create placed resources: a form with a preview from the API.

The preview is a read: it runs when the page opens and, with JavaScript, after each change of a field. The button
"Check" requests a dry run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import CORRECTABLE_STATUSES, FormPage, ProjectPage, Text
from controlplane.dashboard.code_snippets import CreateSnippets
from controlplane.dashboard.forms import ApiForm, parse_labels
from controlplane.dashboard.views.project.overview import DIMENSIONS
from controlplane.dashboard.zone_verdicts import Verdict, verdicts

CHOICES_MAX = 200


@dataclass(frozen=True)
class QuotaNeed:
    """Used quota before and after; `limit` is for both."""

    dimension: str
    words: Text
    used: int
    after: int
    limit: int

    @property
    def is_too_much(self) -> bool:
        return self.after > self.limit


@dataclass(frozen=True)
class CreatePreview:
    """The preview. `problem`: the API's refusal; `explanation`: of placement."""

    problem: Mapping[str, Any] | None = None
    is_admitted: bool = False
    explanation: list[str] = field(default_factory=list)
    zones: list[Verdict] = field(default_factory=list)

    needs: list[QuotaNeed] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        return self.problem is not None or any(need.is_too_much for need in self.needs)


class DraftForm(ApiForm):
    """A form that can be previewed before it is complete."""

    def __init__(self, *args: Any, offers: Mapping[str, list[tuple[str, Any]]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in offers.items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def body(self) -> dict[str, Any]:
        """Return the body from the valid fields, initially from the defaults."""
        values = self.cleaned_data if self.is_bound else self.initial
        given = {name: values[name] for name in self.fields if values.get(name) not in (None, "", [])}
        if "labels" in given:
            given["labels"] = parse_labels(given["labels"])
        return given


class CreatePage(FormPage, ProjectPage):
    """A page that creates a resource of `kind`, such as instance."""

    form_class: type[DraftForm]
    kind = ""

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        if "check" in request.POST or "preview" in request.POST:
            form = self.form(request.POST)
            form.is_valid()
            return self.render_form(form)
        return super().post(request, **path)

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], f"{self.kind}s")
        created = self.api.post(*path, body=form.body(), key=self.key)
        return self.url(self.kind, **{self.kind: created["id"]})

    def render_form(self, form: ApiForm) -> HttpResponse:
        body = form.body()
        preview = self.preview(body)
        if "check" in self.request.POST and preview.problem and not form.errors:
            form.show_problem(preview.problem)
        more = {"preview": preview, "lines": self.snippets(body).lines()}
        return self.page({"form": form, "submit": self.submit, **more, **self.context()})

    def snippets(self, body: Mapping[str, Any]) -> CreateSnippets:
        url = self.request.build_absolute_uri("/").rstrip("/")
        return CreateSnippets(self.kind, url, self.project_reference, body)

    # Preview.

    def preview(self, body: Mapping[str, Any]) -> CreatePreview:
        problem = None
        try:
            path = ("projects", self.project["id"], f"{self.kind}s")
            is_check = "check" in self.request.POST
            answer = self.api.post(*path, body=body, dry_run="true") if is_check else self.api.preview(*path, body=body)
        except ApiError as exc:
            if exc.status not in CORRECTABLE_STATUSES:
                raise
            problem = exc.problem
            answer = self.simulation(body)
        if answer is None:
            return CreatePreview(problem, needs=self.needs(body))
        document, is_admitted = answer["document"], answer["is_admitted"]
        zones = verdicts(document, answer["fits"])
        return CreatePreview(problem, is_admitted, answer["explanation"], zones, self.needs(body))

    def simulation(self, body: Mapping[str, Any]) -> Any:
        """Simulate placement only, ignoring other errors; None if the form is too incomplete."""
        size = self.size(body)
        if size is None:
            return None
        restrictions = {name: body[name] for name in ("zones", "classifications") if name in body}
        question = {"project": self.project["id"], "operation": f"{self.kind}.create", **size, **restrictions}
        try:
            return self.api.preview("placement", "simulations", body=question)
        except ApiError:
            return None

    def size(self, body: Mapping[str, Any]) -> dict[str, int] | None:
        """Return the size on a node, or None if unknown."""
        raise NotImplementedError

    def claims(self, body: Mapping[str, Any]) -> dict[str, int]:
        """Return the quota needs by dimension."""
        raise NotImplementedError

    def needs(self, body: Mapping[str, Any]) -> list[QuotaNeed]:
        limits = {limit["dimension"]: limit for limit in self.get_in_project("limits")["items"]}
        return [
            QuotaNeed(
                dimension,
                DIMENSIONS.get(dimension, dimension),
                limits[dimension]["used"],
                limits[dimension]["used"] + amount,
                limits[dimension]["used"] + limits[dimension]["available"],
            )
            for dimension, amount in self.claims(body).items()
            if dimension in limits and amount
        ]

    # Choices.

    def zones(self) -> list[tuple[str, str]]:
        """Return zones by location."""
        zones = self.api.get("zones", limit=CHOICES_MAX)["items"]
        return [(zone["id"], _placed(zone)) for zone in zones]

    def classifications(self) -> list[tuple[str, str]]:
        try:
            path = ("organizations", self.project["organization"]["id"], "classifications")
            classifications = self.api.get(*path, limit=CHOICES_MAX)["items"]
        except ApiError:
            classifications = self.api.get("classifications", limit=CHOICES_MAX)["items"]
        return [(each["id"], each["title"]) for each in classifications if each["is_supported"]]


def _placed(zone: Mapping[str, Any]) -> str:
    facts = zone["facts"]
    location = ", ".join(str(facts[name]) for name in ("location.urban_area", "location.territory") if facts.get(name))
    return f"{zone['id']} ({location})" if location else zone["id"]


def unused_name(prefix: str, taken: set[str]) -> str:
    """Return the first unused name of prefix-1, prefix-2 …"""
    number = 1
    while f"{prefix}-{number}" in taken:
        number += 1
    return f"{prefix}-{number}"


def by_name(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return choices by name, or by id where several share a name."""
    names = [item["name"] for item in items]
    return [(item["name"] if names.count(item["name"]) == 1 else item["id"], item["name"]) for item in items]
