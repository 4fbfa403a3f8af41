"""Officers state facts through the API; everybody reads them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.facts.statements import Statement
from controlplane.audit.models import AuditEntry
from controlplane.catalog import signing_keys
from controlplane.catalog.models import OfficerKey
from controlplane.kernel import clock
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.facts import ADA, officer, private_key, state_of, statement
from tests.world import Cloud

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def body_of(*statements: Statement) -> dict[str, Any]:
    by = officer()
    return {"facts": [by.signed(each).envelope() for each in statements]}


def custody(value: object = "provider_hsm", **more: Any) -> Statement:
    return statement("zone", "fr-idf-1", "keys.custody", value, **more)


def test_a_fact_is_stated_once_and_read_by_everybody(operator: Caller, api: Caller, cloud: Cloud) -> None:
    body = body_of(custody())

    answer = operator.post("/v1/facts", body)

    assert answer.status == 200
    (fact,) = answer.body["stated"]
    payload = body["facts"][0]["p"]
    assert {name: fact[name] for name in payload} == payload
    assert (fact["key_id"], fact["signature"]) == (body["facts"][0]["kid"], body["facts"][0]["sig"])
    assert api.get("/v1/facts").body["items"] == [fact]
    repeated = operator.post("/v1/facts", body).body
    assert repeated == {"epoch": answer.body["epoch"], "stated": [], "superseded": 0, "unchanged": 1}
    assert AuditEntry.objects.filter(verb="facts.state").count() == 1


def test_past_statements_and_valid_facts_are_both_readable(operator: Caller, api: Caller, cloud: Cloud) -> None:
    operator.post("/v1/facts", body_of(custody(), statement("zone", "fr-idf-1", "keys.module", "HSM")))
    between = as_rfc3339(clock.now())
    changes = body_of(custody(valid_to=MARCH), custody("customer_byok", valid_from=MARCH))
    assert operator.post("/v1/facts", changes).body["superseded"] == 1

    def values(query: str) -> list[str]:
        facts = api.get(f"/v1/facts?subject_kind=zone&subject_id=fr-idf-1&attribute=keys.custody{query}").body["items"]
        return [each["value"] for each in facts]

    assert values("") == ["provider_hsm", "customer_byok"]
    assert values("&at=2026-02-28T00:00:00Z") == ["provider_hsm"]
    assert values("&at=2026-03-01T00:00:00Z") == ["customer_byok"]
    assert values(f"&at=2026-03-01T00:00:00Z&believed_at={between}") == ["provider_hsm"]
    assert values("&believed_at=2020-01-01T00:00:00Z") == []
    assert len(api.get("/v1/facts").body["items"]) == 3
    assert api.get("/v1/facts?key_id=other").body["items"] == []


@pytest.mark.parametrize("name", ["at", "believed_at"])
@pytest.mark.parametrize("moment", ["now", "2026-03-01", "2026-03-01T00:00:00", "0001-01-01T00:00:00%2B14:00", "%00"])
def test_invalid_time_is_refused(api: Caller, cloud: Cloud, name: str, moment: str) -> None:
    assert api.get(f"/v1/facts?{name}={moment}").problem == (400, "invalid_parameter", name)


def test_facts_about_nodes_are_hidden_from_tenants(operator: Caller, api: Caller, cloud: Cloud) -> None:
    state_of("node", "node-1", {"node.tpm_ek_sha256": "ab" * 32})
    assert len(operator.get("/v1/facts?subject_kind=node").body["items"]) == 1
    assert api.get("/v1/facts?subject_kind=node").body["items"] == []


def test_tenants_state_nothing(api: Caller, viewer: Caller, cloud: Cloud) -> None:
    for caller in (api, viewer):
        assert caller.post("/v1/facts", body_of(custody())).problem == (403, "identity.role_needed", None)


@in_one_cloud(
    ("path", "new", "problem"),
    [
        (["p", "attribute"], "keys.colour", (400, "catalog.fact.malformed", "/facts/0/p/attribute")),
        (["p", "value"], "good", (400, "catalog.fact.malformed", "/facts/0/p/value")),
        (["p", "value"], "customer_hyok", (422, "catalog.fact.not_signed", "/facts/0/sig")),
        (["p", "colour"], "blue", (400, "catalog.fact.malformed", "/facts/0/p")),
        (["p"], {}, (400, "catalog.fact.malformed", "/facts/0/p")),
        (["p"], [], (400, "invalid_request", "/facts/0/p")),
        (["kid"], "nobody", (422, "catalog.officer_key.not_found", "/facts/0/kid")),
        (["kid"], 5, (400, "invalid_request", "/facts/0/kid")),
        (["sig"], "not base64!", (400, "invalid_request", "/facts/0/sig")),
        (["sig"], "AAAA", (422, "catalog.fact.not_signed", "/facts/0/sig")),
        (["alg"], "none", (400, "invalid_request", "/facts/0/alg")),
    ],
)
def test_invalid_fact_is_named_with_its_pointer(
    operator: Caller, cloud: Cloud, path: list[str], new: object, problem: tuple[int, str, str]
) -> None:
    body = body_of(custody())
    parent = body["facts"][0]
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    assert operator.post("/v1/facts", body).problem == problem


@in_one_cloud("facts", [[], None, {}, [5], "x"])
def test_body_without_facts_is_refused(operator: Caller, cloud: Cloud, facts: object) -> None:
    assert operator.post("/v1/facts", {"facts": facts}).status == 400


def test_errors_are_in_french(operator: Caller, cloud: Cloud) -> None:
    now = clock.now()
    operator.language = "fr"
    late = custody(attested_at=now - timedelta(days=1), review_by=now)
    answer = operator.post("/v1/facts", body_of(late))
    assert answer.problem == (422, "catalog.fact.refused", "/facts/0/p/review_by")
    assert answer.body["detail"].endswith("sa date de revue est passée, sa valeur serait donc aussitôt inconnue.")
    assert operator.post("/v1/facts", body_of(custody(), custody())).body["title"] == "Déclarations qui se recouvrent"
    operator.post("/v1/facts", body_of(custody()))
    gap = operator.post("/v1/facts", body_of(custody("none", valid_from=MARCH)))
    assert gap.problem == (422, "catalog.fact.leaves_gap", "/facts/0")
    assert "du 2020-01-01T00:00:00Z au 2026-03-01T00:00:00Z" in gap.body["detail"]


def test_officer_keys_are_added_listed_and_revoked(operator: Caller, api: Caller, cloud: Cloud) -> None:
    public = signing_keys.public_part(private_key("Grace"))
    body = {"officer": "Grace Petit", "public_key": public, "key_id": "grace-1", "not_after": "2027-06-01T00:00:00Z"}

    answer = operator.post("/v1/officer-keys", body)

    assert (answer.status, answer.headers["Location"]) == (201, "/v1/officer-keys/grace-1")
    assert answer.body["algorithm"] == "Ed25519"
    assert api.get("/v1/officer-keys?officer=Grace Petit").body["items"] == [answer.body]
    assert operator.post("/v1/officer-keys", body).status == 201
    other = body | {"public_key": signing_keys.public_part(private_key("other"))}
    assert operator.post("/v1/officer-keys", other).problem == (409, "catalog.officer_key.taken", "/key_id")
    assert operator.delete("/v1/officer-keys/grace-1").status == 204
    assert operator.delete("/v1/officer-keys/grace-1").status == 204
    assert OfficerKey.objects.get().revoked_at is not None
    assert operator.delete("/v1/officer-keys/nobody").problem == (404, "catalog.officer_key.not_found", None)


@in_one_cloud(
    ("change", "pointer"),
    [
        ({"public_key": "x"}, "/public_key"),
        ({"public_key": "x" * 3000}, "/public_key"),
        ({"officer": ""}, "/officer"),
        ({"key_id": "a\u0007"}, None),
        ({"not_after": "2020-01-01T00:00:00Z"}, "/not_after"),
        ({"not_after": "soon"}, "/not_after"),
        ({"user_id": "ada"}, "/user_id"),
        ({"private_key": "x"}, "/private_key"),
    ],
)
def test_invalid_key_is_refused(operator: Caller, cloud: Cloud, change: dict[str, object], pointer: str | None) -> None:
    answer = operator.post(
        "/v1/officer-keys", {"officer": ADA, "public_key": signing_keys.public_part(private_key(ADA)), **change}
    )
    assert answer.status == 400
    assert pointer is None or answer.problem[2] == pointer
    assert not OfficerKey.objects.exists()


def test_a_revoked_key_states_nothing(operator: Caller, cloud: Cloud) -> None:
    body = body_of(custody())
    operator.delete(f"/v1/officer-keys/{officer().key_id}")
    assert operator.post("/v1/facts", body).problem == (422, "catalog.officer_key.not_in_force", "/facts/0/kid")
