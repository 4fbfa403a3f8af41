"""A refusal teaches: what happened, why, and what to do next, in the reader's language."""

import json
from typing import Any

from controlplane.placement.core.decide import decide
from controlplane.placement.core.decision import as_document
from controlplane.placement.core.explain import operator, tenant, tenant_view
from controlplane.placement.core.filters import FILTERS
from controlplane.placement.core.fleet import Fleet
from controlplane.placement.core.request import Request, Resources
from controlplane.placement.core.sentences import SENTENCES
from tests.unit.placement.examples import (
    NOW,
    OPEN_WORLD,
    PARIS,
    RHINE,
    VIRGINIA,
    ask,
    fleet,
    node,
    only_in,
    three_zones,
)


def stored(request: Request, nodes: Fleet) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(as_document(decide(request, nodes, OPEN_WORLD, now=NOW, seed=7))))
    return document


def test_a_policy_refusal_in_english() -> None:
    document = stored(ask(policies=(only_in("fr-est-1"),)), three_zones())
    assert tenant(document) == [
        "No node may take it, whatever its size.",
        "Refused by policy (project/loc): de-rhein-1, fr-idf-1, us-va-1.",
        "Only the policy clause project/loc stands in the way of: de-rhein-1, fr-idf-1, us-va-1. "
        "Its owner can widen it.",
    ]


def test_a_lack_of_room_in_french_names_the_size_that_fits() -> None:
    nodes = fleet(node("n1", used=Resources(vcpus=14)))
    assert tenant(stored(ask(resources=Resources(4, 1024, 10)), nodes), "fr-CA") == [
        "Tous les nœuds admissibles manquent de place en ce moment.",
        "Nœuds sans place pour 4 vCPU, 1024 Mio de mémoire, 10 Gio de disque, dans : fr-idf-1.",
        "Cette taille conviendrait maintenant : 2 vCPU, 1024 Mio de mémoire, 10 Gio de disque.",
    ]


def test_a_zone_without_nodes_is_said_to_have_none() -> None:
    document = stored(ask(zones=(VIRGINIA,)), fleet(node("n1")))
    assert "No node is enrolled in: us-va-1." in tenant(document)
    assert "Ask for one of these zones instead: fr-idf-1." in tenant(document)


def test_maintenance_is_for_operators_and_tenants_are_told_to_wait() -> None:
    document = stored(ask(), fleet(node("n1", is_cordoned=True)))
    assert tenant(document)[-1] == "It would fit once maintenance or a repair is over: try again later."
    assert operator(document)[-2:] == ["Close: n1-name (fr-idf-1): NODE_CORDONED.", "Uncordon one of these nodes: n1."]


def test_when_no_single_change_helps_there_is_still_advice() -> None:
    document = stored(ask(zones=(RHINE,), policies=(only_in(PARIS),)), three_zones())
    single = tenant(document)
    assert single[-1].startswith("Only the policy clause") or single[-1].startswith("Ask for")
    nothing = stored(ask(traits=frozenset({"tpm"}), zones=(RHINE,)), fleet(node("n1")))
    assert tenant(nothing)[-1].startswith("Several of these reasons")


def test_a_contradiction_names_both_sides() -> None:
    policies = (only_in(PARIS, level="organization"), only_in(VIRGINIA, level="project"))
    told = tenant(stored(ask(policies=policies), three_zones()))
    assert told[0].endswith("organization/loc, project/loc.")
    assert told[-1] == "The owners of these clauses must agree on at least one place."


def test_an_admission_is_told_by_zone() -> None:
    assert tenant(stored(ask(), fleet(node("n1")))) == ["It can be placed in: fr-idf-1."]


def test_a_tenant_sees_zones_and_reasons_and_no_node() -> None:
    document = stored(ask(near=frozenset({"secret-2"})), fleet(node("secret-1")))
    view = tenant_view(document)
    assert {zone["zone"]: zone["codes"] for zone in view["zones"]}[PARIS] == ["NOT_NEAR"]
    assert "secret" in json.dumps(document)
    assert "secret" not in json.dumps(view)


def test_every_reason_has_a_sentence_in_both_languages() -> None:
    assert {each.code for each in FILTERS} <= SENTENCES.keys()
    assert all(english and french and english != french for english, french in SENTENCES.values())
