"""Passkeys: challenges for passkeys.js, and the browser's answers."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import FormPage, Page, PublicPage, is_correctable, safe_redirect_url
from controlplane.dashboard.views.account.sign_in import PasskeyForm


class Challenge(PublicPage):
    """Challenge for sign-in with a passkey, or for reauthentication."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect("sign-in")

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        return challenge(self, "passkey-sessions")


class RegisterChallenge(Page):
    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect("account-sign-in")

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        return challenge(self, "passkeys")


def challenge(page: PublicPage, of: str) -> HttpResponse:
    """Return the API's challenge as JSON, or the URL that the browser visits first."""
    try:
        return JsonResponse(page.api.post(of, "actions", "challenge"))
    except ApiError as exc:
        return page.error_json(exc)


class NewPasskeyForm(PasskeyForm):
    name = forms.CharField(max_length=63)

    def body(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class PasskeyRegister(Page):
    """Register a passkey and return to the form's page, or to the page that required the second factor."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect("account-sign-in")

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        form = NewPasskeyForm(request.POST)
        if not form.is_valid():
            return redirect("account-sign-in")
        try:
            self.api.post("passkeys", body=form.body())
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            messages.error(request, str(exc.problem.get("detail", exc.code)))
            return redirect("account-sign-in")
        messages.success(request, str(_("Passkey registered. Register a second one as a backup.")))
        return redirect(safe_redirect_url(request, request.POST.get("next", "")) or reverse("account-sign-in"))


class PasskeyRemove(FormPage):
    template = "dashboard/shared/confirm.html"
    title = _("Remove passkey")
    section = "account"
    submit = _("Remove")

    def context(self) -> dict[str, Any]:
        return {
            "lost": _("You can no longer sign in with this passkey. Also remove it from your device."),
            "kept": _("Your other passkeys and the authenticator application are kept."),
            "back": reverse("account-sign-in"),
        }

    def send(self, form: Any) -> str:
        self.api.delete("passkeys", self.kwargs["passkey"])
        self.notify(_("Passkey removed."))
        return reverse("account-sign-in")
