"""CRUD pages of resources without operations: networks, SSH keys, affinity groups. Each has a list, a detail page,
forms to create and edit, and a delete confirmation."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context, FormPage, ProjectPage, Text
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values

FILTERS = ("name", "labels")


@dataclass(frozen=True)
class ResourceKind:
    """A resource type. `collection` is its part of the API's path and the name of the list's URL; `one` is the
    prefix of the other URL names. `events`: the kind of its events."""

    collection: str
    one: str
    events: str
    words: Mapping[str, Text]


class CrudPage(ProjectPage):
    """A page of a resource type. `verb`: the API's name of its button's action."""

    noun: ResourceKind
    verb = ""

    @classmethod
    def right_at(cls, path: Mapping[str, str]) -> str:
        return f"{cls.noun.one}_{cls.verb}".replace("-", "_") if cls.verb else ""

    @cached_property
    def thing(self) -> Context:
        thing: Context = self.get_in_project(self.noun.collection, self.kwargs["thing"])
        return thing

    def path(self) -> tuple[str, ...]:
        return ("projects", self.kwargs["project"], self.noun.collection, self.kwargs["thing"])

    def at(self, page: str = "") -> str:
        return self.url(f"{self.noun.one}{page}", thing=self.kwargs["thing"])

    def layout_context(self) -> Context:
        return super().layout_context() | {"section": self.noun.collection, "words": self.noun.words}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(self.noun.words["many"], self.url(self.noun.collection))]


class CrudList(CrudPage):
    """A list; `template` renders each of `items`, whose URL is `url`."""

    def prepare(self) -> None:
        self.live = self.noun.events
        super().prepare()

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": self.noun.words["many"], "live": self.live}

    def context(self) -> Context:
        filters = {name: self.query(name) for name in FILTERS}
        page_token = self.query("page_token")
        page = self.get_in_project(self.noun.collection, **filters, sort="name", page_token=page_token)
        return {
            "items": [item | {"url": self.url(self.noun.one, thing=item["id"])} for item in page["items"]],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "create": self.url(f"{self.noun.one}-new"),
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        return []


class CrudDetail(CrudPage):
    def context(self) -> Context:
        return {
            "thing": self.thing,
            "title": self.thing["name"],
            "edit": self.at("-edit"),
            "delete": self.at("-delete"),
        }


class CrudCreate(FormPage, CrudPage):
    template = "dashboard/forms/page.html"
    verb = "create"
    submit = _("Create")

    def context(self) -> Context:
        words = self.noun.words
        return {"title": words["new"], "lead": words["what"], "back": self.url(self.noun.collection)}

    def send(self, form: ApiForm) -> str:
        created = self.api.post(
            "projects", self.kwargs["project"], self.noun.collection, body=form.body(), key=self.key
        )
        self.notify(_("{name} created.").format(name=created["name"]))
        return self.url(self.noun.one, thing=created["id"])


class CrudEdit(FormPage, CrudPage):
    template = "dashboard/forms/page.html"
    form_class: type[ApiForm] = NamedForm
    submit = _("Save")
    verb = "update"

    def initial(self) -> Context:
        return initial_values(self.thing)

    def context(self) -> Context:
        return {"title": _("Edit {name}").format(name=self.thing["name"]), "back": self.at()}

    def send(self, form: ApiForm) -> str:
        self.save(self.thing, form, *self.path())
        return self.at()


class CrudDelete(FormPage, CrudPage):
    template = "dashboard/shared/confirm.html"
    verb = "delete"
    submit = _("Delete")

    def context(self) -> dict[str, Any]:
        return {
            "title": _("Delete {name}").format(name=self.thing["name"]),
            "lost": self.noun.words["lost"],
            "kept": self.noun.words["kept"],
            "back": self.at(),
        }

    def send(self, form: ApiForm) -> str:
        name = self.thing["name"]
        self.api.delete(*self.path())
        self.notify(_("{name} deleted.").format(name=name))
        return self.url(self.noun.collection)
