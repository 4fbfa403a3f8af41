"""SDK without a control plane."""

from typing import Any

import pytest

import andromede_sdk
from andromede_sdk import NULL, Ask, Client, MalformedAnswer, NameTaken, ServerError, Unreachable, models
from andromede_sdk.errors import ApiError, Conflict, error_of
from andromede_sdk.request import HttpRequest
from andromede_sdk.resource import Scope
from andromede_sdk.transport import Retry
from scripts import sdk, sdk_models

SCOPE: Any = Scope(None)  # type: ignore[arg-type]
KEY = {"id": "1", "name": "laptop", "public_key": "ssh-ed25519 A", "fingerprint": "SHA256:x"}
TIMES = {"created_at": "2026-01-02T03:04:05.678Z", "updated_at": "2026-01-02T03:04:05Z"}


def test_unknown_members_and_values_are_accepted() -> None:
    key = models.SshKey.read({**KEY, **TIMES, "colour": "mauve"}, SCOPE)
    assert key.raw["colour"] == "mauve"
    assert key.created_at.isoformat() == "2026-01-02T03:04:05.678000+00:00"
    operation = models.Operation.read({"id": "1", "state": "levitating", "steps": None, "finished_at": None}, SCOPE)
    assert (operation.state, operation.steps, operation.has_ended) == ("levitating", [], False)


def test_members_missing_from_an_older_control_plane_are_none() -> None:
    assert models.SshKey.read(KEY, SCOPE).updated_at is None


@pytest.mark.parametrize("document", [None, [], "text", {**KEY, "created_at": 7}, {**KEY, "created_at": "yesterday"}])
def test_malformed_answer_is_reported(document: object) -> None:
    with pytest.raises(MalformedAnswer):
        models.SshKey.read(document, SCOPE)


def test_unknown_code_maps_to_the_error_of_its_status() -> None:
    assert type(error_of(409, {"code": "tomorrow.unheard_of"})) is Conflict
    assert type(error_of(418, {"code": "teapot"})) is ApiError
    assert type(error_of(507, {})) is ServerError
    assert type(error_of(409, {"code": "dns.zone.name_taken"})) is NameTaken
    assert str(error_of(502, {})) == "HTTP 502 (502, request unknown)"


def test_none_is_not_sent_and_null_is() -> None:
    ask = Ask("PATCH", "/v1/here", body={"name": None, "expires_at": NULL, "labels": {"env": None}})
    assert SCOPE.call(ask).body == {"expires_at": None, "labels": {"env": None}}


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_invalid_name_reaches_no_other_route(name: str) -> None:
    with Client("http://127.0.0.1:1", project="demo") as client:
        with pytest.raises(ValueError, match="is the name or id of no instance"):
            client.instances.delete(name)
        with pytest.raises(ValueError, match="project"):
            client.within(name).instances.list().first()


@pytest.mark.parametrize("name", ["a/../../nodes", "a?b", "a#b", "a b", "é", "%2e%2e"])
def test_a_name_is_one_segment_of_the_path(name: str) -> None:
    with Client("http://127.0.0.1:1", project="demo") as client:
        ask = Ask("GET", "/v1/projects/{project}/instances/{instance}", {"instance": name})
        call = client.scope.call(ask)
        request = client.scope.transport.http.build_request("GET", call.path)
    assert request.url.raw_path.count(b"/") == 5
    assert b"?" not in request.url.raw_path


@pytest.mark.parametrize(
    "url", ["http://cloud.example.org", "ftp://127.0.0.1", "cloud.example.org", "https://user:word@cloud.example.org"]
)
def test_token_is_not_sent_without_tls(url: str) -> None:
    with pytest.raises(ValueError, match="cloud.example.org|127"):
        Client(url, "secret")


def test_token_with_invalid_characters_is_refused_and_not_printed() -> None:
    for token in ("abc\r\nX-Evil: 1", "a b", "é"):
        with pytest.raises(ValueError, match="no token has") as refused:
            Client("http://127.0.0.1:1", token)
        assert token not in str(refused.value)


def test_every_route_has_its_own_method() -> None:
    with Client("http://127.0.0.1:1", project="demo") as client:
        for manager, routes in sdk.managers().items():
            names = [route.name for route in routes]
            assert len(set(names)) == len(names), manager
            assert all(callable(getattr(getattr(client, manager), name)) for name in names)


def test_unsupported_schemas_are_left_to_the_raw_json() -> None:
    stream = {"operationId": "thing_stream", "responses": {"200": {"content": {"text/event-stream": {"schema": {}}}}}}
    route = sdk.Route("GET", "/v1/things/stream", stream, {})
    assert (route.manager, route.name, sdk.return_type(route)) == ("things", "stream", "Iterator[dict[str, Any]]")
    odd = {"operationId": "thing_put", "responses": {}, "requestBody": {"content": {"text/yaml": {"schema": {}}}}}
    assert not sdk.Route("PUT", "/v1/things", odd, {}).is_possible
    schema = {"properties": {"providers.v1": {"type": "string"}, "from": {"type": "string"}, "secret": {}}}
    lines = list(sdk_models.model_lines("Thing", schema))
    assert [line.strip() for line in lines[4:]] == ["from_: str | None", "secret: Any = field(repr=False)"]


def test_repr_hides_request_bodies() -> None:
    ask = Ask("POST", "/v1/sessions", body={"password": "three small green doors"})
    with Client("http://127.0.0.1:1") as client:
        assert "doors" not in repr(ask) + repr(client.scope.call(ask))


def test_missing_project_names_the_next_step() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(ValueError, match="within"):
        client.instances.list().first()


def test_pauses_grow_to_a_limit_and_follow_retry_after() -> None:
    retry = Retry(first_pause_s=1, longest_pause_s=8)
    for number, most in ((0, 1), (1, 2), (3, 8), (9, 8)):
        assert most / 2 <= retry.pause_s(number, None) <= most
    assert retry.pause_s(0, 30) == 30


def test_pause_function_may_end_the_retries() -> None:
    asked: list[float] = []

    def pause(call: HttpRequest, pause_s: float) -> bool:
        asked.append(pause_s)
        return len(asked) < 3

    with Client("http://127.0.0.1:1", retry=Retry(tries=100, pause=pause)) as client, pytest.raises(Unreachable):
        client.zones.list().first()
    assert len(asked) == 3


def test_call_may_have_its_own_timeout() -> None:
    def never(call: HttpRequest, pause_s: float) -> bool:
        raise AssertionError("there was no time for it")

    with Client("http://127.0.0.1:1", retry=Retry(pause=never)) as client, pytest.raises(Unreachable):
        client.scope.transport.send(HttpRequest("GET", "/v1/zones", limit_s=0))


def test_public_names_load_lazily() -> None:
    assert all(getattr(andromede_sdk, name) is not None for name in andromede_sdk.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = andromede_sdk.nothing
