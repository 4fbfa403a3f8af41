"""Instances: the list, one of them by tabs, what it can be made to do, and its end."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import words
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.page import Action, FormPage, ProjectPage, Text

FILTERS = ("name", "state", "labels", "zone")
STATES = ("building", "active", "stopped", "error")
LOG_BYTES = 64 * 1024


class InstanceList(ProjectPage):
    template = "dashboard/instances/list.html"
    title = _("Instances")
    section = "instances"
    live = "instance operation"

    def context(self) -> dict[str, Any]:
        filters = {name: self.query(name) for name in FILTERS}
        page = self.of_project("instances", **filters, sort="name", page_token=self.query("page_token"))
        return {
            "instances": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "states": [(state, words.look(state).words) for state in STATES],
        }


@dataclass(frozen=True)
class Button:
    """`states`: in which the instance can be made to do it; `why` says it to whoever cannot press it now."""

    name: str
    words: Text
    icon: str
    states: tuple[str, ...]
    why: Text


BUTTONS = (
    Button("start", _("Start"), "play", ("stopped", "error"), _("only an instance that is stopped can be started")),
    Button("shutdown", _("Shut down"), "power", ("active",), _("only an instance that runs can be shut down")),
    Button("reboot", _("Reboot"), "rotate-cw", ("active",), _("only an instance that runs can be rebooted")),
    Button("power-off", _("Power off"), "power-off", ("active",), _("only an instance that runs can be powered off")),
)


class InstancePage(ProjectPage):
    section = "instances"
    live = "instance operation volume"
    tab = ""

    @cached_property
    def instance(self) -> dict[str, Any]:
        instance: dict[str, Any] = self.of_project("instances", self.kwargs["instance"])
        return instance

    def page_of(self, name: str) -> str:
        return self.url(name, instance=self.instance["id"])

    def frame(self) -> dict[str, Any]:
        tabs = [
            ("instance", _("Overview"), self.page_of("instance")),
            ("instance-log", _("Serial log"), self.page_of("instance-log")),
            ("instance-activity", _("Activity"), self.page_of("instance-activity")),
        ]
        more = {"instance": self.instance, "title": self.instance["name"], "tabs": tabs, "tab": self.tab}
        return super().frame() | more | {"actions": self.actions()}

    def actions(self) -> list[dict[str, Any]]:
        return [
            {
                "words": button.words,
                "icon": button.icon,
                "url": self.url("instance-action", instance=self.instance["id"], action=button.name),
                "why": self.why_not(button),
            }
            for button in BUTTONS
        ]

    def why_not(self, button: Button) -> Text:
        if self.instance["current_operation"]:
            return _("something is under way; wait until it has ended")
        return "" if self.instance["state"] in button.states else button.why

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Instances"), self.url("instances"))]


class InstanceOverview(InstancePage):
    template = "dashboard/instances/detail.html"
    tab = "instance"


class InstanceLog(InstancePage):
    template = "dashboard/instances/log.html"
    tab = "instance-log"

    def context(self) -> dict[str, Any]:
        return {"log": self.of_project("instances", self.kwargs["instance"], "console-log", max_bytes=LOG_BYTES)}


class InstanceActivity(InstancePage):
    template = "dashboard/instances/activity.html"
    tab = "instance-activity"

    def context(self) -> dict[str, Any]:
        page = self.of_project("operations", resource=self.instance["id"], sort="-created_at")
        return {"operations": page["items"]}


class InstanceAction(Action):
    done = _("It has begun.")

    def act(self) -> None:
        path = ("projects", self.kwargs["project"], "instances", self.kwargs["instance"])
        self.api.post(*path, "actions", self.kwargs["action"])


class NameForm(ApiForm):
    """Whoever is to lose data types its name."""

    name = forms.CharField(
        label=_("Type its name"), widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )

    def __init__(self, *args: Any, wanted: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted

    def clean_name(self) -> str:
        if self.cleaned_data["name"] != self.wanted:
            raise forms.ValidationError(_("This is not its name."))
        return self.wanted


class InstanceDelete(FormPage, InstancePage):
    template = "dashboard/confirm.html"
    form_class = NameForm
    submit = _("Delete")

    def choices(self) -> dict[str, Any]:
        return {"wanted": self.instance["name"]}

    def context(self) -> dict[str, Any]:
        return {
            "title": _("Delete {name}").format(name=self.instance["name"]),
            "lost": _("The instance and its root disk are erased for good, and its addresses are given back."),
            "kept": _("Volumes that are attached to it stay, with all that is on them."),
            "back": self.page_of("instance"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("projects", self.project["id"], "instances", self.instance["id"])
        self.say(_("It is being deleted."))
        return self.url("instances")
