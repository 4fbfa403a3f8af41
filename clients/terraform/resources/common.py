"""What the resources have in common: attributes, and how an object below a project is made, read, changed and deleted.

A new resource is a class with a schema, `kind` and `sent`; network.py is one to copy.
"""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any

from clients.terraform.api import Call, Document, Problem, below
from clients.terraform.cloud import Cloud, explained, is_gone
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Found, Plan, Private, Resource, Work
from clients.terraform.runtime.resource_calls import IMPORTED
from clients.terraform.runtime.schema import STRING, Attribute, IdentityAttribute, Schema, map_of, set_of
from clients.terraform.runtime.values import UNKNOWN, Value, Values, is_known

# Deleting waits so long for what uses the object: that may be on its way out too.
IN_USE_LIMIT_S = 120
IN_USE = ("network.in_use", "compute.affinity_group.in_use", "storage.volume.in_use", "storage.volume.wrong_state")
IN_USE_INTERVAL_S = 2
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def name_complaint(value: Value) -> str | None:
    if _NAME.fullmatch(value):
        return None
    return "A name has 1 to 63 lower-case letters, digits and hyphens, and begins and ends with a letter or digit."


def one_of(*words: str) -> Any:
    return lambda value: None if value in words else f"It is one of {', '.join(words)}."


ID = Attribute(type=STRING, description="The id.", computed=True)
CREATED_AT = Attribute(type=STRING, description="When it was created (RFC 3339).", computed=True)
PROJECT = Attribute(
    type=STRING,
    description="The id or name of the project; the provider's when not given.",
    optional=True,
    computed=True,
    replace=True,
)
WHERE = Attribute(type=STRING, description="The project; the provider's when not given.", optional=True)
SELECTOR = Attribute(type=STRING, description="A selector, such as `env=prod,tier!=web`.", optional=True)
LABELS = Attribute(type=map_of(STRING), description="Labels, which selectors find it by.", optional=True)


def name_attribute(*, is_fixed: bool = False) -> Attribute:
    return Attribute(
        type=STRING,
        description="The name, unique in the project." + (" A change makes a new one." if is_fixed else ""),
        required=True,
        replace=is_fixed,
        checks=(name_complaint,),
    )


ZONES = Attribute(
    type=set_of(STRING),
    description="The zones that it may be in; any that the policies admit when not given. "
    "Makes a new one only if the zone that it is in is not among them.",
    optional=True,
    computed=True,
    replace=True,
)
CLASSIFICATIONS = Attribute(
    type=set_of(STRING),
    description="The ids of the classifications that its data has. A change makes a new one.",
    optional=True,
    replace=True,
)
POLICY_ATOMS = Attribute(
    type=STRING,
    description="Clauses of its own that its place has to satisfy, as JSON: a list of atoms. "
    "Cannot be read back. A change makes a new one.",
    optional=True,
    replace=True,
    checks=(lambda text: _json_list_complaint(text),),
)


def _json_list_complaint(text: str) -> str | None:
    try:
        is_list = isinstance(json.loads(text), list)
    except ValueError:
        is_list = False
    return None if is_list else "This is no JSON list of atoms: write jsonencode([...])."


class ProjectResource(Resource):
    """`kind` is the collection in the path, `noun` for people. `sent`: the attributes that a create sends, `patched`
    those that PATCH changes. `unreadable`: attributes that the API never answers."""

    kind: str
    noun: str
    sent: Sequence[str] = ()
    patched: Sequence[str] = ("name", "labels")
    unreadable: Sequence[str] = ()
    identity = {
        "id": IdentityAttribute("The id."),
        "project": IdentityAttribute("The project; the provider's when not given.", is_required=False),
    }
    is_listed = True
    list_schema = Schema({"project": WHERE, "labels": SELECTOR})

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def path(self, values: Values, *more: str) -> str:
        return below(self.project_of(values), self.kind, *more)

    def project_of(self, values: Values) -> str:
        given = values.get("project")
        return given if isinstance(given, str) else self.cloud.api.project()

    # Planning.

    def plan(self, plan: Plan) -> None:
        with explained(self.schema.attributes):
            if plan.prior is None:
                plan.private["key"] = secrets.token_hex(16)
                if plan.planned["project"] is UNKNOWN and plan.config["project"] is None and self.cloud.is_connected:
                    plan.planned["project"] = self.cloud.api.project()
            elif plan.private.get(IMPORTED):
                self._record_unreadable(plan)
            self.refine(plan)

    def refine(self, plan: Plan) -> None:
        """What a resource knows beyond its schema."""

    def _record_unreadable(self, plan: Plan) -> None:
        """After an import nobody knows what these were."""
        assert plan.prior is not None
        for name in set(self.unreadable) & set(plan.differing()):
            if plan.prior[name] is None:
                plan.update_in_place(name)
                text = f"After the import, {name} is kept in the state as it stands here. The {self.noun} is as it was."
                plan.report.warn(f"{name} cannot be read", text, path=(name,))

    def keep_same(self, plan: Plan, attribute: str, kind: str) -> None:
        """An id in place of a name of the same thing, or the other way round, is no change."""
        if attribute not in plan.differing() or plan.prior is None:
            return
        was, to = plan.prior[attribute], plan.planned[attribute]
        if not was or not to or not is_known(to) or not self.cloud.is_connected:
            return
        project = self.project_of(plan.prior)
        old, new = (self.cloud.ids(project, kind, [each] if isinstance(each, str) else each) for each in (was, to))
        if None not in old and sorted(old, key=str) == sorted(new, key=str):
            plan.keep(attribute)

    def keep_in_zone(self, plan: Plan) -> None:
        """Where it is remains allowed."""
        if plan.prior is not None and plan.replaces("zones"):
            zones = plan.planned["zones"]
            if is_known(zones) and plan.prior["zone"] in zones:
                plan.keep("zones")

    # Doing.

    def create(self, work: Work) -> None:
        with explained(self.schema.attributes):
            project = self.project_of(work.planned)
            path = self.path(work.planned)
            call = Call("POST", path, work.deadline, body=self.body(work), key=_key(work, path))
            answer = self.cloud.api.call(call).document
            work.save({**_known(work.planned), "project": project, **self.values(answer, work.planned)})
            self.wait(project, answer, work)
            self.after_create(work)
            self.refresh(work)

    def body(self, work: Work) -> Document:
        """Of the create."""
        return {
            name: work.planned[name]
            for name in self.sent
            if work.planned[name] is not None and work.planned[name] is not UNKNOWN
        }

    def after_create(self, work: Work) -> None:
        """What else it takes."""

    def wait(self, project: str, answer: Document, work: Work) -> None:
        if operation := answer.get("operation"):
            self.cloud.api.ended(project, operation, deadline=work.deadline)

    def refresh(self, work: Work) -> None:
        """What it is now reaches the state."""
        document = self.find(work.state, work.deadline)
        if document is None:
            raise Problem({"title": f"The {self.noun} is gone", "detail": "It was deleted meanwhile."})
        work.save(self.values(document, {**work.state, **_known(work.planned)}))

    def values(self, document: Document, like: Values) -> Values:
        """A state from an answer. `like`: the state before, or what was planned; where it says the same in other words,
        its words are kept."""
        return {
            name: None if document[name] in ({}, [], "") and like.get(name) in (None, UNKNOWN) else document[name]
            for name in self.schema.attributes
            if name in document
        }

    def read(self, state: Values, private: Private, deadline: float) -> Values | None:
        try:
            with explained(self.schema.attributes):
                found = self.find(state, deadline)
        except Failure as failure:
            if isinstance(failure.__cause__, Problem) and is_gone(failure.__cause__):
                return None
            raise
        if found is None or found.get("state") == "deleted":
            return None
        return {"project": self.project_of(state), **self.values(found, state)}

    def find(self, state: Values, deadline: float) -> Document | None:
        return self.cloud.api.get(self.path(state, state["id"]), deadline=deadline)

    def update(self, work: Work) -> None:
        assert work.prior is not None
        work.private.pop(IMPORTED, None)
        with explained(self.schema.attributes):
            patch = {name: work.planned[name] for name in self.patched if work.changed(name)}
            if "labels" in patch:
                patch["labels"] = _label_patch(work.prior["labels"], work.planned["labels"])
            if patch:
                call = Call("PATCH", self.path(work.state, work.state["id"]), work.deadline, body=patch)
                work.save(self.values(self.cloud.api.call(call).document, work.planned))
            self.change(work)
            self.refresh(work)

    def change(self, work: Work) -> None:
        """What PATCH does not do."""

    def act(self, work: Work, *path: str, body: Document | None = None) -> None:
        """POST below the object, and wait. All its tries have one key."""
        project = self.project_of(work.state)
        address = below(project, self.kind, work.state["id"], *path)
        call = Call("POST", address, work.deadline, body=body or {}, key=secrets.token_hex(16))
        answer = self.cloud.api.call(call)
        self.wait(project, answer.document, work)

    def delete(self, work: Work) -> None:
        with explained(self.schema.attributes):
            patience = min(work.deadline, time.monotonic() + IN_USE_LIMIT_S)
            while True:
                try:
                    return self._delete(work)
                except Problem as problem:
                    if is_gone(problem):
                        return None
                    is_late = time.monotonic() + IN_USE_INTERVAL_S > patience
                    if problem.code not in IN_USE or is_late or self.cloud.stopping.wait(IN_USE_INTERVAL_S):
                        raise

    def _delete(self, work: Work) -> None:
        answer = self.cloud.api.call(Call("DELETE", self.path(work.state, work.state["id"]), work.deadline))
        self.wait(self.project_of(work.state), answer.document, work)

    # Finding.

    def import_by_id(self, text: str) -> Values:
        project, reference = text.rsplit("/", 1) if "/" in text else (None, text)
        return self._imported({"project": project}, reference)

    def import_by_identity(self, identity: Values) -> Values:
        return self._imported({"project": identity.get("project")}, identity["id"])

    def _imported(self, where: Values, reference: str) -> Values:
        with explained({}):
            project = self.project_of(where)
            document = self.cloud.api.get(below(project, self.kind, reference))
            return {**self.defaults(), "project": project, **self.values(document, {})}

    def defaults(self) -> Values:
        """What an import begins with: the API has no word for some of these."""
        return {name: each.default for name, each in self.schema.attributes.items() if each.has_default}

    def list(self, config: Values, *, limit: int, with_state: bool) -> Iterator[Found]:
        with explained({}):
            project = self.project_of(config)
            query = {"labels": config["labels"]} if config.get("labels") else {}
            for number, document in enumerate(self.cloud.api.items(below(project, self.kind), **query)):
                if limit and number >= limit:
                    return
                state = {"project": project, **self.values(document, {})}
                yield Found(self.identity_of(state), document["name"], state if with_state else None)


def _known(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not UNKNOWN}


def _key(work: Work, path: str) -> str:
    """The same for every try of this create: its plan, and where it goes."""
    planned = json.dumps([work.private.pop("key", ""), path, work.planned], sort_keys=True, default=repr)
    return hashlib.sha256(planned.encode()).hexdigest()


def _label_patch(was: dict[str, str] | None, to: dict[str, str] | None) -> dict[str, str | None]:
    """A JSON merge patch: what goes is null."""
    return {**dict.fromkeys(was or {}), **(to or {})}


def zones_of(like: Values, document: Document) -> list[str] | None:
    """Those that were asked for; of what was asked nobody knows, the one that it is in."""
    given = like.get("zones")
    if isinstance(given, list):
        return given
    return [document["zone"]] if document.get("zone") else None


def refer(like: Value, named: Document | None) -> str | None:
    """How the configuration calls it, if it still is that one; else its id."""
    if named is None:
        return None
    return like if like in (named["id"], named["name"]) else str(named["id"])


def refer_all(like: Value, named: list[Document]) -> list[str] | None:
    """The same for several, in the configuration's order."""
    given = like if isinstance(like, list) else []
    left, found = list(named), []
    for text in given:
        match = next((each for each in left if text in (each["id"], each["name"])), None)
        if match is not None:
            left.remove(match)
            found.append(text)
    found += [each["id"] for each in left]
    return found if found or like == [] else None
