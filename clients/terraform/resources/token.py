"""andromede_token, kept in the state or ephemeral."""

import secrets
from datetime import datetime, timedelta

from clients.terraform.api import Call, Document, Problem, below, soon
from clients.terraform.cloud import Cloud, explained, is_gone
from clients.terraform.resources.common import CREATED_AT, ID, PROJECT, WHERE, ProjectResource, name_attribute
from clients.terraform.runtime.provider import EphemeralResource, Private
from clients.terraform.runtime.schema import NUMBER, STRING, Attribute, Schema
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


def _lifetime(default: int) -> Attribute:
    return Attribute(
        type=NUMBER, description="Days until it ends. A change makes a new token.", default=default, replace=True
    )


class TokenResource(ProjectResource):
    name, kind, noun = "token", "tokens", "token"
    sent = ("name", "role", "lifetime_days")
    patched = ()
    list_schema = Schema({"project": WHERE})
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(is_fixed=True),
            "role": ROLE,
            "lifetime_days": _lifetime(90),
            "secret": SECRET,
            "prefix": Attribute(type=STRING, description="The visible head of the secret.", computed=True),
            "expires_at": EXPIRES_AT,
            "created_at": CREATED_AT,
        },
        "A token for the API. Its secret stands in the state: prefer the ephemeral resource of this name where one run "
        "is all that needs it. Deleting it revokes it. An imported token has no secret here.",
    )

    def values(self, document: Document, like: Values) -> Values:
        begins, ends = (datetime.fromisoformat(document[name]) for name in ("created_at", "expires_at"))
        return super().values(document, like) | {"lifetime_days": round((ends - begins) / timedelta(days=1))}

    def find(self, state: Values, deadline: float) -> Document | None:
        """There is no GET of one."""
        tokens = self.cloud.api.items(below(self.project_of(state), "tokens"))
        return next((token for token in tokens if token["id"] == state["id"]), None)

    def _imported(self, where: Values, reference: str) -> Values:
        with explained({}):
            project = self.project_of(where)
            for token in self.cloud.api.items(below(project, "tokens")):
                if reference in (token["id"], token["name"]):
                    return {"project": project, **self.values(token, {})}
            raise Problem({"title": "There is no such token", "detail": f"None of {project} is named {reference}."})


class EphemeralToken(EphemeralResource):
    name = "token"
    schema = Schema(
        {
            "project": PROJECT,
            "name": name_attribute(),
            "role": ROLE,
            "lifetime_days": _lifetime(1),
            "secret": SECRET,
            "expires_at": EXPIRES_AT,
        },
        "A token that is made for this run, is in no state, and is revoked when the run ends.",
    )

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def open(self, config: Values) -> tuple[Values, Private]:
        with explained(self.schema.attributes):
            project = config["project"] if isinstance(config["project"], str) else self.cloud.api.project()
            body = {name: config[name] for name in TokenResource.sent}
            call = Call("POST", below(project, "tokens"), soon(), body=body, key=secrets.token_hex(16))
            made = self.cloud.api.call(call).document
            result = {"project": project, "secret": made["secret"], "expires_at": made["expires_at"]}
            return result, {"path": below(project, "tokens", made["id"])}

    def close(self, private: Private) -> None:
        with explained({}):
            try:
                self.cloud.api.call(Call("DELETE", private["path"], soon()))
            except Problem as problem:
                if not is_gone(problem):
                    raise
