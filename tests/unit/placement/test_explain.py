"""A refusal teaches: what happened, why, and what to do next, in the reader's language."""

import json
from typing import Any

import pytest

from andromede_core.facts.certificates import PROGRESS
from andromede_core.facts.world import World
from andromede_core.placement.decide import decide
from andromede_core.placement.decision import as_document
from andromede_core.placement.explanation import operator, tenant, tenant_view
from andromede_core.placement.filters import FILTERS
from andromede_core.placement.fleet import Fleet
from andromede_core.placement.request import ResolvedRequest, Resources
from andromede_core.placement.texts import REMEDIES, TEXTS, remedy, render
from andromede_core.policy.clauses import Policy, Role
from andromede_core.policy.document import parse
from andromede_core.policy.evaluation import TESTS, UNSUPPORTED
from tests.unit.placement.examples import (
    OPEN_WORLD,
    PARIS,
    RHINE,
    VIRGINIA,
    ask,
    assessed,
    fleet,
    node,
    only_in,
    three_zones,
)
from tests.unit.placement.sample import EU, OWNERSHIP, catalogue, certificate, policy, secnumcloud, world


def stored(request: ResolvedRequest, nodes: Fleet) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        json.dumps(as_document(decide(request, nodes, assessed(request, OPEN_WORLD), seed=7)))
    )
    return document


def test_policy_refusal_is_explained_in_english() -> None:
    document = stored(ask(policies=(only_in("fr-est-1"),)), three_zones())
    assert tenant(document) == [
        "No node is admitted, whatever the requested size.",
        "Refused by policy (project/loc): de-rhein-1, fr-idf-1, us-va-1.",
        "Only the policy clause project/loc excludes: de-rhein-1, fr-idf-1, us-va-1. "
        "The owner of the policy can relax it.",
    ]


def test_a_lack_of_room_in_french_names_the_size_that_fits() -> None:
    nodes = fleet(node("n1", used=Resources(vcpus=14)))
    assert tenant(stored(ask(resources=Resources(4, 1024, 10)), nodes), "fr-CA") == [
        "Aucun nœud admissible n'a assez de capacité libre en ce moment.",
        "Des nœuds de fr-idf-1 n'ont pas assez de capacité libre pour 4 vCPU, 1024 Mio de mémoire, 10 Gio de disque.",
        "Cette taille convient maintenant : 2 vCPU, 1024 Mio de mémoire, 10 Gio de disque.",
    ]


def test_zone_without_nodes_is_explained() -> None:
    document = stored(ask(zones=(VIRGINIA,)), fleet(node("n1")))
    assert "There are no nodes in us-va-1." in tenant(document)
    assert "Request one of these zones instead: fr-idf-1." in tenant(document)


def test_cordon_is_explained_to_operators_and_waiting_to_tenants() -> None:
    document = stored(ask(), fleet(node("n1", is_cordoned=True)))
    assert tenant(document)[-1] == "Placement is possible after the maintenance or repair: try again later."
    assert operator(document)[-2:] == [
        "Nearly admitted: n1-name (fr-idf-1): NODE_CORDONED.",
        "Uncordon one of these nodes: n1.",
    ]


def test_requested_host_is_explained() -> None:
    document = stored(ask(host="n1"), fleet(node("n1", is_cordoned=True), node("n2")))
    assert document["request"]["host"] == "n1"
    assert tenant(document, "fr") == [
        "Aucun nœud n'est admissible, quelle que soit la taille demandée.",
        "Des nœuds de fr-idf-1 ne sont pas le nœud demandé.",
        "Des nœuds de fr-idf-1 sont exclus des nouveaux placements pour une maintenance.",
        "Ne demandez pas de nœud précis : un autre nœud est possible.",
        "Le placement sera possible après la maintenance ou la réparation : réessayez plus tard.",
    ]
    assert "Do not request a particular node: another node is possible." in operator(document)
    assert "n1" not in json.dumps(tenant_view(document))


def test_refusal_without_a_single_relaxation_has_advice() -> None:
    document = stored(ask(zones=(RHINE,), policies=(only_in(PARIS),)), three_zones())
    single = tenant(document)
    assert single[-1].startswith("Only the policy clause") or single[-1].startswith("Request one")
    nothing = stored(ask(traits=frozenset({"tpm"}), zones=(RHINE,)), fleet(node("n1")))
    assert tenant(nothing)[-1].startswith("No single change")


def test_a_contradiction_names_both_sides() -> None:
    policies = (only_in(PARIS, level="organization"), only_in(VIRGINIA, level="project"))
    stored_refusal = tenant(stored(ask(policies=policies), three_zones()))
    assert stored_refusal[0].endswith("organization/loc, project/loc.")
    assert stored_refusal[-1] == "The owners of these clauses must agree on at least one zone."


def test_admission_is_explained_by_zone() -> None:
    assert tenant(stored(ask(), fleet(node("n1")))) == ["The request can be placed in: fr-idf-1."]


def test_a_tenant_sees_zones_and_reasons_and_no_node() -> None:
    document = stored(ask(near=frozenset({"secret-2"})), fleet(node("secret-1")))
    view = tenant_view(document)
    assert {zone["zone"]: zone["codes"] for zone in view["zones"]}[PARIS] == ["NOT_NEAR"]
    assert "secret" in json.dumps(document)
    assert "secret" not in json.dumps(view)


def test_every_reason_has_a_sentence_in_both_languages() -> None:
    assert {each.code for each in FILTERS} <= TEXTS.keys()
    assert all(english and french and english != french for english, french in TEXTS.values())


# --- why clauses refuse, on the sample catalogue

KNOWN = world()
EVERYWHERE = fleet(*(node(f"secret-{zone}", zone) for zone in KNOWN.zones))


def stored_refusal(zone: str, *layers: Policy, role: Role = "compute", known: World = KNOWN) -> dict[str, Any]:
    request = ask(zones=(zone,), policies=layers, roles=(role,))
    document: dict[str, Any] = json.loads(
        json.dumps(as_document(decide(request, EVERYWHERE, assessed(request, known), seed=7)))
    )
    return document


REASONS: list[tuple[str, list[Any], str, str, str, str]] = [
    (
        "us-va-1",
        EU,
        "Refused by policy (organization/loc, organization/keyloc, organization/logs, organization/meta, "
        "organization/adm): us-va-1 (US).",
        "Refusé par une politique (organization/loc, organization/keyloc, organization/logs, organization/meta, "
        "organization/adm) : us-va-1 (US).",
        "Request one of these zones instead: de-rhein-1, fi-hel-1, fi-hel-2, fr-est-1, fr-est-2, fr-idf-1, fr-idf-2, "
        "fr-idf-3 …",
        "Request one of these zones instead: de-rhein-1, fi-hel-1, fi-hel-2, fr-est-1, fr-est-2, fr-idf-1, fr-idf-2, "
        "fr-idf-3 …",
    ),
    (
        "fi-hel-2",
        OWNERSHIP[5:6],
        "Refused: facts are missing, due for review or below the required assurance (organization/veto): "
        "fi-hel-2 (op-zeta: party.non_eu_veto).",
        "Refusé : des faits manquent, sont à revoir ou n'ont pas l'assurance exigée (organization/veto) : "
        "fi-hel-2 (op-zeta: party.non_eu_veto).",
        "Ask the operator of the zone to record the missing facts; another zone may not be necessary.",
        "Record these facts with the required assurance, signed by a sovereignty officer.",
    ),
    (
        "fr-sud-1",
        OWNERSHIP[4:5],
        "Above the limit of a policy (organization/coll): fr-sud-1 (op-beta: 41.00).",
        "Au-dessus de la limite d'une politique (organization/coll) : fr-sud-1 (op-beta: 41.00).",
        "",
        "",
    ),
    (
        "us-va-1",
        [{"id": "sov", "attr": "seal.SOV-3", "op": "ge", "value": 2}],
        "Below the level that a policy requires (organization/sov): us-va-1 (0).",
        "En dessous du niveau qu'une politique exige (organization/sov) : us-va-1 (0).",
        "",
        "",
    ),
    (
        "de-rhein-2",
        [{"id": "cut", "attr": "disconnect.tested_at", "op": "within_days", "value": 365}],
        "The last test is too old (organization/cut): de-rhein-2 (2025-03-02T00:00:00Z).",
        "Le dernier essai est trop ancien (organization/cut) : de-rhein-2 (2025-03-02T00:00:00Z).",
        "Ask the operator of the zone to repeat the test and to record its date.",
        "Repeat the test and record its date.",
    ),
    (
        "fr-est-1",
        [secnumcloud(days=90)],
        "The certificate expires sooner than a policy allows (organization/snc): "
        "fr-est-1 (SecNumCloud FICTIF-SNC-4, until 2027-01-31T00:00:00Z).",
        "Le certificat expire plus tôt qu'une politique ne l'admet (organization/snc) : "
        "fr-est-1 (SecNumCloud FICTIF-SNC-4, jusqu'au 2027-01-31T00:00:00Z).",
        "The certificate is still valid: ask for its renewal, or ask the owner of the clause for a shorter margin.",
        "The certificate is still valid: ask for its renewal, or ask the owner of the clause for a shorter margin.",
    ),
    (
        "fr-est-2",
        [secnumcloud()],
        "The certificate is suspended (organization/snc): fr-est-2 (SecNumCloud FICTIF-SNC-5).",
        "Le certificat est suspendu (organization/snc) : fr-est-2 (SecNumCloud FICTIF-SNC-5).",
        "Only the issuer can lift the suspension: choose another zone until then.",
        "Only the issuer can lift the suspension: choose another zone until then.",
    ),
    (
        "fr-idf-3",
        [secnumcloud()],
        "The certificate does not cover this kind of service (organization/snc): fr-idf-3 (SecNumCloud FICTIF-SNC-3).",
        "Le certificat ne couvre pas ce type de service (organization/snc) : fr-idf-3 (SecNumCloud FICTIF-SNC-3).",
        "Choose a zone that has the certificate; only the issuer can certify another zone.",
        "Choose a zone that has the certificate; only the issuer can certify another zone.",
    ),
    (
        "fr-sud-1",
        [secnumcloud()],
        "Not certified (organization/snc): fr-sud-1 (SecNumCloud).",
        "Certification absente (organization/snc) : fr-sud-1 (SecNumCloud).",
        "Choose a zone that has the certificate; only the issuer can certify another zone.",
        "Choose a zone that has the certificate; only the issuer can certify another zone.",
    ),
]


@pytest.mark.parametrize(("zone", "clauses", "english", "french", "for_tenants", "for_operators"), REASONS)
def test_refusal_has_the_finding_and_the_remedy(
    zone: str, clauses: list[Any], english: str, french: str, for_tenants: str, for_operators: str
) -> None:
    document = stored_refusal(zone, policy(*clauses))
    for explain, remedy_ in ((tenant, for_tenants), (operator, for_operators)):
        assert english in explain(document)
        assert french in explain(document, "fr")
        assert not remedy_ or remedy_ in explain(document)


@pytest.mark.parametrize(
    ("changes", "code", "explanation"),
    [
        ({"version": "3.1"}, "CERT_VERSION", "fr-idf-1 (SecNumCloud FICTIF-SNC-1)"),
        ({"valid_from": "2027-01-01T00:00:00Z"}, "CERT_NOT_YET_VALID", "fr-idf-1 (SecNumCloud FICTIF-SNC-1)"),
        (
            {"valid_to": "2026-11-01T00:00:00Z"},
            "CERT_EXPIRED",
            "fr-idf-1 (SecNumCloud FICTIF-SNC-1, {until} 2026-11-01T00:00:00Z)",
        ),
        ({"status": "withdrawn"}, "CERT_WITHDRAWN", "fr-idf-1 (SecNumCloud FICTIF-SNC-1)"),
    ],
)
def test_ended_certificate_is_explained_with_its_date(changes: dict[str, str], code: str, explanation: str) -> None:
    document = catalogue()
    certificate(document, "fr-idf-1", "SecNumCloud").update(changes)
    stored_ = stored_refusal("fr-idf-1", policy(secnumcloud()), known=world(document))
    for language, until in (("en", "until"), ("fr", "jusqu'au")):
        for explain in (tenant, operator):
            lines = explain(stored_, language)
            assert any(
                "(organization/snc)" in line and f" {explanation.format(until=until)}." in line for line in lines
            )
    assert {zone["zone"]: zone["codes"] for zone in stored_["zones"]}["fr-idf-1"] == {code: 1}


def test_each_reason_is_given_once_with_all_its_zones() -> None:
    layers = (policy(*EU, secnumcloud(days=90)), policy(*OWNERSHIP, level="project", name="pol-2"))
    request = ask(policies=layers, traits=frozenset({"tpm"}))
    document = json.loads(json.dumps(as_document(decide(request, EVERYWHERE, assessed(request, KNOWN), seed=7))))
    lines = tenant(document)
    assert sum(line.startswith("Refused: facts are missing") for line in lines) == 1
    assert any(line.startswith("Not certified (organization/snc): de-rhein-1 (SecNumCloud),") for line in lines)
    assert "The certificate is suspended (organization/snc): fr-est-2 (SecNumCloud FICTIF-SNC-5)." in lines
    assert len(lines) == len(set(lines))
    visible = json.dumps([lines, tenant(document, "fr"), tenant_view(document)])
    assert "secret" not in visible and "secret" in json.dumps(document)


def test_decision_keeps_the_versions_of_its_sets() -> None:
    assert stored_refusal("us-va-1", policy(*EU))["sets"] == [
        {"kind": "set", "name": "@EU", "valid_from": "2020-02-01T00:00:00Z"}
    ]


def test_requested_zone_without_nodes_has_its_reasons() -> None:
    request = ask(zones=("fr-sud-1",), policies=(policy(secnumcloud()),))
    document = as_document(decide(request, fleet(node("n1", "fr-idf-1")), assessed(request, KNOWN), seed=7))
    assert "Not certified (organization/snc): fr-sud-1 (SecNumCloud)." in tenant(document)


def test_unknown_zone_is_explained() -> None:
    document = stored(ask(policies=(only_in(PARIS),)), fleet(node("n1", "xx-new-1")))
    assert "No facts are recorded for xx-new-1." in tenant(document)
    assert "Aucun fait n'est enregistré pour xx-new-1." in operator(document, "fr")


def test_unsupported_classification_has_no_remedy_here() -> None:
    classified = parse({"id": "classified", "level": "classification", "atoms": [], "unsupported": True})
    document = stored(ask(policies=(classified,)), fleet(node("n1")))
    assert tenant(document) == [
        "No zone of this platform can satisfy these clauses: classification/classified.",
        "This platform cannot store classified information (classification/classified): fr-idf-1.",
        "No setting changes this: classified information requires an accredited system.",
    ]
    assert (
        operator(document, "fr")[0]
        == "Aucune zone de cette plateforme ne peut satisfaire ces clauses : classification/classified."
    )


def test_distance_without_a_reference_is_no_missing_fact() -> None:
    """Stored decisions may have it: no operation of this release evaluates a distance."""
    far = policy({"id": "far", "attr": "ual", "op": "ge", "value": 1}, level="project")
    document = json.loads(
        json.dumps(stored_refusal("fr-idf-1", far)).replace('"ATTR_UNKNOWN", "ual"', '"ATTR_UNKNOWN", "reference"')
    )
    assert {zone["zone"]: zone["codes"] for zone in document["zones"]}["fr-idf-1"] == {"ATTR_UNKNOWN": 1}
    for explain in (tenant, operator):
        assert "Refused: the zone that a distance is measured from is not known (project/far)." in explain(document)
        assert "Refusé : la zone depuis laquelle une distance est mesurée n'est pas connue (project/far)." in explain(
            document, "fr"
        )
        assert TEXTS["remedy.reference"][0] in explain(document)
        assert not any("Ask the operator" in each or "Record these facts" in each for each in explain(document))


def test_every_reason_of_a_clause_has_a_sentence_and_a_remedy() -> None:
    reasons = {code for _, code in TESTS.values()} | {*PROGRESS[:-1], "ATTR_UNKNOWN", "TOO_CLOSE", UNSUPPORTED}
    assert reasons <= TEXTS.keys() and reasons <= REMEDIES.keys()
    for code in REMEDIES:
        assert code in TEXTS
        assert {remedy(code, is_operator=True), remedy(code, is_operator=False)} <= TEXTS.keys()
    assert remedy("ZONE_CLOSED", is_operator=True) is None


def test_unknown_reason_is_shown_as_its_code() -> None:
    assert render("SOMETHING_NEW", "fr", clauses="x") == "SOMETHING_NEW."
