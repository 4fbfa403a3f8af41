"""Sign-in by link: password links, invitations and OpenID providers."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import CORRECTABLE_STATUSES, Context, Page, PublicPage, Text, safe_redirect_url
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.account.profile import NewPassword
from controlplane.dashboard.views.account.sign_in import signed_in_response

# The browser's pending sign-in at a provider: the provider, the binding, and the next URL.
BINDING = "andromede_openid"
BINDING_S = 600


class LinkPage(PublicPage):
    """A page with one form that needs the secret of its link."""

    template = "dashboard/account/auth_link.html"
    form_class: type[ApiForm]
    submit: Text = ""
    lead: Text = ""

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        initial = {name: request.GET.get(name, "") for name in self.form_class.base_fields}
        return self.shown(self.form_class(initial=initial))

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        form = self.form_class(request.POST)
        if form.is_valid():
            try:
                return self.send(form)
            except ApiError as exc:
                if exc.status not in CORRECTABLE_STATUSES | {401}:  # 401: from the link's secret, not from a session
                    raise
                form.show_problem(exc.problem)
        return self.shown(form)

    def send(self, form: ApiForm) -> HttpResponse:
        raise NotImplementedError

    def shown(self, form: ApiForm) -> HttpResponse:
        return self.page({"form": form, "submit": self.submit, "lead": self.lead, **self.context()})


class LinkForm(NewPassword):
    """A form with the link's `secret`, which can also be typed."""

    secret = forms.CharField(
        label=_("Link secret"),
        help_text=_("Starts with andromede_link_. You received it from the cloud operator."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("secret", "new_password", "repeated")


class PasswordLink(LinkPage):
    title = _("Choose your password")
    form_class = LinkForm
    submit = _("Set password")
    lead = _("The link can be used once. Afterwards, sign in with your e-mail address and this password.")

    def send(self, form: ApiForm) -> HttpResponse:
        self.api.post("password", "actions", "set", body=form.body())
        messages.success(self.request, str(_("Password set. Sign in with it.")))
        return redirect("sign-in")


class InvitationForm(ApiForm):
    token = forms.CharField(
        label=_("Invitation"),
        help_text=_("Starts with andromede_invitation_."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class Invitation(LinkPage):
    """Accept an invitation: a signed-in user accepts it as themselves, for others a user is created."""

    title = _("You are invited")
    form_class = InvitationForm
    submit = _("Accept invitation")

    def context(self) -> Context:
        try:
            me = self.api.get("me")["user"]
        except ApiError:
            me = None
        here = f"{reverse('invitation')}?{urlencode({'token': self.request.GET.get('token', '')})}"
        return {"as_whom": me, "sign_in": f"{reverse('sign-in')}?{urlencode({'next': here})}"}

    def send(self, form: ApiForm) -> HttpResponse:
        member = self.api.post("invitations", "actions", "accept", body=form.body())
        organization = member["organization"]
        if self.context()["as_whom"] is None:
            self.template = "dashboard/account/invitation_accepted.html"
            return self.page({"member": member, "title": _("Invitation accepted")})
        messages.success(self.request, str(_("You are a member of {name}.")).format(name=organization["name"]))
        return redirect("organization", organization=organization["id"])


class OpenId(PublicPage):
    """Redirect to the provider's page; it redirects back to /signed-in."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        provider = self.kwargs["provider"]
        back = request.build_absolute_uri(reverse("signed-in"))
        try:
            sign_in = self.api.post("openid-providers", provider, "sign-ins", body={"redirect_uri": back})
        except ApiError as exc:
            return redirect_with_error(request, str(exc.problem.get("detail", exc.code)))
        response = HttpResponseRedirect(sign_in["authorization_url"])
        set_binding_cookie(response, provider, sign_in["binding"], after=safe_redirect_url(request, self.query("next")))
        return response


class IdentityLink(Page):
    """Link a provider's identity to the user's account. Only a form starts it, so that no other site can; forms may
    only lead to pages of this site, so the next page has the link to the provider."""

    template = "dashboard/account/identity_link.html"
    title = _("Link an identity")
    section = "account"

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect("account-sign-in")

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        provider = self.kwargs["provider"]
        back = request.build_absolute_uri(reverse("signed-in"))
        started = self.api.post("openid-providers", provider, "links", body={"redirect_uri": back})
        response = self.page({"provider": provider, "url": started["authorization_url"]})
        set_binding_cookie(response, provider, started["binding"], what="identities")
        return response


def set_binding_cookie(
    response: HttpResponse, provider: str, binding: str, *, what: str = "sessions", after: str = ""
) -> None:
    """Set the binding cookie; `what` happens on return."""
    cookie = urlencode({"provider": provider, "binding": binding, "what": what, "next": after})
    response.set_cookie(
        BINDING, cookie, max_age=BINDING_S, httponly=True, samesite="Lax", secure=settings.ARE_COOKIES_SECURE
    )


class SignedIn(PublicPage):
    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        cookie = dict(parse_qsl(request.COOKIES.get(BINDING, "")))
        if "binding" not in cookie or "state" not in request.GET:
            return redirect_with_error(
                request, str(_("This sign-in was started in another browser or has expired. Start again."))
            )
        body: dict[str, Any] = {name: request.GET[name] for name in ("state", "code", "iss") if name in request.GET}
        body["binding"] = cookie["binding"]
        try:
            response = self.completed(cookie, body)
        except ApiError as exc:
            is_link = cookie.get("what") == "identities"
            response = redirect_with_error(
                request, str(exc.problem.get("detail", exc.code)), "account-sign-in" if is_link else "sign-in"
            )
        response.delete_cookie(BINDING, samesite="Lax")
        return response

    def completed(self, cookie: dict[str, str], body: dict[str, Any]) -> HttpResponse:
        if cookie.get("what") == "identities":
            self.api.post("openid-providers", cookie["provider"], "identities", body=body)
            messages.success(self.request, str(_("Identity linked. You can sign in with it.")))
            return redirect("account-sign-in")
        session = self.api.post("openid-providers", cookie["provider"], "sessions", body=body)
        return signed_in_response(session, safe_redirect_url(self.request, cookie.get("next", "")))


def redirect_with_error(request: HttpRequest, text: str, where: str = "sign-in") -> HttpResponse:
    messages.error(request, text)
    return redirect(where)
