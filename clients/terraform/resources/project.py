"""andromede_project, and andromede_quota: its limits."""

from collections.abc import Iterator

from andromede_sdk.errors import ApiError
from clients.terraform.cloud import Document, OperationUnsuccessful, quoted, translated_errors
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import (
    CREATED_AT,
    ID,
    IN_ORGANIZATION,
    LABELS,
    ORGANIZATION,
    PROJECT,
    SELECTOR,
    name_attribute,
    of_organization,
    organization_of,
)
from clients.terraform.resources.project_setting import ProjectSetting
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.schema import NUMBER, Attribute, Schema, map_of
from clients.terraform.runtime.values import Values


class ProjectResource(ApiResource):
    name, kind, noun, parent = "project", "projects", "project", "organization"
    sent = ("name", "labels")
    identity = IN_ORGANIZATION
    list_schema = Schema({"organization": of_organization("Only those of this organization."), "labels": SELECTOR})
    schema = Schema(
        {
            "id": ID,
            "organization": ORGANIZATION,
            "name": name_attribute(within="organization"),
            "labels": LABELS,
            "created_at": CREATED_AT,
        },
        "A project of an organization. It takes a token for the whole organization. Resources go into it by naming it "
        "in their `project`. It can be deleted once it is empty.",
    )

    def default_parent(self) -> str:
        return self.cloud.api.organization()

    def path(self, values: Values, *more: str) -> str:
        return quoted("projects", values["id"], *more)

    def is_gone(self, problem: ApiError) -> bool:
        return problem.status == 404

    def values(self, document: Document, like: Values) -> Values:
        return super().values(document, like) | {"organization": organization_of(like, document)}

    def sought(self, where: Values, reference: str) -> Document:
        """Find a project: names are unique in an organization, whose name tells equal names apart."""
        if where["organization"] is None:
            return self.cloud.api.get(self.path({"id": reference}))
        for project in self.every(where):
            if reference in (project["id"], project["name"]):
                return project
        raise OperationUnsuccessful(
            {"title": "There is no such project", "detail": f"{where['organization']} has no {reference}."}
        )

    def every(self, config: Values) -> Iterator[Document]:
        query = {"labels": config["labels"]} if config.get("labels") else {}
        for project in self.cloud.api.items("projects", **query):
            if config["organization"] in (None, project["organization"]["id"], project["organization"]["name"]):
                yield project


class QuotaResource(ProjectSetting):
    name, kind, noun, setting = "quota", "quotas", "limits of its own", "limits"
    schema = Schema(
        {
            "project": PROJECT,
            "limits": Attribute(
                type=map_of(NUMBER),
                description="Limits by what they limit: `instances`, `vcpus`, `memory_mib`, `volumes`, `storage_gib`, "
                "`networks`, `ports`, `addresses`, `security_groups`, `address_sets`, `images`, `image_gib`, "
                "`state_mib`, `webhooks`. What is not named has the default. None can be above the organization's own.",
                required=True,
                checks=(lambda limits: None if limits else "Name at least one limit.",),
            ),
            "version": Attribute(type=NUMBER, description="Counts its changes.", computed=True, volatile=True),
        },
        "How much a project may use. Owners and admins of the organization may set it. Deleting it brings the defaults "
        "back. All limits are replaced at once, and only if they are still those that were read.",
    )

    def plan(self, plan: Plan) -> None:
        with translated_errors(self.schema.attributes):
            self.plan_parent(plan)

    def body(self, values: Values) -> Document:
        return {"limits": values["limits"]}

    def values(self, document: Document, like: Values) -> Values:
        return {"limits": document["limits"], "version": document["version"]}

    def delete(self, work: Work) -> None:
        with translated_errors(self.schema.attributes):
            try:
                self.cloud.api.put(self.path(work.state), {"limits": {}}, version="*", deadline=work.deadline)
            except ApiError as problem:
                if problem.status != 404:
                    raise
