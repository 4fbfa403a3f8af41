"""Exemptions, signed by two people with different roles, and officer keys. Private keys never reach the server: a page
shows the bytes to sign and accepts the signature."""

import base64
import binascii
from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import FormPage, Page, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.kernel import clock

DUTIES = {"sovereignty_officer": _("Sovereignty officer"), "duty_operator": _("Duty operator")}
PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class ExemptionList(Page):
    template = "dashboard/compliance/exemptions/list.html"
    title = _("Exemptions")
    section = "exemptions"
    live = "exemption"

    def context(self) -> dict[str, Any]:
        page = self.api.get("exemptions", zone=self.query("zone"), page_token=self.query("page_token"))
        return {
            "exemptions": [each | {"state": state_of(each)} for each in page["items"]],
            "next_page_token": page["next_page_token"],
            "report": self.api.get("exemptions", "report"),
        }


class RequestForm(ApiForm):
    decision = forms.CharField(
        label=_("Decision"),
        help_text=_("ID of the refused placement decision. The page of the decision links here."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    zone = forms.CharField(label=_("Zone"), widget=forms.TextInput(attrs=PLAIN))
    reason = forms.CharField(label=_("Reason"), help_text=_("The signers and auditors read it."), max_length=500)
    hours = forms.IntegerField(label=_("Hours"), initial=4, min_value=1, max_value=72)
    max_uses = forms.IntegerField(label=_("Maximum uses"), initial=1, min_value=1, max_value=100)


class ExemptionCreate(FormPage):
    template = "dashboard/forms/page.html"
    title = _("Request exemption")
    section = "exemptions"
    form_class = RequestForm
    submit = _("Send request")

    def initial(self) -> dict[str, Any]:
        return {"hours": 4, "max_uses": 1} | super().initial()

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Exemptions"), reverse("exemptions"))]

    def context(self) -> dict[str, Any]:
        lead = _(
            "Two people with different roles, neither of them the requester, have to sign the exemption. It "
            "is valid for some hours, for this operation on this resource in this zone, and waives only "
            "clauses that allow it."
        )
        return {"lead": lead, "back": reverse("exemptions")}

    def send(self, form: ApiForm) -> str:
        exemption = self.api.post("exemptions", body=form.body(), key=self.key)
        self.notify(_("Exemption requested. Two people have to sign it."))
        return reverse("exemption", kwargs={"exemption": exemption["id"]})


class ApprovalForm(ApiForm):
    duty = forms.ChoiceField(label=_("Role"), choices=list(DUTIES.items()))
    key_id = forms.CharField(
        label=_("Key ID"),
        help_text=_("ID of the signing key in the keyset."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    signature = forms.CharField(
        label=_("Signature"),
        help_text=_("Signature of the exact bytes above, in base64."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
    )


class Exemption(FormPage):
    """An exemption with its terms and a signature field."""

    template = "dashboard/compliance/exemptions/detail.html"
    title = _("Exemption")
    section = "exemptions"
    live = "exemption"
    form_class = ApprovalForm
    submit = _("Approve")

    @cached_property
    def exemption(self) -> dict[str, Any]:
        exemption: dict[str, Any] = self.api.get("exemptions", self.kwargs["exemption"])
        return exemption

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Exemptions"), reverse("exemptions"))]

    def context(self) -> dict[str, Any]:
        signed = {each["duty"] for each in self.exemption["approvals"]}
        terms = [
            {"duty": duty, "words": DUTIES.get(duty, duty), "text": _text(coded), "is_signed": duty in signed}
            for duty, coded in self.exemption["to_sign"].items()
        ]
        return {
            "exemption": self.exemption | {"state": state_of(self.exemption)},
            "terms": terms,
            "may_sign": any(not each["is_signed"] for each in terms),
            "duties": DUTIES,
        }

    def send(self, form: ApiForm) -> str:
        body = form.body() | {"signature": "".join(form.cleaned_data["signature"].split())}
        self.api.post("exemptions", self.exemption["id"], "actions", "approve", body=body)
        self.notify(_("Signature accepted."))
        return reverse("exemption", kwargs={"exemption": self.exemption["id"]})


class OfficerKeyList(Page):
    template = "dashboard/compliance/exemptions/keys.html"
    title = _("Officer keys")
    section = "exemptions"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Exemptions"), reverse("exemptions"))]

    def context(self) -> dict[str, Any]:
        page = self.api.get("officer-keys", officer=self.query("officer"), page_token=self.query("page_token"))
        return {
            "keys": [each | {"state": _state_of_key(each)} for each in page["items"]],
            "next_page_token": page["next_page_token"],
            "may_operate": self.me["duty"] == "operator",
        }


class KeyForm(ApiForm):
    officer = forms.CharField(label=_("Officer"), max_length=200)
    public_key = forms.CharField(
        label=_("Public key"),
        help_text=_("PEM or base64; Ed25519 or ECDSA P-256."),
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "mono"}),
    )
    user_id = forms.CharField(label=_("Account ID"), required=False, widget=forms.TextInput(attrs=PLAIN))


class OfficerKeyCreate(FormPage):
    template = "dashboard/forms/page.html"
    title = _("Add officer key")
    section = "exemptions"
    form_class = KeyForm
    submit = _("Add key")

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Officer keys"), reverse("officer-keys"))]

    def context(self) -> dict[str, Any]:
        lead = _("Facts signed with this key are valid from now on. The private key stays with the officer.")
        return {"lead": lead, "back": reverse("officer-keys")}

    def send(self, form: ApiForm) -> str:
        self.api.post("officer-keys", body=form.body(), key=self.key)
        self.notify(_("Key added."))
        return reverse("officer-keys")


class OfficerKeyRevoke(FormPage):
    template = "dashboard/shared/confirm.html"
    title = _("Revoke key")
    section = "exemptions"
    submit = _("Revoke")

    def context(self) -> dict[str, Any]:
        return {
            "lost": _("Signatures of this key made from now on are invalid. This cannot be undone."),
            "kept": _("Earlier signatures stay valid."),
            "back": reverse("officer-keys"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("officer-keys", self.kwargs["key"])
        self.notify(_("Key revoked."))
        return reverse("officer-keys")


def state_of(exemption: dict[str, Any]) -> str:
    """Return the state of an exemption for labels.py."""
    if exemption["use_count"] >= exemption["max_uses"]:
        return "used-up"
    if exemption["expires_at"] <= clock.now().isoformat():
        return "over"
    return "approved" if len(exemption["approvals"]) > 1 else "unsigned"


def _text(coded: str) -> str:
    try:
        return base64.b64decode(coded).decode()
    except (binascii.Error, UnicodeDecodeError):
        return coded


def _state_of_key(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    return "expired" if key["not_after"] <= clock.now().isoformat() else "valid"
