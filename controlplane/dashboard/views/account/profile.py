"""The user's account: profile and sign-in methods."""

import io

import segno
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Action, Context, FormPage, Page, PublicPage, Text, safe_redirect_url
from controlplane.dashboard.forms import ApiForm

TABS = (
    ("account", _("Profile")),
    ("account-sign-in", _("Sign-in")),
    ("sessions", _("Sessions")),
    ("tokens", _("API tokens")),
)


class AccountPage(Page):
    section = "account"
    tab = ""

    def layout_context(self) -> Context:
        tabs = [(name, words, reverse(name)) for name, words in TABS]
        return super().layout_context() | {"tabs": tabs, "tab": self.tab}


class Profile(AccountPage):
    template = "dashboard/account/profile.html"
    title = _("Profile")
    tab = "account"


class SignInMethods(AccountPage):
    template = "dashboard/account/sign_in_methods.html"
    title = _("Sign-in")
    tab = "account-sign-in"

    def context(self) -> Context:
        return {
            "methods": self.api.get("sign-in-methods"),
            "passkeys": self.api.get("passkeys")["items"],
            "identities": self.api.get("identities")["items"],
            "providers": self.api.get("openid-providers")["items"],
            "has_passkeys": bool(settings.PASSKEY_ORIGINS),
            "resets": [each for each in self.api.get("password-resets")["items"] if each["user"] == self.me["user"]],
        }


def revoke_tokens_field() -> forms.BooleanField:
    return forms.BooleanField(
        label=_("Also revoke API tokens created in your sessions"),
        help_text=_("Select this if another person may have used your account."),
        required=False,
    )


class NewPassword(ApiForm):
    new_password = forms.CharField(
        label=_("New password"),
        help_text=_("At least 12 characters. Use several words."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    repeated = forms.CharField(
        label=_("Repeat password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_repeated(self) -> str:
        if self.cleaned_data["repeated"] != self.cleaned_data.get("new_password"):
            raise forms.ValidationError(_("The passwords do not match."))
        return ""


class PasswordForm(NewPassword):
    old_password = forms.CharField(
        label=_("Current password"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    revoke_tokens = revoke_tokens_field()
    field_order = ("old_password", "new_password", "repeated", "revoke_tokens")


class PasswordChange(FormPage, AccountPage):
    template = "dashboard/forms/page.html"
    title = _("Change password")
    form_class = PasswordForm
    submit = _("Change password")

    def context(self) -> Context:
        return {"lead": _("All your other sessions end."), "back": reverse("account-sign-in")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Sign-in"), reverse("account-sign-in"))]

    def send(self, form: ApiForm) -> str:
        self.api.post("password", "actions", "change", body=form.body())
        self.notify(_("Password changed. Your other sessions have ended."))
        return reverse("account-sign-in")


class CodeForm(ApiForm):
    code = forms.CharField(
        label=_("Code"),
        help_text=_("Current six-digit code of the application."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).replace(" ", "")


class TotpEnrol(Page):
    """Enrol an authenticator, outside the frame: at the first sign-in other pages are closed. The secret stays on the
    page until a code is correct; then the recovery codes are shown, once."""

    template = "dashboard/account/totp.html"
    title = _("Authenticator application")

    def layout_context(self) -> Context:
        return PublicPage.layout_context(self)

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect("account-sign-in")

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        enrolled = self.api.post("totp")
        return self.shown(CodeForm(), enrolled["secret"], enrolled["otpauth_uri"])

    def shown(self, form: ApiForm, secret: str, uri: str) -> HttpResponse:
        after = safe_redirect_url(self.request, self.request.POST.get("next", ""))
        grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        return self.page({"form": form, "secret": secret, "grouped": grouped, "uri": uri, "qr": qr(uri), "next": after})


class TotpConfirm(TotpEnrol, FormPage):
    form_class = CodeForm

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        return FormPage.post(self, request, **path)

    def render_form(self, form: ApiForm) -> HttpResponse:
        return self.shown(form, self.request.POST.get("secret", ""), self.request.POST.get("uri", ""))

    def send(self, form: ApiForm) -> HttpResponse:
        codes = self.api.post("totp", "actions", "confirm", body=form.body())["recovery_codes"]
        return recovery_codes(self, codes, safe_redirect_url(self.request, self.request.POST.get("next", "")))


class TotpRemove(FormPage, AccountPage):
    template = "dashboard/shared/confirm.html"
    title = _("Remove authenticator application")
    submit = _("Remove")

    def context(self) -> Context:
        return {
            "lost": _("Codes of the application and your recovery codes stop working."),
            "kept": _("Your passkeys are kept."),
            "back": reverse("account-sign-in"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("totp")
        self.notify(_("Authenticator application removed."))
        return reverse("account-sign-in")


class RecoveryCodes(FormPage, AccountPage):
    template = "dashboard/forms/page.html"
    title = _("New recovery codes")
    submit = _("Create codes")

    def context(self) -> Context:
        return {"lead": _("Your existing recovery codes stop working."), "back": reverse("account-sign-in")}

    def send(self, form: ApiForm) -> HttpResponse:
        codes = self.api.post("recovery-codes")["recovery_codes"]
        return recovery_codes(self, codes, reverse("account-sign-in"))


def recovery_codes(page: PublicPage, codes: list[str], after: str) -> HttpResponse:
    page.template, page.title = "dashboard/account/recovery_codes.html", _("Recovery codes")
    return page.page({**PublicPage.layout_context(page), "codes": codes, "next": after or reverse("home")})


class IdentityUnlink(Action):
    done = _("Identity unlinked.")

    def perform(self) -> None:
        self.api.delete("identities", self.kwargs["identity"])

    def back(self) -> str:
        return reverse("account-sign-in")


class SessionList(AccountPage):
    template = "dashboard/account/sessions.html"
    title = _("Sessions")
    tab = "sessions"

    def context(self) -> Context:
        page = self.api.get("sessions", page_token=self.query("page_token"))
        return {"sessions": page["items"], "next_page_token": page["next_page_token"]}


class SessionEnd(Action):
    done = _("Session ended.")

    def perform(self) -> None:
        self.api.delete("sessions", self.kwargs["session"])

    def back(self) -> str:
        return reverse("sessions")


class EndOthersForm(ApiForm):
    revoke_tokens = revoke_tokens_field()


class SessionEndOthers(FormPage, AccountPage):
    template = "dashboard/forms/page.html"
    title = _("End all other sessions")
    form_class = EndOthersForm
    submit = _("End sessions")

    def context(self) -> Context:
        return {"lead": _("You have to sign in again on all other devices."), "back": reverse("sessions")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Sessions"), reverse("sessions"))]

    def send(self, form: ApiForm) -> str:
        self.api.post("sessions", "actions", "end-others", body=form.body())
        self.notify(_("All your other sessions have ended."))
        return reverse("sessions")


def qr(text: str) -> SafeString:
    """Return the QR code as SVG, black on white in every theme: cameras need it."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", xmldecl=False, svgns=False, omitsize=True, light="#fff", svgclass="qr", lineclass=None
    )
    return mark_safe(drawn.getvalue().decode())
