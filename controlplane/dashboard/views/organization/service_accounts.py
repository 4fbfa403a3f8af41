"""Service accounts, their role grants and tokens."""

from functools import cached_property
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiRequest, ApiResponse
from controlplane.dashboard.base_views import Action, Context, FormPage, Text
from controlplane.dashboard.forms import ApiForm, id_choices
from controlplane.dashboard.views.account.tokens import TokenCreate, TokenList, TokenRevoke
from controlplane.dashboard.views.organization.organizations import OrganizationPage

ROLES = [(role, labels.ROLES[role]) for role in ("viewer", "member", "admin")]


class AccountForm(ApiForm):
    name = forms.CharField(
        label=_("Name"),
        help_text=_("Lowercase letters, digits and hyphens."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(label=_("Role"), choices=ROLES, initial="member")
    projects = forms.MultipleChoiceField(
        label=_("Projects"),
        help_text=_("None selected: all projects of the organization."),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, projects: list[Context], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.MultipleChoiceField, self.fields["projects"]).choices = id_choices(projects)

    def body(self) -> Context:
        data = self.cleaned_data
        scopes: list[Context] = [{"project": project} for project in data["projects"]] or [{}]
        return {"name": data["name"], "grants": [scope | {"role": data["role"]} for scope in scopes]}


def projects_of(page: OrganizationPage) -> list[Context]:
    projects: list[Context] = page.api.get("projects", organization=page.organization["name"], sort="name", limit=200)[
        "items"
    ]
    return projects


class ServiceAccountList(OrganizationPage):
    template = "dashboard/organization/service_accounts.html"
    title = _("Service accounts")
    section = "service-accounts"

    def context(self) -> Context:
        page = self.get_in_organization("service-accounts", sort="name", page_token=self.query("page_token"))
        return {"accounts": page["items"], "next_page_token": page["next_page_token"]}


class ServiceAccountCreate(FormPage, OrganizationPage):
    template = "dashboard/forms/page.html"
    title = _("New service account")
    section = "service-accounts"
    form_class = AccountForm
    submit = _("Create")
    right = "service_account_create"

    def choices(self) -> Context:
        return {"projects": projects_of(self)}

    def context(self) -> Context:
        lead = _("A service account stays valid when members leave the organization. It authenticates with its tokens.")
        return {"lead": lead, "back": self.url("service-accounts")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (_("Service accounts"), self.url("service-accounts"))]

    def send(self, form: ApiForm) -> str:
        path = ("organizations", self.kwargs["organization"], "service-accounts")
        account = self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Service account created. Create a token for it."))
        return self.url("service-account", account=account["id"])


class ServiceAccountPage(OrganizationPage):
    section = "service-accounts"

    @cached_property
    def account(self) -> Context:
        account: Context = self.get_in_organization("service-accounts", self.kwargs["account"])
        return account

    def account_path(self) -> tuple[str, ...]:
        return ("organizations", self.kwargs["organization"], "service-accounts", self.kwargs["account"])

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (_("Service accounts"), self.url("service-accounts"))]


class ServiceAccountTokens(TokenList, ServiceAccountPage):
    """A service account and its tokens. The API revokes them below the organization."""

    noun = "service-account"
    template = "dashboard/organization/service_account.html"

    def path(self) -> tuple[str, ...]:
        return (*self.account_path(), "tokens")

    def context(self) -> Context:
        return super().context() | {"account": self.account, "title": self.account["name"]}

    def where_to_revoke(self, token: Context) -> str:
        return self.url("organization-tokens-revoke", token=token["id"])

    def crumbs(self) -> list[tuple[Text, str]]:
        return ServiceAccountPage.crumbs(self)


class ServiceAccountTokenCreate(TokenCreate, ServiceAccountPage):
    noun = "service-account"
    right = "service_account_token_create"

    def path(self) -> tuple[str, ...]:
        return (*self.account_path(), "tokens")

    def crumbs(self) -> list[tuple[Text, str]]:
        here = (self.account["name"], self.at(""))
        return [*ServiceAccountPage.crumbs(self), here]


class GrantForm(ApiForm):
    role = forms.ChoiceField(label=_("Role"), choices=ROLES, initial="member")
    project = forms.ChoiceField(
        label=_("Project"), help_text=_("An existing role in the same project is replaced."), required=False
    )

    def __init__(self, *args: Any, projects: list[Context], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        everywhere = ("", _("all projects"))
        cast(forms.ChoiceField, self.fields["project"]).choices = [everywhere, *id_choices(projects)]


class RightsPage(ServiceAccountPage):
    """Change the account's grants. The API replaces all grants at once, if their ETag still matches."""

    @cached_property
    def answer(self) -> ApiResponse:
        return self.api.send("GET", self.account_path(), ApiRequest())

    def replace(self, project: str, *new: Context) -> None:
        """Replace the grant in the project, or without one the grant for all projects."""
        kept_grants = [
            _grant(each["role"], (each["project"] or {}).get("id", "")) for each in self.answer.data["grants"]
        ]
        grants = [*(each for each in kept_grants if each.get("project", "") != project), *new]
        self.api.send("PATCH", self.account_path(), ApiRequest({"grants": grants}, version=self.answer.etag))

    def here(self) -> str:
        return self.url("service-account", account=self.kwargs["account"])


class ServiceAccountGrant(FormPage, RightsPage):
    template = "dashboard/forms/page.html"
    title = _("Grant role")
    form_class = GrantForm
    submit = _("Grant role")
    right = "service_account_update"

    def choices(self) -> Context:
        return {"projects": projects_of(self)}

    def context(self) -> Context:
        return {"lead": _("Its tokens gain this role, within their own restrictions."), "back": self.here()}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.answer.data["name"], self.here())]

    def send(self, form: ApiForm) -> str:
        project = form.cleaned_data["project"]
        self.replace(project, _grant(form.cleaned_data["role"], project))
        self.notify(_("Role granted."))
        return self.here()


class ServiceAccountWithdraw(Action, RightsPage):
    """Withdraw a grant. `project`: the grant's project; empty: the grant for all projects."""

    done = _("Role withdrawn.")
    right = "service_account_update"

    def perform(self) -> None:
        self.replace(self.request.POST.get("project", ""))

    def back(self) -> str:
        return self.here()


def _grant(role: str, project: str) -> Context:
    """Return a grant in the API's form."""
    return {"role": role, "project": project} if project else {"role": role}


class ServiceAccountSwitch(Action, ServiceAccountPage):
    """Enable or disable the account; the tokens of a disabled account are refused."""

    right = "service_account_update"

    def perform(self) -> None:
        self.api.patch(*self.account_path(), body={"is_disabled": not self.account["is_disabled"]})

    def back(self) -> str:
        return self.url("service-account", account=self.kwargs["account"])


class ServiceAccountDelete(FormPage, ServiceAccountPage):
    template = "dashboard/shared/confirm.html"
    submit = _("Delete")
    right = "service_account_delete"

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.account["name"]),
            "lost": _("Its tokens stop working."),
            "kept": _("Resources that it created are kept."),
            "back": self.url("service-account", account=self.kwargs["account"]),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete(*self.account_path())
        self.notify(_("Service account deleted."))
        return self.url("service-accounts")


class OrganizationTokenPages(OrganizationPage):
    """Valid tokens of the organization, including those of former members."""

    noun = "organization-tokens"
    section = "organization-tokens"

    def path(self) -> tuple[str, ...]:
        return ("organizations", self.kwargs["organization"], "tokens")


class OrganizationTokens(OrganizationTokenPages, TokenList):
    def where_to_create(self) -> str:
        """Return no URL: tokens are created on the pages of their owners."""
        return ""


class OrganizationTokenRevoke(OrganizationTokenPages, TokenRevoke):
    right = "organization_token_revoke"
