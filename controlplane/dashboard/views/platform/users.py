"""Users for operators: accounts, suspension, platform roles and platform tokens."""

from functools import cached_property

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels, navigation
from controlplane.dashboard.base_views import Action, Context, FormPage, Page, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.account.tokens import TokenList, TokenPages, TokenRevoke

PLATFORM_ROLES = (
    *((role, labels.ROLES[role]) for role in (navigation.OPERATOR, navigation.SUPPORT, navigation.AUDITOR)),
    ("none", _("none")),
)
STATES = ("active", "suspended", "ended")


class UserList(Page):
    template = "dashboard/platform/users/list.html"
    title = _("Users")
    section = "users"

    def context(self) -> Context:
        filters = {name: self.query(name) for name in ("email", "duty", "state")}
        page = self.api.get("users", **filters, sort="email", page_token=self.query("page_token"))
        return {
            "users": page["items"],
            "next_page_token": page["next_page_token"],
            "platform_roles": PLATFORM_ROLES,
            "states": [(state, labels.state_badge(state, "user").words) for state in STATES],
            "is_filtered": any(filters.values()),
        }


class User(Page):
    template = "dashboard/platform/users/detail.html"
    section = "users"

    @cached_property
    def user(self) -> Context:
        user: Context = self.api.get("users", self.kwargs["user"])
        return user

    def url(self) -> str:
        return reverse("user", kwargs={"user": self.kwargs["user"]})

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Users"), reverse("users"))]

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": self.user["email"]}

    def context(self) -> Context:
        allowed = {each["name"].replace("-", "_"): each for each in self.user["allowed_actions"]}
        return {
            "user": self.user,
            "allowed": allowed,
            "may_operate": self.me["duty"] == navigation.OPERATOR,
            "is_oneself": self.user["id"] == self.me["user"]["id"],
        }


class SuspendForm(ApiForm):
    reason = forms.CharField(label=_("Reason"), help_text=_("Recorded in the platform audit log."), required=False)
    revoke_tokens = forms.BooleanField(
        label=_("Also revoke API tokens created in these sessions"),
        help_text=_("Such as tokens of service accounts, which otherwise stay valid."),
        required=False,
    )


class AccountRestriction(FormPage, User):
    """Confirm a restriction of an account: `question` contains `{email}`; `lost` and `kept` list the effects."""

    template = "dashboard/shared/confirm.html"
    question: Text = ""
    lost: Text = ""
    kept: Text = ""

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": str(self.question).format(email=self.user["email"])}

    def context(self) -> Context:
        return {"lost": self.lost, "kept": self.kept, "back": self.url()}


class UserSuspend(AccountRestriction):
    form_class = SuspendForm
    question = _("Suspend {email}")
    lost = _("The person cannot sign in: their sessions end, and their tokens stop working.")
    kept = _("Memberships, tokens and platform role are kept. You can reinstate the account.")
    submit = _("Suspend")
    right = "user_suspend"

    def send(self, form: ApiForm) -> str:
        self.api.post("users", self.kwargs["user"], "actions", "suspend", body=form.body())
        self.notify(_("Account suspended."))
        return self.url()


class UserReinstate(Action):
    done = _("Account reinstated.")

    def perform(self) -> None:
        self.api.post("users", self.kwargs["user"], "actions", "reinstate")

    def back(self) -> str:
        return reverse("user", kwargs=self.kwargs)


class UserEnd(AccountRestriction):
    question = _("End account of {email}")
    lost = _(
        "Memberships, platform role, sessions, invitations and API tokens end, including tokens that the"
        " person created for service accounts. An organization with no other owner is left without one."
    )
    kept = _("Their resources are kept, and the audit log still names the person.")
    submit = _("End account")
    right = "user_end"

    def send(self, form: ApiForm) -> str:
        self.api.delete("users", self.kwargs["user"])
        self.notify(_("Account ended."))
        return self.url()


class UserDutyRemove(AccountRestriction):
    question = _("Remove platform role of {email}")
    lost = _("The person loses the platform role, and their platform tokens are revoked.")
    kept = _("Memberships are kept. Only manage.py can grant a platform role again.")
    submit = _("Remove role")
    right = "user_duty_remove"

    def send(self, form: ApiForm) -> str:
        is_own = self.user["id"] == self.me["user"]["id"]
        self.api.delete(*(("me", "duty") if is_own else ("users", self.kwargs["user"], "duty")))
        self.notify(_("Platform role removed."))
        return reverse("home") if is_own else self.url()


class PlatformTokenPages(TokenPages):
    noun = "platform-tokens"
    section = "users"
    title = _("Tokens for the platform")

    def path(self) -> tuple[str, ...]:
        return ("platform", "tokens")

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Users"), reverse("users"))]


class PlatformTokens(PlatformTokenPages, TokenList):
    def where_to_create(self) -> str:
        """Return the URL of the user's own tokens: users create their own."""
        return ""


class PlatformTokenRevoke(PlatformTokenPages, TokenRevoke):
    right = "platform_token_revoke"
