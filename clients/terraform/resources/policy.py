"""andromede_policy: what the places of a project's data have to satisfy."""

import json
from collections.abc import Iterator

from clients.terraform.api import Answer, Call, Document, Problem, below, soon
from clients.terraform.cloud import Cloud, explained, is_gone
from clients.terraform.resources.common import PROJECT
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Plan, Private, Resource, Work
from clients.terraform.runtime.schema import (
    BOOL,
    NUMBER,
    STRING,
    Attribute,
    IdentityAttribute,
    Nested,
    Schema,
    set_of,
)
from clients.terraform.runtime.values import UNKNOWN, Value, Values, is_known


def _json_complaint(text: str) -> str | None:
    try:
        json.loads(text)
    except ValueError:
        return "This is no JSON: write jsonencode(...)."
    return None


def _optional(text: str, of: object = STRING) -> Attribute:
    return Attribute(type=of, description=text, optional=True)  # type: ignore[arg-type]


ATOM = {
    "op": Attribute(type=STRING, description="The operator, such as `in`, `subset`, `le` or `holds`.", required=True),
    "attr": _optional("The attribute of the zone or its parties."),
    "value": Attribute(
        type=STRING,
        description='What it is compared with, as JSON: `jsonencode(["FR", "DE"])`.',
        optional=True,
        checks=(_json_complaint,),
    ),
    "scheme": _optional("For `holds`: the certification scheme."),
    "min_version": _optional("For `holds`: the least version."),
    "level": _optional("For `holds`: the level."),
    "scope": _optional("For `holds`: the scope."),
    "min_remaining_days": _optional("For `holds`: for so many more days.", NUMBER),
    "roles": _optional("Asked only for these reasons of holding data.", set_of(STRING)),
    "party_roles": _optional("Asked of parties with one of these parts.", set_of(STRING)),
    "only_with_technical_access": _optional("Asked of parties that can reach data.", BOOL),
    "assertion_min": _optional("How well a statement has to be attested at least."),
    "waivable": _optional("Two people may exempt from it for some hours.", BOOL),
}


class PolicyResource(Resource):
    """One per project, always there: to create it is to set the first atoms, to delete it is to demand nothing."""

    name = "policy"
    identity = {"project": IdentityAttribute("The project.")}
    schema = Schema(
        {
            "project": PROJECT,
            "atoms": Attribute(
                type=Nested("map", ATOM),
                description="All clauses, by their ids. What demands less than before needs a second person: the "
                "change becomes a proposal, and the apply fails until it was approved.",
                required=True,
            ),
            "reason": _optional("Why, for whoever has to approve it. Only read when the policy changes."),
            "version": Attribute(type=NUMBER, description="Counts its changes.", computed=True, volatile=True),
        },
        "The policy of a project, on top of its organization's. All atoms are replaced at once, and only if the policy "
        "is still the one that was read.",
    )

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def _project(self, values: Values) -> str:
        given = values.get("project")
        return given if isinstance(given, str) else self.cloud.api.project()

    def plan(self, plan: Plan) -> None:
        with explained(self.schema.attributes):
            if plan.planned["project"] is UNKNOWN and plan.config["project"] is None and self.cloud.is_connected:
                plan.planned["project"] = self.cloud.api.project()
            if plan.prior is not None and isinstance(plan.planned["atoms"], dict):
                _keep_same_values(plan.planned["atoms"], plan.prior["atoms"])
            changes = plan.prior is None or "atoms" in plan.differing()
            if changes and self.cloud.is_connected and is_known([plan.planned["project"], plan.planned["atoms"]]):
                self._foresee(plan)

    def _foresee(self, plan: Plan) -> None:
        """What the change would do, from the API itself."""
        call = Call(
            "PUT",
            self._path(plan.planned),
            soon(),
            body=_body(plan.planned),
            query={"dry_run": "true"},
            version="*",
        )
        answer = self.cloud.api.call(call).document
        if answer["change"] in ("looser", "incomparable"):
            text = "It becomes a proposal, and the apply fails until a second person has approved it."
            plan.report.warn("This demands less than the policy in force", text, path=("atoms",))
        if answer["drifted"]:
            text = f"{len(answer['drifted'])} resources are where the new policy does not admit them. They stay there."
            plan.report.warn("Resources would not comply", text, path=("atoms",))
        for lint in answer["lint"]:
            plan.report.warn("A clause without effect", json.dumps(lint), path=("atoms",))

    def create(self, work: Work) -> None:
        with explained(self.schema.attributes):
            found = self._get(work.planned, work.deadline)
            if found.document["atoms"]:
                raise Failure(
                    "The project has a policy already",
                    f"Import it first: terraform import ADDRESS {self._project(work.planned)}",
                )
            self._put(work, work.planned, version=found.etag)

    def update(self, work: Work) -> None:
        with explained(self.schema.attributes):
            if work.changed("atoms"):
                self._put(work, work.planned, version=work.private.get("etag") or "*")

    def delete(self, work: Work) -> None:
        """The project goes on, and so does the policy until it may demand less."""
        text = "To demand less takes a second person. Until then the policy stays in force; Terraform forgets it."
        with explained(self.schema.attributes):
            try:
                answer = self._send({**work.state, "atoms": {}}, work.deadline, version="*").document
            except Problem as problem:
                if problem.status != 403:
                    raise
                work.report.warn("The policy stays in force", f"{text}\n\n{problem.document.get('detail')}")
                return
        if answer["proposal"]:
            work.report.warn("The policy stays in force", f"{text} Proposal {answer['proposal']['id']} waits for it.")

    def read(self, state: Values, private: Private, deadline: float) -> Values | None:
        with explained(self.schema.attributes):
            try:
                found = self._get(state, deadline)
            except Problem as problem:
                if is_gone(problem):
                    return None
                raise
        private["etag"] = found.etag
        if not found.document["atoms"]:
            return None
        return {"project": self._project(state), **_values(found.document, state)}

    def import_by_id(self, text: str) -> Values:
        return {"project": text}

    def import_by_identity(self, identity: Values) -> Values:
        return {"project": identity["project"]}

    def _put(self, work: Work, wanted: Values, *, version: str) -> None:
        answer = self._send(wanted, work.deadline, version=version)
        proposal = answer.document["proposal"]
        if proposal:
            text = (
                f"Proposal {proposal['id']} demands less than the policy in force, which stays until a second person "
            )
            text += "has approved it. Apply again then."
            raise Failure("The change waits for a second person", text, path=("atoms",))
        work.private["etag"] = answer.etag
        work.save({"project": self._project(wanted), **_values(answer.document, wanted)})

    def _send(self, wanted: Values, deadline: float, *, version: str) -> Answer:
        return self.cloud.api.call(Call("PUT", self._path(wanted), deadline, body=_body(wanted), version=version))

    def _get(self, values: Values, deadline: float) -> Answer:
        return self.cloud.api.call(Call("GET", self._path(values), deadline))

    def _path(self, values: Values) -> str:
        return below(self._project(values), "policy")


def _keep_same_values(atoms: Values, were: Values) -> None:
    """Lists in another order mean the same."""
    for name, atom in atoms.items():
        was = (were.get(name) or {}).get("value")
        to = atom["value"] if isinstance(atom, dict) else None
        if was and isinstance(to, str) and _sorted(json.loads(to)) == _sorted(json.loads(was)):
            atom["value"] = was


def _body(wanted: Values) -> Document:
    atoms = [
        {"id": name, **{key: _parsed(key, value) for key, value in atom.items() if value is not None}}
        for name, atom in wanted["atoms"].items()
    ]
    return {"atoms": atoms, **({"reason": wanted["reason"]} if wanted.get("reason") else {})}


def _parsed(key: str, value: Value) -> Value:
    return json.loads(value) if key == "value" else value


def _values(document: Document, like: Values) -> Values:
    known = like.get("atoms") if isinstance(like.get("atoms"), dict) else {}
    atoms = {atom["id"]: dict(_members(atom, (known or {}).get(atom["id"]) or {})) for atom in document["atoms"]}
    return {"atoms": atoms, "version": document["version"]}


def _members(atom: Document, like: Values) -> Iterator[tuple[str, Value]]:
    """As the configuration has them, where that means the same: the API leaves out what says nothing, and sorts."""
    for key in ATOM:
        found, given = atom.get(key), like.get(key)
        if key == "value" and found is not None:
            is_same = given is not None and _sorted(json.loads(given)) == _sorted(found)
            yield key, given if is_same else json.dumps(found, separators=(",", ":"))
        else:
            yield key, given if (not found and not given) or _sorted(found) == _sorted(given) else found


def _sorted(value: Value) -> Value:
    return sorted(value, key=repr) if isinstance(value, list) else value
