"""Security groups, their rules, and the groups of an instance."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context, FormPage, Text
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values
from controlplane.dashboard.rule_texts import ports_of
from controlplane.dashboard.views.crud import (
    CrudCreate,
    CrudDelete,
    CrudDetail,
    CrudEdit,
    CrudList,
    CrudPage,
    ResourceKind,
)
from controlplane.dashboard.views.project.instances import InstancePage

SECURITY_GROUP = ResourceKind(
    "security-groups",
    "security-group",
    "security_group",
    {
        "many": _("Security groups"),
        "new": _("New security group"),
        "none": _("No security groups yet"),
        "what": _(
            "A security group contains rules for the traffic that its instances may receive and send. All other "
            "traffic is blocked. The default group is created with the first network."
        ),
        "lost": _("The security group and its rules are permanently deleted."),
        "kept": _("Only a group without instances, that no rule of another group names, can be deleted."),
        "icon": "shield",
    },
)
# The preset of a rule, with its label and the members of the API.
PRESETS: dict[str, tuple[Text, Context]] = {
    "ssh": (_("SSH (TCP 22)"), {"protocol": "tcp", "first_port": 22}),
    "http": (_("HTTP (TCP 80)"), {"protocol": "tcp", "first_port": 80}),
    "https": (_("HTTPS (TCP 443)"), {"protocol": "tcp", "first_port": 443}),
    "icmp": (_("ICMP, such as ping"), {"protocol": "icmp"}),
    "tcp": (_("TCP, ports below"), {"protocol": "tcp"}),
    "udp": (_("UDP, ports below"), {"protocol": "udp"}),
    "any": (_("All traffic"), {"protocol": "any"}),
}
DIRECTIONS = (("in", _("in: to the instances of the group")), ("out", _("out: from the instances of the group")))
FAMILIES = (("", _("IPv4, or that of the address ranges")), ("ipv4", "IPv4"), ("ipv6", "IPv6"))
CHOICES_MAX = 200


class SecurityGroupForm(NamedForm):
    description = forms.CharField(label=_("Description"), required=False, max_length=200)
    selector = forms.CharField(
        label=_("Selector"),
        help_text=_(
            "Ports of instances with these labels are in the group, such as env=prod,tier in (web,api). Leave empty to "
            "select no ports."
        ),
        required=False,
        max_length=1000,
    )
    field_order = ("name", "description", "selector", "labels")

    def body(self) -> Context:
        return super().body() | {name: self.cleaned_data[name] for name in ("description", "selector")}


class SecurityGroupList(CrudList):
    noun = SECURITY_GROUP
    template = "dashboard/project/security_groups/list.html"


class SecurityGroupDetail(CrudDetail):
    noun = SECURITY_GROUP
    template = "dashboard/project/security_groups/detail.html"

    def context(self) -> Context:
        rules = self.get_in_project("security-groups", self.thing["id"], "rules", limit=CHOICES_MAX)["items"]
        shown = [rule | {"remove": self.rule_url(rule), "ports": ports_of(rule)} for rule in rules]
        return super().context() | {"rules": shown, "add": self.at("-rule-new")}

    def rule_url(self, rule: Context) -> str:
        return self.url("security-group-rule-delete", thing=self.thing["id"], rule=rule["id"])


class SecurityGroupCreate(CrudCreate):
    noun = SECURITY_GROUP
    form_class = SecurityGroupForm


class SecurityGroupEdit(CrudEdit):
    noun = SECURITY_GROUP
    form_class = SecurityGroupForm

    def initial(self) -> Context:
        return initial_values(self.thing) | {name: self.thing[name] for name in ("description", "selector")}


class SecurityGroupDelete(CrudDelete):
    noun = SECURITY_GROUP


class RuleForm(ApiForm):
    api_names = {"first_port": "ports", "last_port": "ports", "protocol": "preset"}
    direction = forms.ChoiceField(label=_("Direction"), choices=DIRECTIONS, initial="in", widget=forms.RadioSelect)
    preset = forms.ChoiceField(label=_("Traffic"), choices=[(name, label) for name, (label, _api) in PRESETS.items()])
    family = forms.ChoiceField(
        label=_("Address family"),
        help_text=_("A rule for IPv4 lets no IPv6 pass; add one for each family."),
        required=False,
        choices=FAMILIES,
    )
    ports = forms.CharField(
        label=_("Ports"),
        help_text=_("For TCP and UDP: a port or a range, such as 8000-8080. Leave empty for all."),
        required=False,
    )
    cidrs = forms.CharField(
        label=_("Address ranges"),
        help_text=_("Of the other side, separated by commas, such as 192.0.2.0/24. Leave empty for any address."),
        required=False,
    )
    peer_group = forms.ChoiceField(
        label=_("Security group"),
        help_text=_("Instead of address ranges: instances of this group in the same network."),
        required=False,
    )
    address_set = forms.ChoiceField(
        label=_("Address set"),
        help_text=_("Instead of address ranges or a group: the ranges of this set."),
        required=False,
    )
    description = forms.CharField(label=_("Description"), required=False, max_length=200)

    def __init__(self, *args: Any, groups: list[Context], address_sets: list[Context], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field, items in (("peer_group", groups), ("address_set", address_sets)):
            names = [(item["id"], item["name"]) for item in items]
            self.fields[field].choices = [("", "–"), *names]  # type: ignore[attr-defined]

    def clean_ports(self) -> str:
        ports: str = self.cleaned_data["ports"].replace(" ", "")
        if ports and not all(part.isdigit() for part in ports.split("-", 1)):
            raise forms.ValidationError(gettext("Enter a port or a range, such as 443 or 8000-8080."))
        return ports

    def body(self) -> Context:
        given = super().body()
        ports, cidrs = given.pop("ports", ""), given.pop("cidrs", "")
        preset: Context = PRESETS[given.pop("preset")][1]
        if ports:
            first, _dash, last = ports.partition("-")
            given |= {"first_port": int(first), "last_port": int(last or first)}
        if cidrs:
            given["cidrs"] = [each.strip() for each in cidrs.split(",") if each.strip()]
        if preset["protocol"] == "icmp" and (given.get("family") == "ipv6" or ":" in cidrs):
            preset = {"protocol": "icmpv6"}
        return given | preset


class RuleCreate(FormPage, CrudPage):
    noun = SECURITY_GROUP
    template = "dashboard/forms/page.html"
    form_class = RuleForm
    submit = _("Add rule")

    @classmethod
    def right_at(cls, path: Mapping[str, str]) -> str:
        return "security_group_rule_create"

    def choices(self) -> Context:
        kinds = {"groups": "security-groups", "address_sets": "address-sets"}
        return {
            name: self.get_in_project(kind, sort="name", limit=CHOICES_MAX)["items"] for name, kind in kinds.items()
        }

    def context(self) -> Context:
        lead = _("The rule applies within moments to all instances of the group. Replies are always allowed.")
        return {"title": _("Add a rule to {name}").format(name=self.thing["name"]), "lead": lead, "back": self.at()}

    def send(self, form: ApiForm) -> str:
        self.api.post(*self.path(), "rules", body=form.body(), key=self.key)
        self.notify(_("Rule added."))
        return self.at()


class RuleDelete(FormPage, CrudPage):
    noun = SECURITY_GROUP
    template = "dashboard/shared/confirm.html"
    submit = _("Remove")

    @classmethod
    def right_at(cls, path: Mapping[str, str]) -> str:
        return "security_group_rule_delete"

    def context(self) -> Context:
        return {
            "title": _("Remove a rule from {name}").format(name=self.thing["name"]),
            "lost": _("Traffic that only this rule allows is blocked, and its open connections end."),
            "kept": _("The other rules of the group stay."),
            "back": self.at(),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete(*self.path(), "rules", self.kwargs["rule"])
        self.notify(_("Rule removed."))
        return self.at()


class InstanceGroupsForm(ApiForm):
    security_groups = forms.MultipleChoiceField(
        label=_("Security groups"),
        help_text=_("The rules of all selected groups add up. Without any group, all traffic is blocked."),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, groups: list[Context], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(group["id"], group["name"]) for group in groups]
        self.fields["security_groups"].choices = names  # type: ignore[attr-defined]

    def body(self) -> Context:
        return {"security_groups": self.cleaned_data["security_groups"]}


class InstanceGroups(FormPage, InstancePage):
    template = "dashboard/forms/page.html"
    tab = "instance-network"
    form_class = InstanceGroupsForm
    right = "security_group_of_instance_set"
    submit = _("Save")

    def choices(self) -> Context:
        return {"groups": self.get_in_project("security-groups", sort="name", limit=CHOICES_MAX)["items"]}

    def initial(self) -> Context:
        ports = self.get_in_project("instances", self.instance["id"], "security-groups")["ports"]
        groups = [group for port in ports for group in port["security_groups"] or []]
        chosen = {group["id"] for group in groups if not group["is_selected"]}
        return {"security_groups": sorted(chosen)}

    def context(self) -> Context:
        title = _("Security groups of {name}").format(name=self.instance["name"])
        lead = _("The groups apply to all network interfaces of the instance.")
        return {"title": title, "lead": lead}

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.kwargs["project"], "instances", self.instance["id"], "security-groups")
        self.api.put(*path, body=form.body())
        self.notify(_("Changes saved."))
        return self.url("instance-network", instance=self.instance["id"])
