"""Webhooks and their deliveries."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, cast

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Action, Context, FormPage, ProjectPage, Text
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values
from controlplane.dashboard.views.one_time_secret import one_time_secret_page
from controlplane.events.kinds import KINDS, PATTERN_ALL

# Families of events; single kinds can be set through the API.
FAMILIES = [(f"{noun}.*", f"{noun}.*") for noun in sorted({kind.split(".")[0] for kind in KINDS})]
DELIVERY_STATES = ("pending", "succeeded", "failed")
OVERLAP_HOURS = 24


class WebhookList(ProjectPage):
    template = "dashboard/project/webhooks/list.html"
    title = _("Webhooks")
    section = "webhooks"

    def context(self) -> Context:
        page = self.get_in_project("webhooks", sort="name", page_token=self.query("page_token"))
        return {"webhooks": page["items"], "next_page_token": page["next_page_token"]}


class WebhookForm(NamedForm):
    url = forms.CharField(
        label=_("Address"),
        help_text=_("https://… URL of your server. Each event is sent as a signed POST request."),
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )
    kinds = forms.MultipleChoiceField(
        label=_("Events"),
        help_text=_("None selected: all events."),
        choices=FAMILIES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    is_enabled = forms.BooleanField(label=_("Enabled"), required=False, initial=True)
    field_order = ("name", "url", "kinds", "is_enabled", "labels")

    def __init__(self, *args: Any, kinds: Iterable[str] = (), **kwargs: Any) -> None:
        """Initialize the form. `kinds`: current event kinds, which may be no whole families."""
        super().__init__(*args, **kwargs)
        single = [(kind, kind) for kind in kinds if kind in KINDS]
        cast(forms.MultipleChoiceField, self.fields["kinds"]).choices = FAMILIES + single

    def body(self) -> Context:
        data = self.cleaned_data
        return super().body() | {"kinds": data["kinds"] or [PATTERN_ALL], "is_enabled": data["is_enabled"]}


class WebhookCreate(FormPage, ProjectPage):
    template = "dashboard/forms/page.html"
    title = _("New webhook")
    section = "webhooks"
    form_class = WebhookForm
    submit = _("Create")
    right = "webhook_create"

    def context(self) -> Context:
        return {"lead": _("A webhook sends events of the project to your server."), "back": self.url("webhooks")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Webhooks"), self.url("webhooks"))]

    def send(self, form: ApiForm) -> HttpResponse:
        webhook = self.api.post("projects", self.kwargs["project"], "webhooks", body=form.body(), key=self.key)
        self.title = webhook["name"]
        return webhook_secret_page(self, webhook["secret"], self.url("webhook", webhook=webhook["id"]))


def webhook_secret_page(page: ProjectPage, secret: str, back: str) -> HttpResponse:
    lead = _("Your server uses it to verify the signature of events: see Standard Webhooks.")
    return one_time_secret_page(page, _("Signing secret"), secret, back=back, lead=lead)


class WebhookPage(ProjectPage):
    section = "webhooks"

    @cached_property
    def webhook(self) -> Context:
        webhook: Context = self.get_in_project("webhooks", self.kwargs["webhook"])
        return webhook

    def path(self) -> tuple[str, ...]:
        return ("projects", self.kwargs["project"], "webhooks", self.kwargs["webhook"])

    def here(self) -> str:
        return self.url("webhook", webhook=self.kwargs["webhook"])

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Webhooks"), self.url("webhooks"))]


class WebhookDetail(WebhookPage):
    template = "dashboard/project/webhooks/detail.html"

    def context(self) -> Context:
        state = self.query("state")
        deliveries = self.get_in_project(
            "webhooks",
            self.webhook["id"],
            "deliveries",
            state=state,
            sort="-created_at",
            page_token=self.query("page_token"),
        )
        return {
            "webhook": self.webhook,
            "title": self.webhook["name"],
            "deliveries": deliveries["items"],
            "next_page_token": deliveries["next_page_token"],
            "states": [(each, labels.state_badge(each).words) for each in DELIVERY_STATES],
        }


class WebhookEdit(FormPage, WebhookPage):
    template = "dashboard/forms/page.html"
    form_class = WebhookForm
    submit = _("Save")
    right = "webhook_update"

    def choices(self) -> Context:
        return {"kinds": self.webhook["kinds"]}

    def initial(self) -> Context:
        webhook = self.webhook
        return initial_values(webhook) | {name: webhook[name] for name in ("url", "kinds", "is_enabled")}

    def context(self) -> Context:
        return {"title": _("Edit {name}").format(name=self.webhook["name"]), "back": self.here()}

    def send(self, form: ApiForm) -> str:
        self.save(self.webhook, form, *self.path())
        return self.here()


class WebhookPing(Action, WebhookPage):
    done = _("Test event sent. The result appears below.")
    right = "webhook_ping"

    def perform(self) -> None:
        self.api.post(*self.path(), "actions", "ping")

    def back(self) -> str:
        return self.here()


class WebhookRedeliver(Action, WebhookPage):
    done = _("Redelivery started.")
    right = "webhook_delivery_redeliver"

    def perform(self) -> None:
        self.api.post(*self.path(), "deliveries", self.kwargs["delivery"], "actions", "redeliver")

    def back(self) -> str:
        return self.here()


class RotateForm(ApiForm):
    overlap_hours = forms.IntegerField(
        label=_("Overlap (hours)"),
        help_text=_(
            "During the overlap, events are signed with both secrets, so that you can replace the secret on "
            "your server."
        ),
        initial=OVERLAP_HOURS,
        min_value=0,
    )


class WebhookRotate(FormPage, WebhookPage):
    template = "dashboard/forms/page.html"
    title = _("Rotate secret")
    form_class = RotateForm
    submit = _("Create secret")
    right = "webhook_rotate_secret"

    def context(self) -> Context:
        return {"back": self.here()}

    def send(self, form: ApiForm) -> HttpResponse:
        changed = self.api.post(*self.path(), "actions", "rotate-secret", body=form.cleaned_data)
        return webhook_secret_page(self, changed["secret"], self.here())


class WebhookEndRotation(FormPage, WebhookPage):
    template = "dashboard/shared/confirm.html"
    title = _("Revoke old secret")
    submit = _("End rule")
    right = "webhook_end_rotation"

    def context(self) -> Context:
        return {
            "lost": _(
                "Events are no longer signed with the old secret. A server that only has the old secret rejects them."
            ),
            "kept": _("The new secret stays active."),
            "back": self.here(),
        }

    def send(self, form: ApiForm) -> str:
        self.api.post(*self.path(), "actions", "end-rotation")
        self.notify(_("Old secret revoked."))
        return self.here()


class WebhookDelete(FormPage, WebhookPage):
    template = "dashboard/shared/confirm.html"
    submit = _("Delete")
    right = "webhook_delete"

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.webhook["name"]),
            "lost": _("Events are no longer sent to your server, and the delivery history is deleted."),
            "back": self.here(),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete(*self.path())
        self.notify(_("Webhook deleted."))
        return self.url("webhooks")
