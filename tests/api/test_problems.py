"""Errors as problems: their form, their language, and that nothing escapes it."""

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.utils.translation import override

from controlplane.api import problems
from controlplane.compute.models import Instance
from controlplane.kernel import error_messages, errors
from controlplane.nodes.errors import NodeUnreachable
from controlplane.operations.errors import DeadlineExceeded
from controlplane.placement.errors import InsufficientCapacity
from controlplane.quotas.errors import QuotaExceeded
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.world import Cloud


def test_problem_has_all_members(api: Caller, cloud: Cloud) -> None:
    answer = api.get("instances/nobody", X_Request_Id="from-the-caller")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-Id"] == "from-the-caller"
    assert answer.body == {
        "type": "/v1/problems/compute.instance.not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no instance 'nobody' here.",
        "code": "compute.instance.not_found",
        "facts": {"name": "nobody"},
        "retryable": False,
        "request_id": "from-the-caller",
        "errors": [],
    }


@in_one_cloud("sent", ["", "short", "a" * 65, "with space", "semi;colon"])
def test_invalid_request_id_is_replaced(api: Caller, cloud: Cloud, sent: str) -> None:
    answer = api.get("limits", X_Request_Id=sent)
    assert answer.headers["X-Request-Id"] != sent
    assert len(answer.headers["X-Request-Id"]) == 36


@pytest.mark.parametrize(
    ("language", "title", "detail"),
    [
        ("fr", "Introuvable", "Il n’y a pas d’instance «\u00a0x\u00a0» ici."),
        ("fr-CA,fr;q=0.8,en;q=0.5", "Introuvable", "Il n’y a pas d’instance «\u00a0x\u00a0» ici."),
        ("en", "Not found", "There is no instance 'x' here."),
        ("de", "Not found", "There is no instance 'x' here."),
        ("", "Not found", "There is no instance 'x' here."),
    ],
)
def test_problem_is_in_the_language_of_the_caller(
    api: Caller, cloud: Cloud, language: str, title: str, detail: str
) -> None:
    api.language = language
    answer = api.get("instances/x")
    assert (answer.body["title"], answer.body["detail"]) == (title, detail)
    assert answer.body["code"] == "compute.instance.not_found"


def test_field_errors_are_in_french(api: Caller, cloud: Cloud) -> None:
    api.language = "fr"
    body = api.post("volumes", {"name": "x", "size_gib": "5", "colour": 1}).body
    assert [each["detail"] for each in body["errors"]] == [
        "Il n’y a pas de tel champ ici.",
        "Doit être un nombre entier.",
    ]
    detail = api.post("volumes", {"name": "X", "size_gib": 5}).body["detail"]
    assert "lettres minuscules" in detail


REASONS: list[tuple[str, str, Any, str]] = [
    ("GET", "/v1/zones/fr-idf-1/capacity", None, "flavor n’est pas valide : il est nécessaire."),
    ("GET", "instances?limit=0", None, "il faut un nombre entier de 1 à 200."),
    ("GET", "instances?state=asleep", None, "il faut une de ces valeurs : building, "),
    ("POST", "instances/web/actions/start", {}, "dans l’état « stopped ou error »."),
    ("POST", "networks", {"name": "n", "cidr": "10.0.0.1/8"}, "écrivez une plage IPv4 par sa première adresse"),
    ("POST", "networks", {"name": "n", "cidr": "10.0.0.0/30"}, "son préfixe doit être de /"),
    ("POST", "ssh-keys", {"name": "k", "public_key": "ssh-dss A"}, "son type doit être l’un de ssh-ed25519, "),
    ("POST", "instances", {"name": 5, "flavor": "tiny", "image": "tiny"}, "/name : Doit être un texte."),
    ("PUT", "policy", {"atoms": [{"id": "a", "op": "in"}]}, "atoms/0/attr (clause a) : manque."),
    ("PUT", "policy", {"atoms": [{"id": "a", "op": "is", "attr": "ual", "value": 1}]}, "ual n’admet que : ge, le."),
    ("PUT", "policy", {"atoms": [{"id": "a", "op": "le", "attr": "ual", "value": 9}]}, "un nombre entier de 0 à 4."),
]


def test_reasons_are_in_french(api: Caller, instance: Instance) -> None:
    api.language = "fr"
    for method, path, body, text in REASONS:
        path = path if path != "policy" else f"/v1/projects/{api.project}/policy"
        detail = api.call(method, path, body, If_Match="*").body["detail"]
        assert text in detail.replace("\u00a0", " ")


def test_stored_reason_is_translated_to_french() -> None:
    last = NodeUnreachable().reason
    stored = json.loads(json.dumps(DeadlineExceeded(limit_s=60, obstacle=last).as_document()))
    assert stored["detail"].endswith(f"step was: {NodeUnreachable.detail}")
    with override("fr"):
        described = error_messages.describe_document(stored)
    assert str(described["detail"]).endswith("étape\u00a0: Le nœud nécessaire ne répond pas. Réessayez plus tard.")


def test_a_refusal_of_placement_is_explained_in_french(api: Caller, cloud: Cloud) -> None:
    body = {"name": "web", "flavor": "tiny", "image": "tiny"}
    cloud.flavor.vcpus = 1000
    cloud.flavor.save()
    english = api.post("instances", body).body
    api.language = "fr"
    french = api.post("instances", body).body
    assert english["title"] == "Not enough capacity"
    assert french["title"] == "Capacité insuffisante"
    assert french["detail"].startswith("Aucun nœud adapté n’a assez de capacité libre")
    assert french["detail"] != english["detail"]
    decision = api.get(f"decisions/{french['placement_decision']}").body
    assert decision["explanation"][0] in french["detail"]


@in_one_cloud("path", ["/v2", "/v1", "/v1/", "/v1/nothing", "/v1/projects/alpha/nothing", "/v1/zones/"])
def test_unknown_route_is_not_found(api: Caller, cloud: Cloud, path: str) -> None:
    assert api.get(path).problem == (404, "route_not_found", None)


def test_unknown_method_is_refused(api: Caller, cloud: Cloud) -> None:
    for method in ("PUT", "OPTIONS", "TRACE"):
        answer = api.call(method, "instances")
        assert answer.problem == (405, "method_not_allowed", None)
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/openid-providers", "/v1/projects"])
def test_unknown_method_is_refused_without_a_credential(db: None, path: str) -> None:
    assert Caller(token=None).call("TRACE", path).problem == (405, "method_not_allowed", None)


def test_unknown_host_is_refused(api: Caller, cloud: Cloud) -> None:
    assert api.get("instances", Host="evil.example").problem == (400, "request_malformed", None)


def test_any_accept_header_gets_json(api: Caller, cloud: Cloud) -> None:
    assert api.get("instances", Accept="text/html").status == 200


def test_internal_error_hides_its_details(
    unbroken: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*args: Any) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr("controlplane.compute.selectors.instances", explode)
    answer = unbroken.get("instances", X_Request_Id="find-me-again")
    assert answer.problem == (500, "internal", None)
    assert answer.body["request_id"] == "find-me-again"
    assert "1234" not in answer.text
    assert "1234" in caplog.text


def test_unavailable_database_is_reported_without_details(
    api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*args: Any) -> None:
        raise OperationalError("connection to 10.1.2.3 refused")

    monkeypatch.setattr("controlplane.compute.selectors.instances", explode)
    answer = api.get("instances")
    assert answer.problem == (503, "unavailable", None)
    assert "Retry-After" in answer.headers
    assert "10.1.2.3" not in answer.text


def test_health_and_description_are_open(cloud: Cloud) -> None:
    anybody = Caller(token=None)
    assert anybody.get("/v1/healthz").body == {"status": "ok"}
    assert anybody.get("/v1/openapi.json").body["openapi"].startswith("3.1")


def test_health_reports_a_missing_database(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def cursor(self) -> None:
            raise OperationalError("gone")

    monkeypatch.setattr("controlplane.api.v1.service.views.connection", Gone())
    assert Caller(token=None).get("/v1/healthz").problem == (503, "unavailable", None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequest, 400),
        (errors.Unauthenticated, 401),
        (errors.Forbidden, 403),
        (errors.NotFound, 404),
        (QuotaExceeded, 409),
        (InsufficientCapacity, 409),
        (errors.Unprocessable, 422),
        (errors.Unavailable, 503),
        (errors.CloudError, 500),
    ],
)
def test_error_has_its_status(error: type[errors.CloudError], status: int) -> None:
    assert problems.status_of(error) == status
