"""The sample catalogue, with typical policies of security officers."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from andromede_core.facts.catalogue import parse as parse_catalogue
from andromede_core.facts.world import World
from andromede_core.policy.clauses import Policy
from andromede_core.policy.document import parse
from andromede_core.policy.evaluation import ClauseResult, Copy, Evaluation, evaluate

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE_FILE = ROOT / "controlplane" / "catalog" / "fixtures" / "catalogue.json"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

ZONES = (
    "fr-idf-1",
    "fr-idf-2",
    "fr-idf-3",
    "fr-est-1",
    "fr-est-2",
    "fr-sud-1",
    "fr-sud-2",
    "de-rhein-1",
    "de-rhein-2",
    "fi-hel-1",
    "fi-hel-2",
    "no-osl-1",
    "ie-dub-1",
    "us-va-1",
)

Clause = dict[str, Any]


def catalogue() -> dict[str, Any]:
    """Return a copy that a test may change."""
    document: dict[str, Any] = json.loads(CATALOGUE_FILE.read_text())
    return document


def world(document: dict[str, Any] | None = None) -> World:
    return parse_catalogue(catalogue() if document is None else document).world()


def entry(document: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    result: dict[str, Any] = next(each for each in document[key] if each["id"] == name)
    return result


def certificate(document: dict[str, Any], zone: str, scheme: str) -> dict[str, Any]:
    certificates = entry(document, "zones", zone)["certifications"]
    result: dict[str, Any] = next(each for each in certificates if each["scheme"] == scheme)
    return result


def copied(document: dict[str, Any], zone: str, name: str, territory: str) -> None:
    """Add a copy of the zone in another place."""
    another = deepcopy(entry(document, "zones", zone)) | {"id": name}
    another["location"] = another["location"] | {"territory": territory}
    document["zones"].append(another)


def within(clause_id: str, attribute: str, op: str, area: str = "@EU") -> Clause:
    return {"id": clause_id, "attr": attribute, "op": op, "value": [area]}


def secnumcloud(*, days: int = 0, scope: str = "iaas", **more: Any) -> Clause:
    demand = {"id": "snc", "op": "holds", "scheme": "SecNumCloud", "min_version": "3.2", "scope": scope}
    return demand | ({"min_remaining_days": days} if days else {}) | more


EU = [
    within("loc", "location.territory", "in"),
    within("keyloc", "keys.countries", "subset"),
    within("logs", "logs.countries", "subset"),
    within("meta", "metadata.countries", "subset"),
    within("adm", "admin.access_from", "subset"),
]
HEALTH = [
    {"id": "hds", "op": "holds", "scheme": "HDS", "min_version": "2.0", "scope": "iaas"},
    within("loc", "location.territory", "in", "@EEA"),
    within("sup", "support.access_from", "subset", "@EEA"),
]
STATE = [*EU, secnumcloud(days=90)]
QUALIFIED = [*EU, secnumcloud()]
FAR_BACKUP = [
    *EU,
    secnumcloud(scope="backup"),
    {"id": "dist", "op": "min_distance_km", "value": 100, "roles": ["backup"]},
]
OPERATOR = {"party_roles": ["operator"]}
OWNERSHIP = [
    within("seat", "party.statutory_seat", "in") | OPERATOR,
    within("central", "party.central_admin", "in") | OPERATOR,
    within("principal", "party.principal_establishment", "in") | OPERATOR,
    {"id": "single", "attr": "party.non_eu_max_single_pct", "op": "le", "value": "24.00"} | OPERATOR,
    {"id": "coll", "attr": "party.non_eu_collective_pct", "op": "le", "value": "39.00"} | OPERATOR,
    {"id": "veto", "attr": "party.non_eu_veto", "op": "is", "value": False} | OPERATOR,
    {"id": "board", "attr": "party.non_eu_board_majority", "op": "is", "value": False} | OPERATOR,
    {
        "id": "third",
        "attr": "party.controlled_by_non_eu",
        "op": "is",
        "value": False,
        "only_with_technical_access": True,
    },
]


def policy(*clauses: Clause, level: str = "organization", name: str = "pol-1") -> Policy:
    return parse({"id": name, "level": level, "atoms": list(clauses)})


def ask(
    policies: Policy | list[Policy],
    zone: str,
    known: World,
    *,
    now: datetime = NOW,
    role: str = "compute",
    reference: str | None = None,
) -> Evaluation:
    return evaluate(
        policies if isinstance(policies, list) else [policies],
        known.zones.get(zone),
        known,
        now=now,
        roles=(role,),
        copy=Copy(known.zones[reference] if reference else None),
    )


def against(evaluation: Evaluation) -> dict[str, str]:
    """Return the code of each clause that does not hold."""
    return {each.ref.clause: each.code for each in evaluation.results if each.result != "T"}


def only(evaluation: Evaluation) -> ClauseResult:
    (result,) = evaluation.results
    return result
