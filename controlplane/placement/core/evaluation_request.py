"""The request and the answer of the evaluate command, as JSON documents. Pure, standard library only."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from . import catalogue
from .attributes import PARTIES
from .compare import Sets, unsatisfiable, without_effect
from .evaluate import AtomResult, Evaluation, evaluate
from .facts import Horizon, World, Zone, at
from .policy import ROLES, AtomRef, Policy, PolicyError, Role, effective
from .policy_document import parse as parse_policy
from .reading import as_choice, as_instant, as_list, as_object, as_rfc3339, as_text, refuse

SCHEMA = "andromede.sovereignty.evaluation/1"
TAKING_NOTHING = ("stop", "delete", "erase", "export")
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
    """`folder`: what `catalogue_file` is relative to.

    Raises:
        Malformed, PolicyError: with the place.
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
        operation=as_text(body["operation"], "operation", limit=64),
        role=ROLES[ROLES.index(role)],
        reference=_reference(body.get("reference_zone"), world),
        layers=tuple(_layers(body["layers"], {*world.sets, *world.scheme_classes})),
    )


def _catalogue(body: dict[str, object], folder: Path) -> object:
    if ("catalogue" in body) == ("catalogue_file" in body):
        refuse("catalogue", "give either catalogue or catalogue_file")
    if "catalogue" in body:
        return body["catalogue"]
    name = as_text(body["catalogue_file"], "catalogue_file", limit=1000)
    try:
        return json.loads((folder / name).read_bytes())
    except (OSError, ValueError) as exc:
        refuse("catalogue_file", f"cannot be read: {exc}")


def _reference(zone_id: object, world: World) -> Zone | None:
    if zone_id is None:
        return None
    if not isinstance(zone_id, str) or zone_id not in world.zones:
        refuse("reference_zone", f"there is no zone {zone_id!r} in the catalogue")
    return world.zones[zone_id]


def _layers(value: object, sets: set[str]) -> Iterable[Policy]:
    policies: list[Policy] = []
    for index, layer in enumerate(as_list(value, "layers")):
        try:
            policies.append(parse_policy(layer, sets=sets))
        except PolicyError as exc:
            raise PolicyError(exc.reason, field=f"/layers/{index}{exc.field}", atom=exc.atom) from exc
    effective(policies)
    return policies


def answer(request: EvaluationRequest) -> dict[str, object]:
    """The decoded JSON document that the command prints."""
    found = {zone.id: _of_zone(zone, request) for zone in request.world.zones.values()}
    sets = Sets.of(request.world, request.now)
    boundaries = [each.valid_until for each in found.values() if each.valid_until is not None]
    return {
        "schema": RESULT_SCHEMA,
        "admissible": [zone for zone, evaluation in found.items() if evaluation.admits],
        "valid_until": as_rfc3339(min(boundaries)) if boundaries else None,
        "unsatisfiable": [ref.atom for ref in unsatisfiable(request.layers, sets)],
        "lint": [{"code": "NO_EFFECT", "atom": ref.atom} for ref in without_effect(request.layers, sets)],
        "zones": {
            zone: {"admit": evaluation.admits, "reasons": [reason(each) for each in evaluation.results]}
            for zone, evaluation in found.items()
        },
    }


def _of_zone(zone: Zone, request: EvaluationRequest) -> Evaluation:
    found = evaluate(
        request.layers,
        zone,
        request.world,
        now=request.now,
        roles=(request.role,),
        reference=request.reference,
    )
    horizon = Horizon(request.now)
    parties = at(zone.timeline(PARTIES), horizon)
    is_there = parties is not None and parties.value is not None
    horizon.sees(found.valid_until)
    closed = _closed(zone, request.operation, is_there=is_there)
    return Evaluation((*found.results, *closed), horizon.until)


def _closed(zone: Zone, operation: str, *, is_there: bool) -> tuple[AtomResult, ...]:
    """A zone that is not open, or of which nothing is stated for this time, takes nothing new, whatever is asked."""
    if operation in TAKING_NOTHING or (zone.status == "open" and is_there):
        return ()
    ref = AtomRef("zone", "platform", "zone.status")
    return (AtomResult(ref, "F", "ZONE_CLOSED", zone.status if is_there else "not stated for this time"),)


def reason(result: AtomResult) -> dict[str, object]:
    document: dict[str, object] = {"atom": result.ref.atom, "result": result.result, "code": result.code}
    return document | {"detail": result.detail} if result.detail else document
