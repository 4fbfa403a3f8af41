"""Members of an organization, their roles and invitations."""

from datetime import datetime
from functools import cached_property

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels, navigation
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Context, FormPage, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.one_time_secret import (
    absolute_url,
    invitation_mail,
    one_time_secret_page,
    password_mail,
)
from controlplane.dashboard.views.organization.organizations import OrganizationPage

ROLES = (
    ("viewer", _("viewer: read-only access")),
    ("member", _("member: manages resources of projects")),
    ("admin", _("administrator: also manages projects, members and roles")),
    ("owner", _("owner: also appoints owners and sovereignty officers")),
    ("billing", _("billing: views usage")),
    ("sovereignty_officer", _("sovereignty officer: manages policies, cannot manage resources")),
)
RESET_NEEDED = "signin.reset_needed"
LIFETIME_DAYS, LIFETIME_MAX_DAYS = 7, 30


class RoleForm(ApiForm):
    role = forms.ChoiceField(label=_("Role"), choices=ROLES, initial="member", widget=forms.RadioSelect)


class MemberList(OrganizationPage):
    template = "dashboard/organization/members/list.html"
    title = _("Members")
    section = "members"

    def context(self) -> Context:
        filters = {name: self.query(name) for name in ("email", "role")}
        page = self.get_in_organization("members", **filters, sort="created_at", page_token=self.query("page_token"))
        return {
            "members": page["items"],
            "next_page_token": page["next_page_token"],
            "roles": [(role, labels.ROLES[role]) for role, _meaning in ROLES],
            "is_filtered": any(filters.values()),
            "is_operator": self.me["duty"] == navigation.OPERATOR,
            "resets": self.api.get("password-resets", limit=1)["items"],
        }


class MemberPage(OrganizationPage):
    section = "members"

    @cached_property
    def member(self) -> Context:
        member: Context = self.get_in_organization("members", self.kwargs["member"])
        return member

    def path(self) -> tuple[str, ...]:
        return ("organizations", self.kwargs["organization"], "members", self.kwargs["member"])

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (_("Members"), self.url("members"))]


class MemberEdit(FormPage, MemberPage):
    template = "dashboard/forms/page.html"
    form_class = RoleForm
    submit = _("Save")
    right = "member_update"

    def initial(self) -> Context:
        return {"role": self.member["role"]}

    def context(self) -> Context:
        return {"title": _("Role of {email}").format(email=self.member["user"]["email"]), "back": self.url("members")}

    def send(self, form: ApiForm) -> str:
        self.api.patch(*self.path(), body=form.body())
        self.notify(_("Role changed."))
        return self.url("members")


class MemberRemove(FormPage, MemberPage):
    template = "dashboard/shared/confirm.html"
    submit = _("Remove")
    right = "member_remove"

    def context(self) -> Context:
        return {
            "title": _("Remove {email}").format(email=self.member["user"]["email"]),
            "lost": _("The person loses access to this organization, and so do their own tokens."),
            "kept": _("Their resources and account are kept."),
            "back": self.url("members"),
        }

    @cached_property
    def is_oneself(self) -> bool:
        return bool(self.member["user"] == self.me["user"])

    def own_right(self) -> str:
        """Return no operation for the member's own membership: all members may leave."""
        return "" if self.is_oneself else super().own_right()

    def send(self, form: ApiForm) -> str:
        then = reverse("organizations") if self.is_oneself else self.url("members")
        self.api.delete(*self.path())
        self.notify(_("Member removed."))
        return then


class AccountPage(FormPage, MemberPage):
    """A page for operators about the account of a member."""

    def own_right(self) -> str:
        """Return the platform's operation, not the organization's."""
        return "" if self.me["duty"] == navigation.OPERATOR else super().own_right()


class MemberSessionsEnd(AccountPage):
    template = "dashboard/shared/confirm.html"
    right = "user_sessions_end"
    submit = _("End sessions")

    def context(self) -> Context:
        return {
            "title": _("End the sessions of {email}").format(email=self.member["user"]["email"]),
            "lost": _(
                "The person has to sign in again on all devices. API tokens created in these sessions are revoked."
            ),
            "kept": _("Password and second factors are kept."),
            "back": self.url("members"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("users", self.member["user"]["id"], "sessions")
        self.notify(_("Sessions ended."))
        return self.url("members")


class MemberPasswordLink(AccountPage):
    """Create a password link. For an account in use, a second person has to confirm it."""

    template = "dashboard/forms/page.html"
    right = "password_link_create"
    submit = _("Create link")

    def context(self) -> Context:
        return {
            "title": _("Password link for {email}").format(email=self.member["user"]["email"]),
            "lead": _(
                "The link sets a password for this account, once. For an account already in use, another "
                "operator or an owner of one of their organizations has to confirm the reset first."
            ),
            "back": self.url("members"),
        }

    def send(self, form: ApiForm) -> HttpResponse:
        user = self.member["user"]["id"]
        try:
            created = self.api.post("users", user, "password-links")
        except ApiError as exc:
            if exc.code != RESET_NEEDED:
                raise
            return self.reset(user)
        self.title = _("Password link for {email}").format(email=self.member["user"]["email"])
        link = absolute_url(self.request, "password", secret=created["secret"])
        mail = password_mail(link, written(created["expires_at"]))
        return one_time_secret_page(self, _("Link"), link, back=self.url("members"), mail=mail)

    def reset(self, user: str) -> HttpResponse:
        self.api.post("users", user, "password-resets")
        self.notify(_("The reset is waiting for confirmation by a second person."))
        return redirect("password-resets")


class InvitationList(OrganizationPage):
    template = "dashboard/organization/members/invitations.html"
    title = _("Invitations")
    section = "invitations"

    def context(self) -> Context:
        page = self.get_in_organization("invitations", sort="-created_at", page_token=self.query("page_token"))
        return {"invitations": page["items"], "next_page_token": page["next_page_token"]}


class InvitationForm(RoleForm):
    email = forms.CharField(label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    lifetime_days = forms.IntegerField(
        label=_("Validity (days)"), initial=LIFETIME_DAYS, min_value=1, max_value=LIFETIME_MAX_DAYS
    )
    field_order = ("email", "role", "lifetime_days")


class InvitationCreate(FormPage, OrganizationPage):
    template = "dashboard/forms/page.html"
    title: Text = _("Invite member")
    section = "invitations"
    form_class = InvitationForm
    submit = _("Create invitation")
    right = "invitation_create"

    def context(self) -> Context:
        lead = _("You get a link to send. A pending invitation for the same address is replaced.")
        return {"lead": lead, "back": self.url("invitations")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (_("Invitations"), self.url("invitations"))]

    def send(self, form: ApiForm) -> HttpResponse:
        path = ("organizations", self.kwargs["organization"], "invitations")
        invitation = self.api.post(*path, body=form.body(), key=self.key)
        self.title = _("Invitation of {email}").format(email=invitation["email"])
        link = absolute_url(self.request, "invitation", token=invitation["token"])
        role = labels.ROLES[invitation["role"]]
        mail = invitation_mail(link, invitation["organization"]["name"], role, written(invitation["expires_at"]))
        return one_time_secret_page(self, _("Link"), link, back=self.url("invitations"), mail=mail)


class InvitationRevoke(FormPage, OrganizationPage):
    template = "dashboard/shared/confirm.html"
    title = _("Revoke invitation")
    section = "invitations"
    submit = _("Revoke")
    right = "invitation_revoke"

    def context(self) -> Context:
        return {"lost": _("The link becomes invalid."), "back": self.url("invitations")}

    def send(self, form: ApiForm) -> str:
        self.api.delete("organizations", self.kwargs["organization"], "invitations", self.kwargs["invitation"])
        self.notify(_("Invitation revoked."))
        return self.url("invitations")


def written(moment: str) -> str:
    """Format a time for a message, with its time zone."""
    return f"{date_format(localtime(datetime.fromisoformat(moment)), 'DATETIME_FORMAT')} UTC"
