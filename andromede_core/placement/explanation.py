"""Explanations of a stored decision: what happened, why, and what to do next.

A tenant sees zones, policies and reasons, and never nodes or what runs on them; an operator sees the nodes too. Both
work on the document that `as_document` made.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from andromede_core.facts.attributes import CLAIMS
from andromede_core.placement.decision import Document, expand_results
from andromede_core.placement.texts import NO_REFERENCE, Language, remedy, render
from andromede_core.policy.document import ATOMS
from andromede_core.policy.evaluation import REFERENCE, UNKNOWN, UNSUPPORTED

NAMED = 8
BY_CLAUSES = ("policy", "facts")  # the filters whose reasons clauses give
TENANT_CHANGES = (
    "policy",
    "zone_asked",
    "routed",
    "host",
    "traits",
    "pool",
    "near",
    "affinity",
    "anti_affinity",
    "pool_room",
    "pool_nearly_full",
    "size",
)
MAINTENANCE_CHANGES = ("attested", "zone_open", "ready", "cordon")


def tenant_view(document: Document) -> dict[str, Any]:
    """Return the part of a decision's document that a tenant may see."""
    document = expand_results(document)
    request = document["request"]
    return {
        "schema": document["schema"],
        "verdict": document["verdict"],
        "request": {name: request[name] for name in ("consumer", "resources", "zones", "traits", "policies")},
        "eliminated": [{name: each[name] for name in ("filter", "code", "count")} for each in document["eliminated"]],
        "zones": [
            {
                "zone": zone["zone"],
                "status": zone["status"],
                "is_admitted": zone["admitted"] > 0,
                "codes": list(zone["codes"]),
                "results": zone["results"],
            }
            for zone in document["zones"]
        ],
        "relaxations": [
            {"change": each["change"], "facts": each["facts"]}
            for each in document["relaxations"]
            if each["change"] in TENANT_CHANGES
        ],
        "unsatisfiable": document["unsatisfiable"],
    }


def tenant(document: Document, language: str = "en") -> list[str]:
    """Return sentences for the requester; a language other than French is answered in English."""
    document, spoken = expand_results(document), _language(language)
    return [_what(document, spoken), *_why(document, spoken), *_tenant_next(document, spoken)]


def against(document: Document, zone: str, language: str = "en") -> list[str]:
    """Return the sentences for the clauses that one zone fails."""
    document, spoken = expand_results(document), _language(language)
    there = {**document, "zones": [each for each in document["zones"] if each["zone"] == zone]}
    return [render(code, spoken, **facts) for code, facts in _against(there, spoken).items()]


def operator(document: Document, language: str = "en") -> list[str]:
    """Return sentences for operators: with node names, and the remedies that only an operator has."""
    document, spoken = expand_results(document), _language(language)
    close = [_near_miss(miss, spoken) for miss in document["nearest"]]
    changes = [_change(each, spoken) for each in document["relaxations"]]
    mending = _remedies(document, spoken, operator=True)
    return [_what(document, spoken), *_why(document, spoken), *close, *changes, *mending]


def claimed(policies: Iterable[Document], language: str = "en") -> list[str]:
    """Return a sentence for the clauses that rest on the operator's declarations, if any. `policies`: as documents."""
    clauses = dict.fromkeys(
        f"{policy['level']}/{clause['id']} ({clause['attr']})"
        for policy in policies
        for clause in policy[ATOMS]
        if clause.get("attr") in CLAIMS
    )
    return [render("claimed", _language(language), clauses=_listed(clauses))] if clauses else []


def missed(traits: Iterable[str], language: str = "en") -> list[str]:
    """Return a sentence for each preferred trait that no node has which can take the request."""
    return [render(f"missed.{trait}", _language(language)) for trait in sorted(traits)]


def _language(tag: str) -> Language:
    return "fr" if tag.lower().partition("-")[0] == "fr" else "en"


def _what(document: Document, language: Language) -> str:
    zones = _listed(zone["zone"] for zone in document["zones"] if zone["admitted"])
    return render(f"verdict.{_verdict(document)}", language, zones=zones, clauses=_clauses(document["unsatisfiable"]))


def _verdict(document: Document) -> str:
    """Return the document's verdict; "unsupported" where a policy needs a feature that this product does not have."""
    is_supported = not any(_has(zone["results"], UNSUPPORTED) for zone in document["zones"])
    return str(document["verdict"]) if is_supported else "unsupported"


def _why(document: Document, language: Language) -> Iterator[str]:
    """Return one sentence per reason of a refusal, in the order in which they were checked."""
    if document["verdict"] == "admitted":
        return
    request = document["request"]
    empty = _zones_without_nodes(document)
    if empty:
        yield render("NO_NODE", language, zones=_listed(empty))
    unknown = [zone["zone"] for zone in document["zones"] if zone["status"] is None and zone["nodes"]]
    if unknown:
        yield render("ZONE_UNKNOWN", language, zones=_listed(unknown))
    yield from (render(code, language, **facts) for code, facts in _against(document, language).items())
    for code in dict.fromkeys(each["code"] for each in document["eliminated"] if _is_about_nodes(each)):
        yield render(
            code,
            language,
            zones=_listed(zone["zone"] for zone in document["zones"] if code in zone["codes"]),
            traits=_listed(request["traits"]),
            pools=_listed(each["pool"] for each in request.get("pools", ())),
            size=render("size", language, **request["resources"]),
        )


def _is_about_nodes(eliminated: Document) -> bool:
    return eliminated["count"] > 0 and eliminated["filter"] not in BY_CLAUSES


def _against(document: Document, language: Language) -> dict[str, dict[str, str]]:
    """Return, per reason of clauses, the clauses and the values found in the zones."""
    refused = [zone for zone in document["zones"] if _is_refused_by_clauses(zone, document["request"])]
    requested = [zone for zone in refused if zone["zone"] in (document["request"]["zones"] or ())]
    zones = [(zone["zone"], list(map(_clause_text, _failing(zone)))) for zone in requested or refused]
    codes = dict.fromkeys(each["code"] for _, failing in zones for each in failing)
    return {
        code: {
            "clauses": _clauses(each for _, failing in zones for each in failing if each["code"] == code),
            "found": _listed(_found(name, failing, code) for name, failing in zones if _has(failing, code)).replace(
                render("until", "en"), render("until", language)
            ),
        }
        for code in codes
    }


def _is_refused_by_clauses(zone: Document, request: Document) -> bool:
    """Tell if clauses refuse the zone: its nodes, or the zone itself when it was requested and has none."""
    is_requested = request["zones"] is not None and zone["zone"] in request["zones"]
    codes = {each["code"] for each in _failing(zone)}
    return zone["status"] is not None and bool(codes) and (is_requested or not codes.isdisjoint(zone["codes"]))


def _failing(zone: Document) -> list[Document]:
    return [each for each in zone["results"] if each["result"] != "T"]


def _clause_text(result: Document) -> Document:
    is_nowhere = result["code"] == UNKNOWN and result["detail"] == REFERENCE
    return {**result, "code": NO_REFERENCE} if is_nowhere else result


def _has(results: Iterable[Document], code: str) -> bool:
    return any(each["code"] == code for each in results)


def _found(zone: str, failing: Iterable[Document], code: str) -> str:
    """Return the zone with the values that fail, where there are any."""
    details = [each["detail"] for each in failing if each["code"] == code and each["detail"] not in ("", zone)]
    return f"{zone} ({'; '.join(dict.fromkeys(details))})" if details else zone


def _remedies(document: Document, language: Language, *, operator: bool) -> list[str]:
    """Return the remedies for failed clauses.

    Each remedy comes once, for all clauses that need it; a remedy that a single relaxation covers is left out.
    """
    keys = dict.fromkeys(remedy(code, is_operator=operator) for code in _against(document, language))
    changes = {each["change"] for each in document["relaxations"]}
    covered = {"remedy.elsewhere"} if changes.intersection(("policy", "zone_asked")) else set()
    return [render(key, language) for key in keys if key and key not in covered]


def _zones_without_nodes(document: Document) -> list[str]:
    """Return the zones without nodes that the request or its policies single out."""
    requested = document["request"]["zones"]
    if document["verdict"] == "no_capacity":
        return []
    return [
        zone["zone"]
        for zone in document["zones"]
        if not zone["nodes"]
        and (zone["zone"] in requested if requested is not None else zone["results"])
        and all(each["result"] == "T" for each in zone["results"])
    ]


def _tenant_next(document: Document, language: Language) -> Iterator[str]:
    verdict = _verdict(document)
    if verdict == "admitted":
        return
    changes = {each["change"] for each in document["relaxations"]}
    possible = [each for each in document["relaxations"] if each["change"] in TENANT_CHANGES]
    yield from (_change(each, language) for each in possible)
    yield from _remedies(document, language, operator=False)
    if changes.intersection(MAINTENANCE_CHANGES):
        yield render("advice.maintenance", language)
    elif verdict == "unsatisfiable" or (verdict != "unsupported" and not possible):
        yield render(f"advice.{verdict}", language)


def _change(relaxation: Document, language: Language) -> str:
    change, facts = relaxation["change"], relaxation["facts"]
    return render(
        f"change.{change}",
        language,
        clauses=_clauses([facts]) if change == "policy" else "",
        zones=_listed(facts.get("zones", ())),
        traits=_listed(facts.get("traits", ())),
        nodes=_listed(facts.get("nodes", ())),
        size=render("size", language, **facts) if change == "size" else "",
    )


def _near_miss(miss: Document, language: Language) -> str:
    shortfall = ", ".join(f"{amount} {dimension}" for dimension, amount in miss["shortfall"].items())
    lacks = render("lacks", language, shortfall=shortfall) if shortfall else ""
    codes = _listed(miss["codes"])
    return render("near_miss", language, name=miss["name"], zone=miss["zone"], codes=codes, lacks=lacks)


def _clauses(refs: Iterable[Document]) -> str:
    """Return who demands the clauses, with their ids: policy ids mean nothing to a reader."""
    return _listed(dict.fromkeys(f"{ref['level']}/{ref['atom']}" for ref in refs))


def _listed(items: Iterable[str]) -> str:
    names = list(items)
    return ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
