"""Node recovery for operators: the plan. The drain page shows its progress."""

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Context, FormPage, Text, is_correctable
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.platform.drains import counted
from controlplane.dashboard.views.platform.fleet import NodePage


class RecoverForm(ApiForm):
    plan = forms.CharField(widget=forms.HiddenInput)
    at_once = forms.IntegerField(label=_("Concurrent moves"), min_value=1, max_value=32, initial=8)
    reason = forms.CharField(
        label=_("Reason"), help_text=_("Visible to other operators and to tenants."), max_length=200, required=False
    )


class RecoverNew(FormPage, NodePage):
    """Show the current plan and the button that starts it."""

    template = "dashboard/platform/nodes/recovery_plan.html"
    form_class = RecoverForm
    submit = _("Recover node")

    def context(self) -> Context:
        frame: Context = {
            "title": _("Recover {name}").format(name=self.node["name"]),
            "node": self.node,
            "back": self.url,
            "may_operate": self.me["duty"] == "operator",
        }
        try:
            plan = self.api.post("nodes", self.node["name"], "actions", "plan-recover", body={})
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            return frame | {"refusal": exc.problem}
        return frame | {
            "plan": plan,
            "blocked": [guest for guest in plan["guests"] if guest["action"] == "evacuate" and guest["reasons"]],
            "staying": [guest for guest in plan["guests"] if guest["action"] == "stay"],
            "counted": counted(plan["counts"], labels.RECOVERED),
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.node["name"], self.url)]

    def send(self, form: ApiForm) -> str:
        self.api.post("nodes", self.node["name"], "actions", "recover", body=form.body(), key=self.key)
        self.notify(_("Recovery started."))
        return reverse("node-drain", kwargs={"node": self.node["name"]})
