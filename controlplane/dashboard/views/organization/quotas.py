"""Quotas of an organization, quota requests and their responses."""

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import navigation
from controlplane.dashboard.api_client import ApiRequest, ApiResponse
from controlplane.dashboard.base_views import Action, Context, FormPage, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.organization.organizations import OrganizationPage
from controlplane.dashboard.views.project.overview import DIMENSIONS, in_words

PENDING = "pending"
UNITS = {
    "memory_mib": _("In MiB."),
    "storage_gib": _("In GiB."),
    "snapshot_gib": _("In GiB."),
    "image_gib": _("In GiB."),
    "state_mib": _("In MiB."),
}
DECISIONS = {"approve": _("Approve"), "refuse": _("Refuse")}


class Quota(OrganizationPage):
    template = "dashboard/organization/quota.html"
    title = _("Quota")
    section = "quota"

    def context(self) -> Context:
        requests = self.get_in_organization("quota-requests", sort="-created_at", page_token=self.query("page_token"))
        return {
            "limits": [in_words(limit) for limit in self.get_in_organization("limits")["items"]],
            "requests": [in_words(item) | {"is_open": item["state"] == PENDING} for item in requests["items"]],
            "next_page_token": requests["next_page_token"],
            "is_operator": self.me["duty"] == navigation.OPERATOR,
        }


class RequestForm(ApiForm):
    dimension = forms.ChoiceField(label=_("Resource"), choices=list(DIMENSIONS.items()))
    limit = forms.IntegerField(label=_("New limit"), help_text=_("Total limit, not the increase."), min_value=0)
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("Purpose and duration. The cloud operator reads it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class QuotaRequest(FormPage, OrganizationPage):
    template = "dashboard/forms/page.html"
    title = _("Request increase")
    section = "quota"
    form_class = RequestForm
    submit = _("Send request")
    right = "quota_request_create"

    def context(self) -> Context:
        return {"lead": _("The cloud operator decides. The response is shown here."), "back": self.url("quota")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (_("Quota"), self.url("quota"))]

    def send(self, form: ApiForm) -> str:
        path = ("organizations", self.kwargs["organization"], "quota-requests")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Request sent."))
        return self.url("quota")


class LimitsForm(ApiForm):
    """A field for each dimension; an empty one sets no limit. `version`: the ETag of the limits shown, so that
    concurrent changes are not overwritten."""

    version = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, limits: Context, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for dimension, words in DIMENSIONS.items():
            self.fields[dimension] = forms.IntegerField(
                label=words,
                help_text=UNITS.get(dimension, ""),
                min_value=0,
                required=False,
                initial=limits.get(dimension),
            )

    def body(self) -> Context:
        limits = super().body()
        del limits["version"]
        return {"limits": limits}


class QuotaEdit(FormPage):
    """Edit the limits of a project or an organization."""

    template = "dashboard/forms/page.html"
    form_class = LimitsForm
    submit = _("Save")
    lead: Text = ""

    @cached_property
    def quotas(self) -> ApiResponse:
        return self.api.send("GET", self.path(), ApiRequest())

    def path(self) -> tuple[str, ...]:
        """Return the path of the limits in the API."""
        raise NotImplementedError

    def back(self) -> str:
        raise NotImplementedError

    def choices(self) -> Context:
        return {"limits": self.quotas.data["limits"]}

    def initial(self) -> Context:
        return {"version": self.quotas.etag}

    def context(self) -> Context:
        return {"lead": self.lead, "back": self.back()}

    def send(self, form: ApiForm) -> str:
        self.api.send("PUT", self.path(), ApiRequest(form.body(), version=form.cleaned_data["version"]))
        self.notify(_("Quota set."))
        return self.back()


class OrganizationQuota(QuotaEdit, OrganizationPage):
    """Set the quota of an organization, for operators."""

    title = _("Organization quota")
    section = "quota"
    right = "organization_quotas_set"
    lead = _("Limits for all projects of the organization together. Leave a field empty for the default.")

    def path(self) -> tuple[str, ...]:
        return ("organizations", self.kwargs["organization"], "quotas")

    def back(self) -> str:
        return self.url("quota")

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (_("Quota"), self.url("quota"))]


class QuotaWithdraw(Action, OrganizationPage):
    done = _("Request withdrawn.")
    right = "quota_request_withdraw"

    def perform(self) -> None:
        path = ("organizations", self.kwargs["organization"], "quota-requests", self.kwargs["request_id"])
        self.api.post(*path, "actions", "withdraw")

    def back(self) -> str:
        return self.url("quota")


class DecisionForm(ApiForm):
    reason = forms.CharField(
        label=_("Answer"), help_text=_("Visible to the requester."), widget=forms.Textarea(attrs={"rows": 3})
    )


class QuotaDecide(FormPage, OrganizationPage):
    """Approve or refuse a quota request, for operators."""

    template = "dashboard/forms/page.html"
    section = "quota"
    form_class = DecisionForm
    right = "quota_request_{decision}"

    def context(self) -> Context:
        quota_request = in_words(self.get_in_organization("quota-requests", self.kwargs["request_id"]))
        lead = _("{name} requests {limit} ({dimension}): {reason}").format(
            name=self.organization["name"],
            limit=quota_request["limit"],
            dimension=quota_request["words"],
            reason=quota_request["reason"],
        )
        words = DECISIONS.get(self.kwargs["decision"], self.kwargs["decision"])
        return {"title": words, "submit": words, "lead": lead, "back": self.url("quota")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (_("Quota"), self.url("quota"))]

    def send(self, form: ApiForm) -> str:
        path = ("organizations", self.kwargs["organization"], "quota-requests", self.kwargs["request_id"])
        self.api.post(*path, "actions", self.kwargs["decision"], body=form.body())
        self.notify(_("Response sent."))
        return self.url("quota")
