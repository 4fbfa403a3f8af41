"""In and out."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views import View

from controlplane.dashboard import cookies
from controlplane.dashboard.asking import Refused
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.page import FormPage, Open, back_to, safe

CODE_LENGTH = 40


class ProofForm(ApiForm):
    """A second factor: six digits, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        help_text=_("The six digits that your application shows, or one of your recovery codes."),
        max_length=CODE_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )

    def body(self) -> dict[str, Any]:
        return proof(self.cleaned_data["code"])


class SignInForm(ApiForm):
    email = forms.CharField(
        label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    code = forms.CharField(
        label=_("Code"),
        help_text=_("If your account has a second factor: six digits, or a recovery code."),
        max_length=CODE_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )

    def body(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {"email": data["email"], "password": data["password"]} | proof(data["code"])


class SignIn(Open):
    template = "dashboard/sign_in.html"
    title = _("Sign in")

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return self.shown(SignInForm())

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        form = SignInForm(request.POST)
        if form.is_valid():
            try:
                return self.signed_in(self.api.post("sessions", body=form.body()))
            except Refused as exc:
                form.take(exc.problem)
        return self.shown(form)

    def shown(self, form: ApiForm) -> HttpResponse:
        after = safe(self.request, self.request.POST.get("next", self.query("next")))
        return self.page({"form": form, "next": after})

    def signed_in(self, session: dict[str, Any]) -> HttpResponse:
        after = safe(self.request, self.request.POST.get("next", "")) or reverse("home")
        response = redirect(reverse("second-factor") if session["needs_second_factor"] else after)
        cookies.keep_session(response, session["secret"])
        return response


class SecondFactor(FormPage):
    """For a session that lacks one: a code, or, for who has none yet, the way to get one."""

    template = "dashboard/second_factor.html"
    title = _("Second factor")
    submit = _("Continue")
    form_class = ProofForm

    def frame(self) -> dict[str, Any]:
        """Nothing else may be asked for yet."""
        return Open.frame(self)

    def context(self) -> dict[str, Any]:
        return {"methods": self.api.get("sign-in-methods"), "next": safe(self.request, self.query("next"))}

    def send(self, form: ApiForm) -> str:
        self.api.post("sessions", "actions", "verify", body=form.body())
        return safe(self.request, self.request.POST.get("next", "")) or reverse("home")


class ProveForm(ApiForm):
    password = forms.CharField(
        label=_("Password"), required=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    code = SignInForm.base_fields["code"]

    def body(self) -> dict[str, Any]:
        return {"password": self.cleaned_data["password"]} | proof(self.cleaned_data["code"])


class Prove(FormPage):
    """Before what a thief of a session must not do: once more, that it is you."""

    template = "dashboard/prove.html"
    title = _("Prove that it is you")
    submit = _("Continue")
    form_class = ProveForm

    def context(self) -> dict[str, Any]:
        return {"methods": self.api.get("sign-in-methods"), "next": safe(self.request, self.query("next"))}

    def send(self, form: ApiForm) -> str:
        self.api.post("sessions", "actions", "verify", body=form.body())
        return safe(self.request, self.request.POST.get("next", "")) or reverse("home")


class SignOut(Open):
    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        """Also of a session that has ended already."""
        try:
            current = next(item for item in self.api.get("sessions")["items"] if item["is_current"])
            self.api.delete("sessions", current["id"])
        except Refused as exc:
            if exc.status not in (401, 403):
                raise
        response = redirect("sign-in")
        cookies.forget_session(response)
        return response

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect("home")


class Preferences(View):
    """Which language and which theme; for whoever has not signed in too."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        response = redirect(back_to(request))
        language, theme = request.POST.get("language"), request.POST.get("theme")
        if language in dict(settings.LANGUAGES):
            cookies.prefer(response, settings.LANGUAGE_COOKIE_NAME, language)
        if theme in (*cookies.THEMES, ""):
            cookies.prefer(response, cookies.THEME, theme)
        return response


def proof(code: str) -> dict[str, Any]:
    """The code as the API takes it: six digits are an application's, all others are for recovery."""
    code = code.replace(" ", "")
    if not code:
        return {}
    return {"totp": code} if code.isdigit() else {"recovery_code": code}
