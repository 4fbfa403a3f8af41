"""andromede_service_account, and andromede_service_account_token."""

from clients.terraform.cloud import Document, quoted
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import (
    CREATED_AT,
    ID,
    IN_ORGANIZATION,
    ORGANIZATION,
    name_attribute,
    of_organization,
    organization_of,
    refer,
)
from clients.terraform.resources.token import (
    EXPIRES_AT,
    KINDS,
    PREFIX,
    SECRET,
    VERBS,
    TokenResource,
    lifetime_attribute,
)
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.schema import BOOL, STRING, Attribute, IdentityAttribute, Nested, Schema
from clients.terraform.runtime.values import Value, Values

GRANT = {
    "project": Attribute(
        type=STRING,
        description="The id or name of the project; everywhere in the organization when not given.",
        optional=True,
    ),
    "role": Attribute(type=STRING, description="`admin`, `member`, `viewer` or `billing`.", required=True),
}


class ServiceAccountResource(ApiResource):
    name, kind, noun, parent = "service_account", "service-accounts", "service account", "organization"
    sent = ("name", "grants")
    patched = ("name", "grants", "is_disabled")
    identity = IN_ORGANIZATION
    list_schema = Schema({"organization": of_organization("Those of this organization; the token's when not given.")})
    schema = Schema(
        {
            "id": ID,
            "organization": ORGANIZATION,
            "name": name_attribute(within="organization"),
            "grants": Attribute(
                type=Nested("set", GRANT),
                description="Role grants: a role in each of some projects, or one role in all projects.",
                optional=True,
            ),
            "is_disabled": Attribute(type=BOOL, description="Its tokens are dead as long as it is.", default=False),
            "created_at": CREATED_AT,
        },
        "A program that uses the API. It signs in with tokens: `andromede_service_account_token`. It takes a token for "
        "the whole organization. Deleting it ends its tokens.",
    )

    def default_parent(self) -> str:
        return self.cloud.api.organization()

    def word(self, name: str, value: Value) -> Value:
        if name != "grants":
            return value
        return [{key: word for key, word in grant.items() if word is not None} for grant in value or []]

    def finish(self, answer: Document, work: Work) -> bool:
        """Disable the account after its creation if requested: the create has no field for it."""
        if work.planned["is_disabled"]:
            self.cloud.api.patch(self.path(work.state), {"is_disabled": True}, deadline=work.deadline)
        return bool(work.planned["is_disabled"])

    def values(self, document: Document, like: Values) -> Values:
        prior_grants = like.get("grants") if isinstance(like.get("grants"), list) else []
        named = {grant["project"] for grant in prior_grants or [] if isinstance(grant["project"], str)}
        grants = [{"project": _called(grant["project"], named), "role": grant["role"]} for grant in document["grants"]]
        return super().values(document, like) | {
            "organization": organization_of(like, document),
            "grants": grants if grants or prior_grants == like.get("grants") else None,
        }


def _called(project: Document | None, named: set[str]) -> str | None:
    """Return the name that the configuration uses."""
    if project is None:
        return None
    return next((word for word in (project["name"], project["id"]) if word in named), str(project["id"]))


class ServiceAccountTokenResource(TokenResource):
    name, noun, parent = "service_account_token", "token", "organization"
    is_listed = False
    identity = {
        "id": IdentityAttribute("The id."),
        "service_account": IdentityAttribute("The id of the service account."),
        "organization": IdentityAttribute("The organization; the token's when not given.", is_required=False),
    }
    schema = Schema(
        {
            "id": ID,
            "organization": ORGANIZATION,
            "service_account": Attribute(
                type=STRING,
                description="The id or name of the service account. A change makes a new token.",
                required=True,
                replace=True,
            ),
            "name": name_attribute(within="service account", is_fixed=True),
            "role": Attribute(
                type=STRING,
                description="No more than this anywhere; all that the account may when not given. A change makes a new "
                "token.",
                optional=True,
                replace=True,
            ),
            "lifetime_days": lifetime_attribute(90),
            "verbs": VERBS,
            "kinds": KINDS,
            "secret": SECRET,
            "prefix": PREFIX,
            "expires_at": EXPIRES_AT,
            "created_at": CREATED_AT,
        },
        "A token of a service account. Its secret stands in the state. Deleting it revokes it. An imported token has "
        "no secret here.",
    )

    def default_parent(self) -> str:
        return self.cloud.api.organization()

    def collection(self, values: Values) -> str:
        account = values["service_account"]
        return quoted("organizations", self.parent_of(values), "service-accounts", account, "tokens")

    def path(self, values: Values, *more: str) -> str:
        return quoted("organizations", self.parent_of(values), "tokens", values["id"], *more)

    def refine(self, plan: Plan) -> None:
        if plan.prior is not None:
            accounts = quoted("organizations", self.parent_of(plan.prior), "service-accounts")
            self.keep_same(plan, "service_account", accounts)

    def values(self, document: Document, like: Values) -> Values:
        account = refer(like.get("service_account"), document["service_account"])
        return super().values(document, like) | {"service_account": account}

    def import_by_id(self, text: str) -> Values:
        """Import `account/token`, after the organization if the token sees several."""
        *organization, account, reference = text.split("/") if "/" in text else ("", text)
        if len(organization) > 1 or not account:
            raise Failure("This names no token", "Write ACCOUNT/TOKEN or ORGANIZATION/ACCOUNT/TOKEN.")
        where = {"organization": organization[0] if organization else None, "service_account": account}
        return self._imported(where, reference)

    def import_by_identity(self, identity: Values) -> Values:
        return self._imported(dict(identity), identity["id"])
