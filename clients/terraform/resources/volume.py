"""andromede_volume and andromede_volume_attachment; andromede_volume_snapshot is in volume_snapshot.py."""

import json

from andromede_sdk.errors import ApiError
from clients.terraform.cloud import Document, project_path, translated_errors
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import (
    CLASSIFICATIONS,
    CREATED_AT,
    ID,
    LABELS,
    POLICY_CLAUSES,
    PROJECT,
    ZONES,
    name_attribute,
    refer,
    zones_of,
)
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.durations import Timeouts
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.schema import BOOL, NUMBER, STRING, Attribute, IdentityAttribute, Schema
from clients.terraform.runtime.values import UNKNOWN, Values, is_known

CONFLICT = 409


class VolumeResource(ApiResource):
    name, kind, noun = "volume", "volumes", "volume"
    sent = (
        "name",
        "size_gib",
        "volume_type",
        "image",
        "snapshot",
        "zones",
        "near_instance",
        "classifications",
        "labels",
    )
    unreadable = ("near_instance", "classifications", "policy_atoms")
    timeouts = Timeouts(create=1800, update=1800, delete=1800)
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "size_gib": Attribute(
                type=NUMBER,
                description="Its size in GiB. It grows in place, and never shrinks.",
                required=True,
                checks=(lambda size: None if size >= 1 and size == int(size) else "It is a whole number above 0.",),
            ),
            "volume_type": Attribute(
                type=STRING,
                description="The volume type. It changes in place, also to a type of another pool, to which the data "
                "is then moved: the volume has no snapshots, and is detached or its instance is off meanwhile.",
                default="local",
            ),
            "image": Attribute(
                type=STRING,
                description="The id or name of the image that it begins with. A change makes a new volume.",
                optional=True,
                replace=True,
            ),
            "snapshot": Attribute(
                type=STRING,
                description="The id or name of the snapshot whose content it begins with, in place of an image. It has "
                "at least the snapshot's size, and a type in the same storage cluster. A change makes a new volume.",
                optional=True,
                replace=True,
            ),
            "zones": ZONES,
            "near_instance": Attribute(
                type=STRING,
                description="The id or name of an instance: the volume is made on its node, so that it can be attached "
                "there. Only read when the volume is made.",
                optional=True,
                computed=True,
            ),
            "classifications": CLASSIFICATIONS,
            "policy_atoms": POLICY_CLAUSES,
            "labels": LABELS,
            "zone": Attribute(
                type=STRING,
                description="The zone that it is in. Null: its type binds at first use, and it gets its place when it "
                "is first attached.",
                computed=True,
            ),
            "created_at": CREATED_AT,
        },
        "A disk that outlives instances. A volume of the type `local` lies on one node, and can be attached "
        "to instances of that node: make it with `near_instance`, or name it in the `volumes` of an instance. One "
        "whose type binds at first use needs no `near_instance`: it gets its place with its first instance, which has "
        "it in `volumes` or as `boot_volume`, or with an `andromede_volume_attachment`.",
    )

    def refine(self, plan: Plan) -> None:
        if plan.prior is None:
            return
        project = self.parent_of(plan.prior)
        self.keep_same(plan, "image", project_path(project, "images"))
        self.keep_same(plan, "snapshot", project_path(project, "snapshots"))
        self.keep_same(plan, "near_instance", project_path(project, "instances"))
        self.keep_in_zone(plan)
        if plan.prior["zone"] is None and plan.differing():
            plan.planned["zone"] = UNKNOWN  # it may be attached for the first time before the change
        if not is_known(plan.planned["size_gib"]):
            return
        was, to = plan.prior["size_gib"], plan.planned["size_gib"]
        if to < was:
            plan.report.error(
                "A volume cannot shrink",
                f"It has {was} GiB; the configuration says {to}. Make a smaller one beside it, and copy the data.",
                path=("size_gib",),
            )

    def body(self, work: Work) -> Document:
        clauses = work.planned["policy_atoms"]
        return super().body(work) | ({"policy_atoms": json.loads(clauses)} if clauses else {})

    def values(self, document: Document, like: Values) -> Values:
        values = super().values(document, like)
        del values["classifications"]  # they include inherited ones, which were not requested
        references = {"image": refer(like.get("image"), document["image"]), "snapshot": _source(like, document)}
        return values | references | {"zones": zones_of(like, document)}

    def _imported(self, where: Values, reference: str) -> Values:
        """Return the state of an imported volume: an attached volume counts as requested near its instance."""
        values = super()._imported(where, reference)
        with translated_errors({}):
            holder = self.cloud.api.get(self.path(values))["instance"]
        return values | {"near_instance": holder["id"] if holder else None}

    def _delete(self, work: Work) -> None:
        """Detach the volume and delete it. Terraform replaces a volume before it updates the instance that names the
        volume in `volumes`, so nothing else detaches it."""
        try:
            super()._delete(work)
        except ApiError as problem:
            if problem.code != "storage.volume.in_use":
                raise
            self._detach(work)
            super()._delete(work)

    def _detach(self, work: Work) -> None:
        """Detach the volume from the instances that it is attached to. An instance that is gone, or that the API does
        not let change now (409: it may be on its way out), is left alone: delete() tries again for a while."""
        project = self.parent_of(work.state)
        for holder in self.cloud.api.get(self.path(work.state), deadline=work.deadline)["instances"]:
            attachment = project_path(project, "instances", holder["id"], "attachments", work.state["id"])
            try:
                self.wait(self.cloud.api.delete(attachment, deadline=work.deadline), work)
            except ApiError as problem:
                if not self.is_gone(problem) and problem.status != CONFLICT:
                    raise

    def change(self, work: Work) -> bool:
        for name, action in (("volume_type", "retype"), ("size_gib", "grow")):
            if work.changed(name):
                self.act(work, "actions", action, body={name: work.planned[name]})
                work.save({name: work.planned[name]})
        return work.changed("volume_type", "size_gib")


def _source(like: Values, document: Document) -> str | None:
    """Return the snapshot as the configuration names it: a volume keeps its source, also after that was deleted."""
    given, found = like.get("snapshot"), document["snapshot"]
    return given if found is not None and isinstance(given, str) else found


class VolumeAttachmentResource(ApiResource):
    name, kind, noun = "volume_attachment", "attachments", "attachment"
    sent = ("volume", "is_read_only", "share")
    patched = ()
    timeouts = Timeouts(create=600, delete=600)
    is_listed = False
    identity = {
        "id": IdentityAttribute("The id."),
        "instance": IdentityAttribute("The id of the instance."),
        "project": IdentityAttribute("The project; the provider's when not given.", is_required=False),
    }
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "instance": Attribute(
                type=STRING,
                description="The id or name of the instance. A change makes a new attachment.",
                required=True,
                replace=True,
            ),
            "volume": Attribute(
                type=STRING,
                description="The id or name of the volume. A change makes a new attachment.",
                required=True,
                replace=True,
            ),
            "is_read_only": Attribute(
                type=BOOL,
                description="The guest cannot write to it. A change makes a new attachment.",
                default=False,
                replace=True,
            ),
            "share": Attribute(
                type=BOOL,
                description="Other instances can have it, too, with a file system that is made for that: required for "
                "volumes of a type with `is_multi_attach`, and only for these. A change makes a new attachment.",
                default=False,
                replace=True,
            ),
            "size_gib": Attribute(type=NUMBER, description="The size of the volume.", computed=True),
            "created_at": CREATED_AT,
        },
        "A volume in an instance, also while it runs. Do not use it for an instance that has `volumes`.",
    )

    def collection(self, values: Values) -> str:
        return project_path(self.parent_of(values), "instances", values["instance"], "attachments")

    def refine(self, plan: Plan) -> None:
        if plan.prior is not None:
            project = self.parent_of(plan.prior)
            self.keep_same(plan, "instance", project_path(project, "instances"))
            self.keep_same(plan, "volume", project_path(project, "volumes"))

    def values(self, document: Document, like: Values) -> Values:
        return super().values(document, like) | {"volume": refer(like.get("volume"), document["volume"])}

    def import_by_id(self, text: str) -> Values:
        """Import `instance/attachment` or `instance/volume`, after the project if it is not the provider's."""
        *project, instance, reference = text.split("/")
        if len(project) > 1 or not instance:
            raise Failure("This names no attachment", "Write instance/volume or project/instance/volume.")
        return self._imported({"project": project[0] if project else None, "instance": instance}, reference)

    def import_by_identity(self, identity: Values) -> Values:
        return self._imported(dict(identity), identity["id"])

    def _imported(self, where: Values, reference: str) -> Values:
        with translated_errors({}):
            project = self.parent_of(where)
            instance = self.cloud.api.get(project_path(project, "instances", where["instance"]))
            for document in instance["attachments"]:
                if reference in (document["id"], document["volume"]["id"], document["volume"]["name"]):
                    return {"project": project, "instance": instance["id"], **self.values(document, {})}
        raise Failure(f"The instance {where['instance']} has no volume {reference}")
