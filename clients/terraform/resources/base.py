"""Base of resources: plan, create, read, change, delete and find an object of the API.

A new resource is a class with a schema, `kind` and `sent`; network.py is one to copy.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Sequence

from andromede_sdk.errors import ApiError
from clients.terraform.cloud import Cloud, Document, OperationUnsuccessful, is_gone, quoted, translated_errors
from clients.terraform.resources.common import IN_PROJECT, SELECTOR, WHERE
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Found, Plan, Private, Resource, Work
from clients.terraform.runtime.resource_rpc import IMPORTED
from clients.terraform.runtime.schema import Schema
from clients.terraform.runtime.values import UNKNOWN, Value, Values, is_known

# Deleting waits so long for what uses the object: that may be on its way out too.
IN_USE_LIMIT_S = 120
IN_USE = (
    "network.in_use",
    "network.subnet.in_use",
    "network.port.attached",
    "network.security_group.in_use",
    "network.public_address.attached",
    "network.address_set.in_use",
    "compute.affinity_group.in_use",
    "compute.instance.root_volume_has_snapshots",
    "identity.project.in_use",
    "storage.snapshot.in_use",
    "storage.volume.has_snapshots",
    "storage.volume.in_use",
    "storage.volume.read_for_image",
    "storage.volume.wrong_state",
)
IN_USE_INTERVAL_S = 2


class CloudResource(Resource):
    """A resource of the API. `parent`: the attribute that names its parent, the project or the organization."""

    parent = "project"

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def parent_of(self, values: Values) -> str:
        given = values.get(self.parent)
        return given if isinstance(given, str) else self.default_parent()

    def default_parent(self) -> str:
        return self.cloud.api.project()

    def is_gone(self, problem: ApiError) -> bool:
        return is_gone(problem)

    def plan_parent(self, plan: Plan) -> None:
        if plan.prior is not None:
            self.keep_same(plan, self.parent, f"{self.parent}s")
        elif plan.planned[self.parent] is UNKNOWN and plan.config[self.parent] is None and self.cloud.is_connected:
            plan.planned[self.parent] = self.default_parent()

    def keep_same(self, plan: Plan, attribute: str, collection: str) -> None:
        """Keep the prior value when id and name of the same resource are exchanged: that is no change."""
        if plan.prior is None or attribute not in plan.differing():
            return
        was, to = plan.prior[attribute], plan.planned[attribute]
        if not was or not to or not is_known(to) or not self.cloud.is_connected:
            return
        old, new = (self.cloud.ids(collection, [each] if isinstance(each, str) else each) for each in (was, to))
        if None not in old and sorted(old, key=str) == sorted(new, key=str):
            plan.keep(attribute)


class ApiResource(CloudResource):
    """A resource with a collection. `kind` is the collection in the path; `noun` is its name for people.

    `sent`: the attributes of a create, `patched` those that PATCH changes. `unreadable`: attributes that the API never
    returns.
    """

    kind: str
    noun: str
    sent: Sequence[str] = ()
    patched: Sequence[str] = ("name", "labels")
    unreadable: Sequence[str] = ()
    identity = IN_PROJECT
    is_listed = True
    list_schema = Schema({"project": WHERE, "labels": SELECTOR})

    def collection(self, values: Values) -> str:
        return quoted(f"{self.parent}s", self.parent_of(values), self.kind)

    def path(self, values: Values, *more: str) -> str:
        """Return the path of the object, or of a part of it."""
        return f"{self.collection(values)}/{quoted(values['id'], *more)}"

    # Planning.

    def plan(self, plan: Plan) -> None:
        with translated_errors(self.schema.attributes):
            self.plan_parent(plan)
            if plan.prior is None:
                plan.private["key"] = secrets.token_hex(16)
            elif plan.private.get(IMPORTED):
                self._record_unreadable(plan)
            self.refine(plan)

    def refine(self, plan: Plan) -> None:
        """Refine the plan with rules that the schema cannot express."""

    def _record_unreadable(self, plan: Plan) -> None:
        """Record unreadable attributes, which are unknown after an import."""
        assert plan.prior is not None
        for name in set(self.unreadable) & set(plan.differing()):
            if plan.prior[name] is None:
                plan.update_in_place(name)
                text = f"After the import, {name} is kept in the state as it stands here. The {self.noun} is as it was."
                plan.report.warn(f"{name} cannot be read", text, path=(name,))

    def keep_in_zone(self, plan: Plan) -> None:
        """Keep the current zone in the allowed zones."""
        if plan.prior is not None and plan.replaces("zones"):
            zones = plan.planned["zones"]
            if is_known(zones) and plan.prior["zone"] in zones:
                plan.keep("zones")

    # Doing.

    def create(self, work: Work) -> None:
        with translated_errors(self.schema.attributes):
            parent, path = self.parent_of(work.planned), self.collection(work.planned)
            key = _key(work, path)
            answer = self.cloud.api.post(path, self.body(work), deadline=work.deadline, key=key)
            work.save({**_known(work.planned), self.parent: parent, **self.values(answer, work.planned)})
            if self.finish(answer, work):
                self.refresh(work)

    def body(self, work: Work) -> Document:
        """Return the body of the create."""
        return {
            name: self.word(name, work.planned[name])
            for name in self.sent
            if work.planned[name] is not None and work.planned[name] is not UNKNOWN
        }

    def word(self, name: str, value: Value) -> Value:
        """Return an attribute in the API's form."""
        return value

    def finish(self, answer: Document, work: Work) -> bool:
        """Finish a create after its answer; returns whether the answer is outdated."""
        return self.wait(answer, work)

    def wait(self, answer: Document, work: Work) -> bool:
        """Wait for the operation in the answer; False: there is none."""
        operation = answer.get("operation")
        if operation is None:
            return False
        self.cloud.api.ended(self.parent_of(work.state), operation, deadline=work.deadline)
        return True

    def refresh(self, work: Work) -> None:
        """Read the object into the state."""
        document = self.find(work.state, work.deadline)
        if document is None:
            raise OperationUnsuccessful({"title": f"The {self.noun} is gone", "detail": "It was deleted meanwhile."})
        work.save(self.values(document, {**work.state, **_known(work.planned)}))

    def values(self, document: Document, like: Values) -> Values:
        """Return a state from an answer, without the parent.

        `like`: the state before, or the plan; where it expresses the same value in another form, its form is kept.
        """
        return {
            name: None if document[name] in ({}, [], "") and like.get(name) in (None, UNKNOWN) else document[name]
            for name in self.schema.attributes
            if name in document and name != self.parent
        }

    def read(self, state: Values, private: Private, deadline: float) -> Values | None:
        try:
            with translated_errors(self.schema.attributes):
                document = self.find(state, deadline)
        except Failure as failure:
            if isinstance(failure.__cause__, ApiError) and self.is_gone(failure.__cause__):
                return None
            raise
        if document is None or document.get("state") == "deleted":
            return None
        return {self.parent: self.parent_of(state), **self.values(document, state)}

    def find(self, state: Values, deadline: float) -> Document | None:
        return self.cloud.api.get(self.path(state), deadline=deadline)

    def update(self, work: Work) -> None:
        assert work.prior is not None
        if work.private.pop(IMPORTED, None):
            unknown = {name: work.planned[name] for name in self.unreadable if work.prior[name] is None}
            work.prior = work.prior | unknown  # only recorded: it is unknown whether they changed
        with translated_errors(self.schema.attributes):
            patch = self.patch(work)
            if "labels" in patch:
                patch["labels"] = _label_patch(work.prior["labels"], work.planned["labels"])
            if patch:
                answer = self.cloud.api.patch(self.path(work.state), patch, deadline=work.deadline)
                work.save(self.values(answer, work.planned))
            if self.change(work) or not patch:
                self.refresh(work)

    def patch(self, work: Work) -> Document:
        """Return the changed attributes that PATCH changes."""
        return {name: self.word(name, work.planned[name]) for name in self.patched if work.changed(name)}

    def change(self, work: Work) -> bool:
        """Make the changes that PATCH cannot; False: there was none."""
        return False

    def act(self, work: Work, *more: str, body: Document | None = None) -> Document:
        """POST below the object, and wait. All attempts have one key."""
        answer = self.cloud.api.post(self.path(work.state, *more), body or {}, deadline=work.deadline)
        self.wait(answer, work)
        return answer

    def delete(self, work: Work) -> None:
        with translated_errors(self.schema.attributes):
            patience = min(work.deadline, time.monotonic() + IN_USE_LIMIT_S)
            while True:
                try:
                    return self._delete(work)
                except ApiError as problem:
                    if self.is_gone(problem):
                        return None
                    is_late = time.monotonic() + IN_USE_INTERVAL_S > patience
                    if problem.code not in IN_USE or is_late or self.cloud.stopping.wait(IN_USE_INTERVAL_S):
                        raise

    def _delete(self, work: Work) -> None:
        self.wait(self.cloud.api.delete(self.path(work.state), deadline=work.deadline), work)

    # Finding.

    def import_by_id(self, text: str) -> Values:
        parent, reference = text.rsplit("/", 1) if "/" in text else (None, text)
        return self._imported({self.parent: parent}, reference)

    def import_by_identity(self, identity: Values) -> Values:
        return self._imported({self.parent: identity.get(self.parent)}, identity["id"])

    def _imported(self, where: Values, reference: str) -> Values:
        with translated_errors({}):
            document = self.sought(where, reference)
            return {**self.defaults(), self.parent: self.parent_of(where), **self.values(document, where)}

    def sought(self, where: Values, reference: str) -> Document:
        """Return the object of this id or name."""
        return self.cloud.api.get(self.path({**where, "id": reference}))

    def defaults(self) -> Values:
        """Return the defaults of an import: the API has no field for some of these."""
        return {name: each.default for name, each in self.schema.attributes.items() if each.has_default}

    def list(self, config: Values, *, limit: int, with_state: bool) -> Iterator[Found]:
        with translated_errors({}):
            for number, document in enumerate(self.every(config)):
                if limit and number >= limit:
                    return
                state = {**self.defaults(), self.parent: self.parent_of(config), **self.values(document, config)}
                yield Found(self.identity_of(state), document["name"], state if with_state else None)

    def every(self, config: Values) -> Iterator[Document]:
        query = {"labels": config["labels"]} if config.get("labels") else {}
        return self.cloud.api.items(self.collection(config), **query)


def _known(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not UNKNOWN}


def _key(work: Work, path: str) -> str:
    """Return the idempotency key, the same for every attempt of this create: a digest of its plan and target."""
    planned = json.dumps([work.private.pop("key", ""), path, work.planned], sort_keys=True, default=repr)
    return hashlib.sha256(planned.encode()).hexdigest()


def _label_patch(was: dict[str, str] | None, to: dict[str, str] | None) -> dict[str, str | None]:
    """Return a JSON merge patch: removed labels are null."""
    return {**dict.fromkeys(was or {}), **(to or {})}
