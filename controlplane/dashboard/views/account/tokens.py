"""API tokens of users, projects and service accounts, on the same pages."""

from typing import Any, cast

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Context, FormPage, Page, ProjectPage, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.account.profile import AccountPage
from controlplane.dashboard.views.one_time_secret import one_time_secret_page

ROLES = ("viewer", "member", "admin", "owner", "billing", "sovereignty_officer")
VERBS = (
    ("read", _("read: list and view")),
    ("create", _("create: create resources")),
    ("update", _("update: edit resources")),
    ("delete", _("delete: delete resources")),
    ("act", _("act: run actions, such as start or grow")),
    ("rule", _("rule: manage policies")),
    ("operate", _("operate: operate the platform")),
)
FOLLOWS_OWNER = _("No own role: the token also gains roles that its owner receives later.")
LIFETIME_DAYS, LIFETIME_MAX_DAYS = 90, 366


class TokenForm(ApiForm):
    name = forms.CharField(
        label=_("Name"),
        help_text=_("Lowercase letters, digits and hyphens."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(label=_("Role"), help_text=_("Maximum permissions of the token."), required=False)
    lifetime_days = forms.IntegerField(
        label=_("Validity (days)"), initial=LIFETIME_DAYS, min_value=1, max_value=LIFETIME_MAX_DAYS
    )
    verbs = forms.MultipleChoiceField(
        label=_("Restrict to actions"),
        help_text=_("None selected: all actions of the role."),
        choices=VERBS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    kinds = forms.CharField(
        label=_("Restrict to resource types"),
        help_text=_("Comma-separated API names, such as instances, volumes. Leave empty for all types."),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, is_own: bool, **kwargs: Any) -> None:
        """Initialize the form. `is_own`: a token without a role has its owner's permissions."""
        super().__init__(*args, **kwargs)
        any_role = [("", _("role of the owner"))] if is_own else []
        roles = cast(forms.ChoiceField, self.fields["role"])
        roles.choices = any_role + [(role, labels.ROLES[role]) for role in ROLES]
        if not is_own:
            self.fields["role"].initial = "member"
        else:
            self.fields["role"].help_text = _(
                "Maximum permissions. Without a role, the token also gains roles that its owner receives later."
            )

    def body(self) -> Context:
        body = super().body()
        if "kinds" in body:
            body["kinds"] = [kind.strip() for kind in body["kinds"].split(",") if kind.strip()]
        return body


class TokenPages(Page):
    """Token pages. `noun`: the URL name of the list, and the prefix of those that create and revoke."""

    noun = "tokens"
    title = _("API tokens")
    is_own = False

    def path(self) -> tuple[str, ...]:
        """Return the path of the collection in the API."""
        raise NotImplementedError

    def at(self, page: str) -> str:
        """Return the URL of the list ("") or of another of its pages."""
        path = {name: value for name, value in self.kwargs.items() if name != "token"}
        return reverse(f"{self.noun}{page}", kwargs=path)


class TokenList(TokenPages):
    template = "dashboard/account/tokens.html"

    def context(self) -> Context:
        page = self.api.get(*self.path(), sort="name", page_token=self.query("page_token"))
        tokens = [token | {"revoke": self.where_to_revoke(token)} for token in page["items"]]
        return {"tokens": tokens, "next_page_token": page["next_page_token"], "create": self.where_to_create()}

    def where_to_create(self) -> str:
        return self.at("-new")

    def where_to_revoke(self, token: Context) -> str:
        return reverse(f"{self.noun}-revoke", kwargs={**self.kwargs, "token": token["id"]})


class TokenCreate(FormPage, TokenPages):
    template = "dashboard/forms/page.html"
    title = _("New API token")
    form_class = TokenForm
    submit = _("Create")

    def choices(self) -> Context:
        return {"is_own": self.is_own}

    def context(self) -> Context:
        lead = _("A program sends the token as a bearer token. Grant only the permissions that it needs.")
        return {"lead": lead, "back": self.at("")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("API tokens"), self.at(""))]

    def send(self, form: ApiForm) -> HttpResponse:
        token = self.api.post(*self.path(), body=form.body(), key=self.key)
        self.title = token["name"]
        lead = _("Send it as “Authorization: Bearer …”. The command line takes it from ANDROMEDE_TOKEN.")
        if token["follows_owner"]:
            lead = format_lazy("{} {}", lead, FOLLOWS_OWNER)
        return one_time_secret_page(self, _("Token"), token["secret"], back=self.at(""), lead=lead)


class TokenRevoke(FormPage, TokenPages):
    template = "dashboard/shared/confirm.html"
    title = _("Revoke API token")
    submit = _("Revoke")

    def context(self) -> Context:
        lost = _("Programs that use this token lose access. This cannot be undone.")
        return {"lost": lost, "kept": _("Resources that it created are kept."), "back": self.at("")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("API tokens"), self.at(""))]

    def send(self, form: ApiForm) -> str:
        self.api.delete(*self.path(), self.kwargs["token"])
        self.notify(_("Token revoked."))
        return self.at("")


class OwnTokenPages(TokenPages):
    noun = "tokens"
    is_own = True

    def path(self) -> tuple[str, ...]:
        return ("tokens",)


class OwnTokens(TokenList, OwnTokenPages, AccountPage):
    tab = "tokens"


class OwnTokenCreate(TokenCreate, OwnTokenPages, AccountPage):
    pass


class OwnTokenRevoke(TokenRevoke, OwnTokenPages, AccountPage):
    pass


class ProjectTokenPages(TokenPages):
    noun = "project-tokens"
    section = "project-tokens"

    def path(self) -> tuple[str, ...]:
        return ("projects", self.kwargs["project"], "tokens")


class ProjectTokens(TokenList, ProjectTokenPages, ProjectPage):
    pass


class ProjectTokenCreate(TokenCreate, ProjectTokenPages, ProjectPage):
    right = "token_create"


class ProjectTokenRevoke(TokenRevoke, ProjectTokenPages, ProjectPage):
    right = "token_revoke"
