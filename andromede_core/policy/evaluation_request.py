"""The request and the answer of the evaluate command, as JSON documents. Pure, standard library only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import (
    as_choice,
    as_instant,
    as_list,
    as_object,
    as_rfc3339,
    as_text,
    decoded,
    refuse,
)
from andromede_core.facts import catalogue
from andromede_core.facts.world import Horizon, World, Zone
from andromede_core.policy.clauses import ROLES, ClauseRef, Policy, PolicyError, Role, effective
from andromede_core.policy.document import parse as parse_policy
from andromede_core.policy.evaluation import ClauseResult, Copy, Evaluation, evaluate
from andromede_core.policy.order import Sets, unsatisfiable, without_effect
from andromede_core.policy.roles import OPERATIONS, TAKING_NOTHING

SCHEMA = "andromede.sovereignty.evaluation/1"
MAX_BYTES = 2**26
RESULT_SCHEMA = "andromede.sovereignty.evaluation-result/1"


@dataclass(frozen=True)
class EvaluationRequest:
    now: datetime
    world: World
    operation: str
    role: Role
    reference: Zone | None
    layers: tuple[Policy, ...]


def parse(document: object, *, folder: Path) -> EvaluationRequest:
    """Parse a request. `folder`: `catalogue_file` is relative to it.

    Raises:
        Malformed: with the place, and the clause where the fault is in one.
    """
    body = as_object(
        document,
        "request",
        required=("schema", "now", "operation", "role", "layers"),
        optional=("catalogue", "catalogue_file", "reference_zone"),
    )
    as_choice(body["schema"], "schema", among=(SCHEMA,))
    world = catalogue.parse(_catalogue(body, folder)).world()
    role = as_choice(body["role"], "role", among=ROLES)
    return EvaluationRequest(
        now=as_instant(body["now"], "now"),
        world=world,
        operation=_operation(body["operation"]),
        role=ROLES[ROLES.index(role)],
        reference=_reference(body.get("reference_zone"), world),
        layers=tuple(_layers(body["layers"], world)),
    )


def _operation(value: object) -> str:
    name = as_text(value, "operation", limit=64)
    if name not in OPERATIONS and name not in TAKING_NOTHING:
        refuse("operation", Message("there is no operation {name!r}; docs/reference/evaluate.md lists them", name=name))
    return name


def _catalogue(body: dict[str, object], folder: Path) -> object:
    if ("catalogue" in body) == ("catalogue_file" in body):
        refuse("catalogue", Message("give either catalogue or catalogue_file"))
    if "catalogue" in body:
        return body["catalogue"]
    name = as_text(body["catalogue_file"], "catalogue_file", limit=1000)
    try:
        with (folder / name).open("rb") as file:
            return read(file)
    except (OSError, ValueError) as exc:
        refuse("catalogue_file", Message("cannot be read: {error}", error=exc))


def read(file: BinaryIO) -> object:
    """Read a JSON file.

    Raises:
        OSError, ValueError: the file cannot be read, is no JSON, or has more than MAX_BYTES.
    """
    text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    return decoded(text)


def _reference(zone_id: object, world: World) -> Zone | None:
    if zone_id is None:
        return None
    if not isinstance(zone_id, str) or zone_id not in world.zones:
        refuse("reference_zone", Message("there is no zone {zone_id!r} in the catalogue", zone_id=zone_id))
    return world.zones[zone_id]


def _layers(value: object, world: World) -> Iterable[Policy]:
    policies: list[Policy] = []
    where = "layers"
    try:
        for index, layer in enumerate(as_list(value, "layers")):
            where = f"layers[{index}]"
            policy = parse_policy(layer, sets=world.sets, scheme_classes=world.scheme_classes)
            if any((policy.level, policy.id) == (other.level, other.id) for other in policies):
                refuse(
                    f"{where}.id", Message("another {level} layer has the id {id!r}", level=policy.level, id=policy.id)
                )
            policies.append(policy)
        where = "layers"
        effective(policies)
    except PolicyError as exc:
        inner = re.sub(r"/([0-9]+)(?=/|$)", r"[\1]", exc.field).replace("/", ".")
        refuse(f"{where}{inner}{f' (clause {exc.clause})' if exc.clause else ''}", exc.reason)
    return policies


def answer(request: EvaluationRequest) -> dict[str, object]:
    """Return the decoded JSON document that the command prints."""
    evaluations = {zone.id: _of_zone(zone, request) for zone in request.world.zones.values()}
    sets = Sets.of(request.world, request.now)
    boundaries = [each.valid_until for each in evaluations.values() if each.valid_until is not None]
    return {
        "schema": RESULT_SCHEMA,
        "admissible": [zone for zone, evaluation in evaluations.items() if evaluation.admits],
        "valid_until": as_rfc3339(min(boundaries)) if boundaries else None,
        "unsatisfiable": [ref.clause for ref in _contradicting(request, sets)],
        "lint": [{"code": "NO_EFFECT", "atom": ref.clause} for ref in without_effect(request.layers, sets)],
        "zones": {
            zone: {"admit": evaluation.admits, "reasons": [reason(each) for each in evaluation.results]}
            for zone, evaluation in evaluations.items()
        },
    }


def _contradicting(request: EvaluationRequest, sets: Sets) -> tuple[ClauseRef, ...]:
    """Return contradictions among the evaluated clauses: clauses about other roles refuse this request nothing."""
    if request.operation in TAKING_NOTHING:
        return ()
    return unsatisfiable(request.layers, sets, roles=(request.role,))


def _of_zone(zone: Zone, request: EvaluationRequest) -> Evaluation:
    if request.operation in TAKING_NOTHING:
        return Evaluation((), None)
    evaluation = evaluate(
        request.layers,
        zone,
        request.world,
        now=request.now,
        roles=(request.role,),
        copy=Copy(request.reference),
    )
    horizon = Horizon(request.now)
    horizon.add_boundary(evaluation.valid_until)
    return Evaluation((*evaluation.results, *_closed(zone, horizon)), horizon.until)


def _closed(zone: Zone, horizon: Horizon) -> tuple[ClauseResult, ...]:
    """Tell if the zone takes nothing new: it is not open, or no statement about it holds at this time."""
    is_there = _is_there(zone, horizon)
    if zone.status == "open" and is_there:
        return ()
    ref = ClauseRef("zone", "platform", "zone.status")
    return (ClauseResult(ref, "F", "ZONE_CLOSED", zone.status if is_there else "not stated for this time"),)


def _is_there(zone: Zone, horizon: Horizon) -> bool:
    """Tell if a statement about the zone holds at this time, known or not."""
    facts = [fact for timeline in zone.facts.values() for fact in timeline]
    ends = [fact.valid_to for fact in facts if fact.holds_at(horizon.now)]
    if not ends:
        horizon.add_boundary(*(fact.valid_from for fact in facts))
    elif None not in ends:
        horizon.add_boundary(max(end for end in ends if end is not None))
    return bool(ends)


def reason(result: ClauseResult) -> dict[str, object]:
    document: dict[str, object] = {"atom": result.ref.clause, "result": result.result, "code": result.code}
    return document | {"detail": result.detail} if result.detail else document
