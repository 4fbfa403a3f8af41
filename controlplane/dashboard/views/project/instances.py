"""Instances: list, detail tabs, actions and deletion."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Action, FormPage, ProjectPage, Text
from controlplane.dashboard.compliance_drift import find_drift, list_drifted
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.rights import Rights
from controlplane.dashboard.views.project.instance_connection import connection_to
from controlplane.dashboard.zone_verdicts import verdicts

FILTERS = ("name", "state", "labels", "zone")
STATES = ("building", "active", "stopped", "error")
SORTS = ("name", "-name", "created_at", "-created_at")
LOG_BYTES = 64 * 1024
CHOICES_MAX = 200


class ListPage(ProjectPage):
    """A list with filters and order in its URL. `collection`: the API's; `states`: the choices of the filter."""

    collection = ""
    filters: tuple[str, ...] = FILTERS
    states: tuple[str, ...] = ()

    def context(self) -> dict[str, Any]:
        filters = {name: self.query(name) for name in self.filters}
        sort = self.query("sort") if self.query("sort") in SORTS else "name"
        page = self.get_in_project(self.collection, **filters, sort=sort, page_token=self.query("page_token"))
        return {
            self.collection: page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "states": [(state, labels.state_badge(state).words) for state in self.states],
            "zones": [zone["id"] for zone in self.api.get("zones", limit=CHOICES_MAX)["items"]],
        }


class InstanceList(ListPage):
    template = "dashboard/project/instances/list.html"
    title = _("Instances")
    section = "instances"
    live = "instance operation drift remediation"
    collection = "instances"
    states = STATES

    def context(self) -> dict[str, Any]:
        deeds = [(button.name, button.words, button.icon, button.right, "quiet small") for button in BUTTONS]
        delete = ("delete", _("Delete"), "trash-2", InstanceDelete.right, "danger small")
        context = super().context()
        drifted = {each["resource_id"]: each for each in list_drifted(self.api, self.project["id"], kind="instance")}
        instances = [each | {"drift": drifted.get(each["id"])} for each in context["instances"]]
        return context | {"instances": instances, "deeds": [*deeds, delete]}


@dataclass(frozen=True)
class Button:
    """An action button. `name`: the API's name of the action."""

    name: str
    words: Text
    icon: str

    @property
    def right(self) -> str:
        return InstanceAction.right_at({"action": self.name})


BUTTONS = (
    Button("start", _("Start"), "play"),
    Button("shutdown", _("Shut down"), "power"),
    Button("reboot", _("Reboot"), "rotate-cw"),
    Button("power-off", _("Power off"), "power-off"),
)
TABS = (
    ("instance", _("Overview")),
    ("instance-metrics", _("Metrics")),
    ("instance-console", _("Console")),
    ("instance-volumes", _("Volumes")),
    ("instance-network", _("Network")),
    ("instance-placement", _("Placement and residency")),
    ("instance-activity", _("Activity")),
    ("instance-log", _("Serial log")),
    ("instance-settings", _("Settings")),
)


class InstancePage(ProjectPage):
    section = "instances"
    live = "instance operation volume drift remediation"
    tab = ""

    @cached_property
    def instance(self) -> dict[str, Any]:
        instance: dict[str, Any] = self.get_in_project("instances", self.kwargs["instance"])
        return instance

    @property
    def boot_volume(self) -> dict[str, Any] | None:
        """The volume that is the root disk; None for a root disk of the instance itself."""
        return next((each["volume"] for each in self.instance["attachments"] if each["is_boot"]), None)

    def lost(self) -> Text:
        """Return what a deletion destroys."""
        if self.boot_volume is None:
            return _("The instance and its root disk are permanently deleted, and its addresses are released.")
        if self.instance["keep_root_volume"]:
            return _("The instance is permanently deleted, and its addresses are released. The root volume is kept.")
        lost = _("The instance and its root volume {volume} are permanently deleted, and its addresses are released.")
        return lost.format(volume=self.boot_volume["name"])

    def page_of(self, name: str) -> str:
        return self.url(name, instance=self.instance["id"])

    def layout_context(self) -> dict[str, Any]:
        tabs = [(name, words, self.page_of(name)) for name, words in TABS]
        instance = self.instance | {"drift": find_drift(self.api, self.instance["id"])}
        more = {"instance": instance, "title": self.instance["name"], "tabs": tabs, "tab": self.tab}
        more["boot_volume"] = self.boot_volume
        return super().layout_context() | more | {"actions": self.actions()}

    def actions(self) -> list[dict[str, Any]]:
        return [
            {
                "words": button.words,
                "icon": button.icon,
                "right": button.right,
                "url": self.url("instance-action", instance=self.instance["id"], action=button.name),
                "why": self.why_no(button.name),
            }
            for button in BUTTONS
        ]

    def why_no(self, action: str) -> str:
        """Return why the API would refuse the action now; empty if it would not."""
        allowed = {each["name"]: each for each in self.instance["allowed_actions"]}
        problem = allowed[action]["problem"]
        return problem["detail"] if problem else ""

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Instances"), self.url("instances"))]


class InstanceOverview(InstancePage):
    template = "dashboard/project/instances/detail.html"
    tab = "instance"
    live = f"{InstancePage.live} public_address"

    def context(self) -> dict[str, Any]:
        rights = Rights.of(self.me, self.place())
        page = self.get_in_project("public-addresses", instance=self.instance["id"], sort="name", limit=CHOICES_MAX)
        return {
            "connection": connection_to(self.instance, page["items"], self.project_reference, rights),
            "public_addresses": [each | {"standing": labels.public_address(each)} for each in page["items"]],
        }


class InstancePlacement(InstancePage):
    template = "dashboard/project/instances/placement.html"
    tab = "instance-placement"

    def context(self) -> dict[str, Any]:
        try:
            decision = self.get_in_project("instances", self.instance["id"], "placement")
        except ApiError as exc:
            if exc.status != 404:
                raise
            decision = None
        return {
            "decision": decision,
            "zones": verdicts(decision["document"]) if decision else [],
            "residency": self.api.get("resources", self.instance["id"], "residency"),
            "chosen": self.instance["zone"],
        }


class InstanceLog(InstancePage):
    template = "dashboard/project/instances/log.html"
    tab = "instance-log"

    def context(self) -> dict[str, Any]:
        return {
            "log": self.get_in_project("instances", self.kwargs["instance"], "console-log", max_bytes=LOG_BYTES),
            "is_followed": bool(self.query("follow")),
        }


class InstanceActivity(InstancePage):
    template = "dashboard/project/instances/activity.html"
    tab = "instance-activity"

    def context(self) -> dict[str, Any]:
        page = self.get_in_project(
            "operations", resource=self.instance["id"], sort="-created_at", page_token=self.query("page_token")
        )
        return {"operations": page["items"], "next_page_token": page["next_page_token"]}


class InstanceAction(Action):
    done = _("Operation started.")
    right = "instance_{action}"

    def perform(self) -> None:
        path = ("projects", self.kwargs["project"], "instances", self.kwargs["instance"])
        self.api.post(*path, "actions", self.kwargs["action"])


class NameForm(ApiForm):
    """Confirm a deletion by typing the resource's name."""

    name = forms.CharField(
        label=_("Type the name to confirm"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, expected_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected_name = expected_name

    def clean_name(self) -> str:
        if self.cleaned_data["name"] != self.expected_name:
            raise forms.ValidationError(_("The name does not match."))
        return self.expected_name


class InstanceDelete(FormPage, InstancePage):
    template = "dashboard/shared/confirm.html"
    form_class = NameForm
    submit = _("Delete")
    right = "instance_delete"

    def choices(self) -> dict[str, Any]:
        return {"expected_name": self.instance["name"]}

    def context(self) -> dict[str, Any]:
        return {
            "title": _("Delete {name}").format(name=self.instance["name"]),
            "lost": self.lost(),
            "kept": _("Attached volumes and their data are kept."),
            "back": self.page_of("instance-settings"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("projects", self.project["id"], "instances", self.instance["id"])
        self.notify(_("Deletion started."))
        return self.url("instances")
