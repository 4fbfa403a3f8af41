"""andromede_policy: the requirements for the zones of a project's data."""

import json
from collections.abc import Iterator

from andromede_sdk.errors import ApiError
from clients.terraform.cloud import Document, translated_errors
from clients.terraform.resources.common import PROJECT
from clients.terraform.resources.project_setting import ProjectSetting
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.schema import BOOL, NUMBER, STRING, Attribute, Nested, Schema, set_of
from clients.terraform.runtime.values import Value, Values, is_known


def _json_complaint(text: str) -> str | None:
    try:
        json.loads(text)
    except ValueError:
        return "This is no JSON: write jsonencode(...)."
    return None


def _optional(text: str, of: object = STRING) -> Attribute:
    return Attribute(type=of, description=text, optional=True)  # type: ignore[arg-type]


CLAUSE = {
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

# What the API remarks on clauses that it takes.
REMARKS = {
    "NO_EFFECT": "A clause without effect",
    "NOT_ASKED": "A clause that nothing asks yet",
    "CLAIMED": "A clause about what the operator claims, and the platform does not enforce",
}


class PolicyResource(ProjectSetting):
    name, kind, noun, setting = "policy", "policy", "a policy", "atoms"
    schema = Schema(
        {
            "project": PROJECT,
            "atoms": Attribute(
                type=Nested("map", CLAUSE),
                description="All clauses, by their ids. What demands less than before needs a second person: the "
                "change becomes a proposal, and the apply fails until it was approved.",
                required=True,
            ),
            "reason": _optional("Why, for whoever has to approve it. Only read when the policy changes."),
            "version": Attribute(type=NUMBER, description="Counts its changes.", computed=True, volatile=True),
        },
        "The policy of a project, on top of its organization's. All clauses are replaced at once, and only if the "
        "policy is still the one that was read.",
    )

    def plan(self, plan: Plan) -> None:
        with translated_errors(self.schema.attributes):
            self.plan_parent(plan)
            if plan.prior is not None and isinstance(plan.planned["atoms"], dict):
                _keep_same_values(plan.planned["atoms"], plan.prior["atoms"])
            changes = plan.prior is None or "atoms" in plan.differing()
            if changes and self.cloud.is_connected and is_known([plan.planned["project"], plan.planned["atoms"]]):
                self._foresee(plan)

    def _foresee(self, plan: Plan) -> None:
        """Preview the effect of the change, computed by the API."""
        path, body = self.path(plan.planned), self.body(plan.planned)
        answer = self.cloud.api.put(path, body, version="*", dry_run="true").document
        if answer["change"] in ("looser", "incomparable"):
            text = "It becomes a proposal, and the apply fails until a second person has approved it."
            plan.report.warn("This demands less than the policy in force", text, path=("atoms",))
        if answer["drifted"]:
            text = f"{len(answer['drifted'])} resources are where the new policy does not admit them. They stay there."
            plan.report.warn("Resources would not comply", text, path=("atoms",))
        for lint in answer["lint"]:
            plan.report.warn(REMARKS.get(lint["code"], lint["code"]), json.dumps(lint), path=("atoms",))

    def check(self, answer: Document) -> None:
        proposal = answer.get("proposal")
        if proposal:
            text = f"Proposal {proposal['id']} demands less than the policy in force, which stays until a second "
            text += "person has approved it. Apply again then."
            raise Failure("The change waits for a second person", text, path=("atoms",))

    def delete(self, work: Work) -> None:
        """Forget the policy: the project goes on, and so does its policy until it may be relaxed."""
        text = "To demand less takes a second person. Until then the policy stays in force; Terraform forgets it."
        with translated_errors(self.schema.attributes):
            path, body = self.path(work.state), self.body({**work.state, "atoms": {}})
            try:
                answer = self.cloud.api.put(path, body, version="*", deadline=work.deadline).document
            except ApiError as problem:
                if problem.status != 403:
                    raise
                work.report.warn("The policy stays in force", f"{text}\n\n{problem.detail}")
                return
        if answer["proposal"]:
            work.report.warn("The policy stays in force", f"{text} Proposal {answer['proposal']['id']} waits for it.")

    def body(self, values: Values) -> Document:
        clauses = [
            {"id": name, **{key: _parsed(key, value) for key, value in clause.items() if value is not None}}
            for name, clause in values["atoms"].items()
        ]
        return {"atoms": clauses, **({"reason": values["reason"]} if values.get("reason") else {})}

    def values(self, document: Document, like: Values) -> Values:
        prior_clauses = like.get("atoms") if isinstance(like.get("atoms"), dict) else {}
        clauses = {
            each["id"]: dict(_members(each, (prior_clauses or {}).get(each["id"]) or {})) for each in document["atoms"]
        }
        return {"atoms": clauses, "version": document["version"]}


def _keep_same_values(clauses: Values, were: Values) -> None:
    """Keep the prior values if only the order of lists differs."""
    for name, clause in clauses.items():
        was = (were.get(name) or {}).get("value")
        to = clause["value"] if isinstance(clause, dict) else None
        if was and isinstance(to, str) and _sorted(json.loads(to)) == _sorted(json.loads(was)):
            clause["value"] = was


def _parsed(key: str, value: Value) -> Value:
    return json.loads(value) if key == "value" else value


def _members(clause: Document, like: Values) -> Iterator[tuple[str, Value]]:
    """Return the members in the configuration's form if equivalent: the API omits empty values, and sorts."""
    for key in CLAUSE:
        current, given = clause.get(key), like.get(key)
        if key == "value" and current is not None:
            is_same = given is not None and _sorted(json.loads(given)) == _sorted(current)
            yield key, given if is_same else json.dumps(current, separators=(",", ":"))
        else:
            yield key, given if (not current and not given) or _sorted(current) == _sorted(given) else current


def _sorted(value: Value) -> Value:
    return sorted(value, key=repr) if isinstance(value, list) else value
