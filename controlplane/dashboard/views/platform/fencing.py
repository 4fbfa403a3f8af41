"""Fencing for operators: available evidence, reasons for missing evidence, and the BMC."""

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError, ApiRequest
from controlplane.dashboard.base_views import Action, Context, FormPage, Text
from controlplane.dashboard.forms import NAME_FIELD, ApiForm
from controlplane.dashboard.views.platform.fleet import NodePage

NOT_FOUND = 404


class FenceForm(ApiForm):
    evidence = forms.ChoiceField(
        label=_("Evidence"), choices=list(labels.FENCE_EVIDENCE.items()), widget=forms.RadioSelect
    )
    reason = forms.CharField(label=_("Reason"), help_text=_("Recorded in the evidence log."), max_length=200)


class NodeFormPage(FormPage, NodePage):
    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.node["name"], self.url)]


class Fence(NodeFormPage):
    template = "dashboard/platform/nodes/fence.html"
    form_class = FenceForm
    submit = _("Fence node")

    def context(self) -> Context:
        fencing = self.api.get("nodes", self.node["name"], "fencing")
        return {
            "title": _("Fence {name}").format(name=self.node["name"]),
            "node": self.node,
            "fencing": fencing,
            "at_hand": fencing["at_hand"],
            "is_possible": any(each["counts"] for each in fencing["at_hand"]),
            "back": self.url,
        }

    def send(self, form: ApiForm) -> str:
        fencing = self.api.post("nodes", self.node["name"], "actions", "fence", body=form.body(), key=self.key)
        if fencing["operation"]:
            self.notify(
                _("The BMC powers the node off. The node is fenced when the BMC has confirmed twice that it is off.")
            )
        else:
            self.notify(_("Node fenced."))
        return self.url


class BmcForm(ApiForm):
    address = forms.CharField(
        label=_("Address"),
        help_text=_("IP address, with a port after a colon if it is not 443."),
        max_length=64,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    username = forms.CharField(label=_("User name"), max_length=63, widget=forms.TextInput(attrs=NAME_FIELD))
    password = forms.CharField(
        label=_("Password"),
        help_text=_("Stored encrypted and never shown again."),
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    certificate_sha256 = forms.CharField(
        label=_("Certificate SHA-256"),
        help_text=_("Only this certificate is trusted, regardless of its issuer."),
        max_length=95,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    system_id = forms.CharField(
        label=_("System"),
        help_text=_("System ID of the node, if the BMC has several systems."),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )


class Bmc(NodeFormPage):
    template = "dashboard/platform/nodes/bmc.html"
    form_class = BmcForm
    submit = _("Save")

    @cached_property
    def bmc(self) -> dict[str, Any] | None:
        try:
            bmc: dict[str, Any] = self.api.get("nodes", self.node["name"], "bmc")
        except ApiError as exc:
            if exc.status != NOT_FOUND:
                raise
            return None
        return bmc

    def context(self) -> Context:
        return {
            "title": _("BMC of {name}").format(name=self.node["name"]),
            "node": self.node,
            "bmc": self.bmc,
            "back": self.url,
        }

    def initial(self) -> dict[str, Any]:
        return self.bmc or {}

    def send(self, form: ApiForm) -> str:
        self.api.send("PUT", ("nodes", self.node["name"], "bmc"), ApiRequest(form.body()))
        self.notify(_("BMC saved."))
        return self.url


class BmcForget(Action):
    done = _("BMC removed.")

    def perform(self) -> None:
        self.api.delete("nodes", self.kwargs["node"], "bmc")
