"""andromede_token, kept in the state or ephemeral."""

from datetime import datetime, timedelta

from andromede_sdk.errors import ApiError
from clients.terraform.cloud import Cloud, Document, OperationUnsuccessful, is_gone, project_path, translated_errors
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, PROJECT, WHERE, name_attribute
from clients.terraform.runtime.provider import EphemeralResource, Private
from clients.terraform.runtime.schema import NUMBER, STRING, Attribute, Schema, set_of
from clients.terraform.runtime.values import Values

ROLE = Attribute(
    type=STRING,
    description="What it may do: `owner`, `admin`, `member`, `viewer` or `sovereignty_officer`, and no more than the "
    "one who makes it. A change makes a new token.",
    default="member",
    replace=True,
)
SECRET = Attribute(type=STRING, description="The token itself.", computed=True, sensitive=True)
EXPIRES_AT = Attribute(type=STRING, description="When it ends (RFC 3339).", computed=True)


PREFIX = Attribute(type=STRING, description="The visible head of the secret.", computed=True)
VERBS = Attribute(
    type=set_of(STRING),
    description="Only these: `read`, `create`, `update`, `delete`, `act` … A change makes a new token.",
    optional=True,
    replace=True,
)
KINDS = Attribute(
    type=set_of(STRING),
    description="Only these kinds of resources, such as `instances`. A change makes a new token.",
    optional=True,
    replace=True,
)


def lifetime_attribute(default: int) -> Attribute:
    return Attribute(
        type=NUMBER, description="Days until it ends. A change makes a new token.", default=default, replace=True
    )


class TokenResource(ApiResource):
    name, kind, noun = "token", "tokens", "token"
    sent = ("name", "role", "lifetime_days", "verbs", "kinds")
    patched = ()
    list_schema = Schema({"project": WHERE})
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(is_fixed=True),
            "role": ROLE,
            "lifetime_days": lifetime_attribute(90),
            "verbs": VERBS,
            "kinds": KINDS,
            "secret": SECRET,
            "prefix": PREFIX,
            "expires_at": EXPIRES_AT,
            "created_at": CREATED_AT,
        },
        "A token for the API. Its secret stands in the state: prefer the ephemeral resource of this name where one run "
        "is all that needs it. Deleting it revokes it. An imported token has no secret here.",
    )

    def values(self, document: Document, like: Values) -> Values:
        """Return the state. A token never outlives the token that made it: then it has fewer days than requested."""
        begins, ends = (datetime.fromisoformat(document[name]) for name in ("created_at", "expires_at"))
        days = like.get("lifetime_days") or round((ends - begins) / timedelta(days=1))
        return super().values(document, like) | {"lifetime_days": days}

    def find(self, state: Values, deadline: float) -> Document | None:
        """Find the token in the list: the API has no GET of one."""
        tokens = self.cloud.api.items(self.collection(state))
        return next((token for token in tokens if token["id"] == state["id"]), None)

    def sought(self, where: Values, reference: str) -> Document:
        for token in self.cloud.api.items(self.collection(where)):
            if reference in (token["id"], token["name"]):
                return token
        raise OperationUnsuccessful(
            {"title": "There is no such token", "detail": f"None of the {self.parent} is named {reference}."}
        )


class EphemeralToken(EphemeralResource):
    name = "token"
    schema = Schema(
        {
            "project": PROJECT,
            "name": name_attribute(),
            "role": ROLE,
            "lifetime_days": lifetime_attribute(1),
            "verbs": VERBS,
            "kinds": KINDS,
            "secret": SECRET,
            "expires_at": EXPIRES_AT,
        },
        "A token that is made for this run, is in no state, and is revoked when the run ends.",
    )

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def open(self, config: Values) -> tuple[Values, Private]:
        with translated_errors(self.schema.attributes):
            project = config["project"] if isinstance(config["project"], str) else self.cloud.api.project()
            body = {name: config[name] for name in TokenResource.sent if config[name] is not None}
            token = self.cloud.api.post(project_path(project, "tokens"), body)
            result = {"project": project, "secret": token["secret"], "expires_at": token["expires_at"]}
            return result, {"path": project_path(project, "tokens", token["id"])}

    def close(self, private: Private) -> None:
        with translated_errors({}):
            try:
                self.cloud.api.delete(private["path"])
            except ApiError as problem:
                if not is_gone(problem):
                    raise
