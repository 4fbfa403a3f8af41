"""Sign-in and sign-out."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views import View

from controlplane.dashboard import cookies
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import (
    CORRECTABLE_STATUSES,
    Context,
    FormPage,
    Page,
    PublicPage,
    origin_url,
    safe_redirect_url,
    session_left_s,
)
from controlplane.dashboard.forms import ApiForm

CODE_LENGTH = 40


class ProofForm(ApiForm):
    """A second factor: six digits, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        help_text=_("Six-digit code of your application, or a recovery code."),
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
        help_text=_("If your account has a second factor: six-digit code or recovery code."),
        max_length=CODE_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )

    def body(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {"email": data["email"], "password": data["password"]} | proof(data["code"])


class PasskeyForm(ApiForm):
    """The browser's answer to a challenge; passkeys.js fills it in."""

    ceremony = forms.CharField(widget=forms.HiddenInput)
    credential = forms.JSONField(widget=forms.HiddenInput)

    def body(self) -> dict[str, Any]:
        return {"passkey": dict(self.cleaned_data)}


class SignIn(PublicPage):
    template = "dashboard/account/sign_in_form.html"
    title = _("Sign in")

    def context(self) -> Context:
        return {"providers": self.api.get("openid-providers")["items"], "has_passkeys": bool(settings.PASSKEY_ORIGINS)}

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return self.shown(SignInForm())

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        form = SignInForm(request.POST)
        if form.is_valid():
            try:
                return self.signed_in(self.api.post("sessions", body=form.body()))
            except ApiError as exc:
                form.show_problem(exc.problem)
        return self.shown(form)

    def shown(self, form: ApiForm) -> HttpResponse:
        after = safe_redirect_url(self.request, self.request.POST.get("next", self.query("next")))
        return self.page({"form": form, "next": after, **self.context()})

    def signed_in(self, session: dict[str, Any]) -> HttpResponse:
        return signed_in_response(session, safe_redirect_url(self.request, self.request.POST.get("next", "")))


class PasskeySignIn(SignIn):
    """Sign-in with a passkey, through passkeys.js."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect("sign-in")

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        form = PasskeyForm(request.POST)
        if form.is_valid():
            try:
                return self.signed_in(self.api.post("passkey-sessions", body=form.cleaned_data))
            except ApiError as exc:
                messages.error(request, str(exc.problem.get("detail", exc.code)))
        return self.shown(SignInForm())


def signed_in_response(session: Context, after: str) -> HttpResponse:
    """Redirect to the dashboard with a new session, through the second factor if it is missing."""
    query = f"?{urlencode({'next': after})}" if after else ""
    response = redirect(f"{reverse('second-factor')}{query}" if session["needs_second_factor"] else after or "home")
    cookies.set_session(response, session["secret"])
    return response


class ProofPage(FormPage):
    """A page that verifies the session's user by a code, a password or a passkey."""

    submit = _("Continue")

    def layout_context(self) -> Context:
        """Return the context without the frame: no other request is allowed yet."""
        return PublicPage.layout_context(self)

    def context(self) -> Context:
        after = safe_redirect_url(self.request, self.request.POST.get("next", self.query("next")))
        return {
            "methods": self.api.get("sign-in-methods"),
            "next": after,
            "has_passkeys": bool(settings.PASSKEY_ORIGINS),
        }

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        form = PasskeyForm(request.POST)
        if not form.is_valid():
            return super().post(request, **path)
        try:
            return redirect(self.send(form))
        except ApiError as exc:
            if exc.status not in CORRECTABLE_STATUSES:
                raise
            messages.error(request, str(exc.problem.get("detail", exc.code)))
        return self.render_form(self.form())

    def send(self, form: ApiForm) -> str:
        self.api.post("sessions", "actions", "verify", body=form.body())
        return safe_redirect_url(self.request, self.request.POST.get("next", "")) or reverse("home")


class SecondFactor(ProofPage):
    """Verify a session's second factor, or enrol one."""

    template = "dashboard/account/second_factor.html"
    title = _("Second factor")
    form_class = ProofForm


class ProveForm(ApiForm):
    password = forms.CharField(
        label=_("Password"), required=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    code = ProofForm.base_fields["code"]

    def __init__(self, *args: Any, methods: Context, **kwargs: Any) -> None:
        """Keep only the fields of methods that the user has."""
        super().__init__(*args, **kwargs)
        has_factor = methods["has_totp"] or methods["passkeys"]
        del self.fields["password" if has_factor else "code"]

    def body(self) -> dict[str, Any]:
        data = self.cleaned_data
        return proof(data["code"]) if "code" in data else {"password": data.get("password", "")}


class Reauthenticate(ProofPage):
    """Reauthenticate before sensitive actions."""

    template = "dashboard/account/reauthenticate.html"
    title = _("Confirm your identity")
    form_class = ProveForm

    def choices(self) -> Context:
        return {"methods": self.api.get("sign-in-methods")}


class SessionTimeLeft(Page):
    """Return the session's remaining time to the warning script; the request counts as use."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return JsonResponse({"left_s": session_left_s(self.me)})


class SignOut(PublicPage):
    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        """Sign out, also of a session that has ended."""
        try:
            current = next(item for item in self.api.get("sessions")["items"] if item["is_current"])
            self.api.delete("sessions", current["id"])
        except ApiError as exc:
            if exc.status not in (401, 403):
                raise
        response = redirect("sign-in")
        cookies.delete_session(response)
        return response

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect("home")


class Preferences(View):
    """Set language and theme, also without sign-in."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        response = redirect(origin_url(request))
        language, theme = request.POST.get("language"), request.POST.get("theme")
        if language in dict(settings.LANGUAGES):
            cookies.set_preference(response, settings.LANGUAGE_COOKIE_NAME, language)
        if theme in (*cookies.THEMES, ""):
            cookies.set_preference(response, cookies.THEME, theme)
        return response


def proof(code: str) -> dict[str, Any]:
    """Return the code in the API's form: six digits are TOTP, others are recovery codes."""
    code = code.replace(" ", "")
    if not code:
        return {}
    return {"totp": code} if code.isdigit() else {"recovery_code": code}
