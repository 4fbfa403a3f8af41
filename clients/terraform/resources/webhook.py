"""andromede_webhook."""

from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.resource_rpc import IMPORTED
from clients.terraform.runtime.schema import BOOL, NUMBER, STRING, Attribute, Schema, set_of
from clients.terraform.runtime.values import UNKNOWN


class WebhookResource(ApiResource):
    name, kind, noun = "webhook", "webhooks", "webhook"
    sent = ("name", "url", "kinds", "is_enabled", "labels")
    patched = sent
    unreadable = ("secret_version",)
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "url": Attribute(
                type=STRING, description="Where events are sent: an address on the internet, with https.", required=True
            ),
            "kinds": Attribute(
                type=set_of(STRING),
                description="The kinds of events that it gets: `instance.created`, `volume.*`, or `*` for all.",
                required=True,
            ),
            "is_enabled": Attribute(
                type=BOOL,
                description="It gets events. One that fails for a day is disabled by Andromède; the next apply "
                "enables it again.",
                default=True,
            ),
            "labels": LABELS,
            "secret_version": Attribute(
                type=NUMBER,
                description="Raise it to get another secret; the one before signs too for `overlap_hours`.",
                optional=True,
            ),
            "overlap_hours": Attribute(
                type=NUMBER, description="For so long two secrets sign. Only read at a rotation.", default=24
            ),
            "secret": Attribute(
                type=STRING,
                description="The secret for verifying signatures, in the form of Standard Webhooks.",
                computed=True,
                sensitive=True,
            ),
            "previous_secret_ends_at": Attribute(
                type=STRING, description="Until then two secrets sign (RFC 3339).", computed=True
            ),
            "created_at": CREATED_AT,
        },
        "An address that is told of what happens in a project. Its secret stands in the state. An imported webhook has "
        "none here, until `secret_version` is raised.",
    )

    def refine(self, plan: Plan) -> None:
        if _rotates(plan):
            plan.planned["secret"] = plan.planned["previous_secret_ends_at"] = UNKNOWN

    def change(self, work: Work) -> bool:
        if not work.changed("secret_version"):
            return False
        answer = self.act(work, "actions", "rotate-secret", body={"overlap_hours": work.planned["overlap_hours"]})
        work.save(self.values(answer, work.planned) | {"secret_version": work.planned["secret_version"]})
        return False


def _rotates(plan: Plan) -> bool:
    is_imported = plan.prior is not None and plan.private.get(IMPORTED) and plan.prior["secret_version"] is None
    return "secret_version" in plan.differing() and not is_imported
