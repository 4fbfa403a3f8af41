"""Bad input is refused with the name of the field, and nothing is written."""

import re
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from controlplane.compute.models import Instance
from controlplane.network.models import Network
from controlplane.operations.models import Operation
from controlplane.quotas.models import QuotaUse
from controlplane.storage.models import Volume
from tests.api.client import Caller
from tests.api.contract import contract
from tests.cases import in_one_cloud
from tests.nightly import thinned
from tests.world import Cloud

WEB: dict[str, Any] = {"name": "web", "flavor": "tiny", "image": "tiny"}
DATA: dict[str, Any] = {"name": "data", "size_gib": 1}
LAN: dict[str, Any] = {"name": "lan-2", "cidr": "10.0.0.0/24"}
NAMES = [
    "",
    " ",
    "Web",
    "web_1",
    "-web",
    "web-",
    "1web",
    "été",
    "web server",
    "web.example.org",
    "web;reboot",
    "$(reboot)",
    "`reboot`",
    "../../etc/passwd",
    "web'--",
    "<name>&amp;</name>",
    "]]>",
    "01890000-0000-7000-8000-000000000000",
    "w" * 64,
]


@pytest.fixture(autouse=True)
def nothing_is_written(cloud: Cloud) -> Any:
    before = QuotaUse.objects.count()
    yield
    assert not Instance.objects.exists()
    assert not Volume.objects.exists()
    assert not Operation.objects.exists()
    assert Network.objects.count() == 1
    assert QuotaUse.objects.count() == before


def refused(api: Caller, path: str, body: Any) -> tuple[int, str, str | None, str]:
    """The problem, and the code of its first error."""
    answer = api.post(path, body)
    errors = answer.body["errors"]
    return (*answer.problem, errors[0]["code"] if errors else "")


@pytest.mark.parametrize(("path", "body"), [("instances", WEB), ("volumes", DATA), ("networks", LAN)])
def test_invalid_name_is_refused(api: Caller, path: str, body: dict[str, Any]) -> None:
    for name in NAMES:
        status, code, pointer, _ = refused(api, path, body | {"name": name})
        assert (status, pointer) == (400, "/name"), name
        assert code in ("invalid_name", "invalid_request"), name


@in_one_cloud("character", ["\n", "\t", "\x1b", "\x85", "\u2028", "\u202e"])
def test_control_characters_in_names_are_refused(api: Caller, character: str) -> None:
    status, code, pointer, _ = refused(api, "instances", WEB | {"name": f"web{character}1"})
    assert (status, pointer) == (400, "/name")
    assert code in ("invalid_request", "body_malformed")


CONTRADICTORY: list[tuple[str, Any, str, str]] = [
    ("instances", WEB | {"colour": "blue"}, "/colour", "unknown_field"),
    ("instances", WEB | {"node": "node-1"}, "/node", "unknown_field"),
    ("instances", {"name": "web", "flavor": "tiny"}, "/image", "required"),
    ("instances", WEB | {"name": 5}, "/name", "wrong_type"),
    ("instances", WEB | {"name": None}, "/name", "wrong_type"),
    ("instances", WEB | {"name": ["web"]}, "/name", "wrong_type"),
    ("instances", WEB | {"flavor": {"id": "tiny"}}, "/flavor", "wrong_type"),
    ("instances", WEB | {"networks": "lan"}, "/networks", "wrong_type"),
    ("instances", WEB | {"networks": {"lan": 1}}, "/networks", "wrong_type"),
    ("instances", WEB | {"networks": ["lan", 5]}, "/networks/1", "wrong_type"),
    ("instances", WEB | {"networks": ["x"] * 9}, "/networks", "too_long"),
    ("instances", WEB | {"image": "i" * 81}, "/image", "too_long"),
    ("instances", WEB | {"labels": ["env"]}, "/labels", "wrong_type"),
    ("instances", WEB | {"labels": {"env": 1}}, "/labels/env", "wrong_type"),
    ("instances", WEB | {"labels": {"env": "v" * 64}}, "/labels/env", "too_long"),
    ("instances", WEB | {"user_data": 1}, "/user_data", "wrong_type"),
    ("instances", WEB | {"user_data_base64": "no base64!"}, "/user_data_base64", "not_base64"),
    ("instances", WEB | {"user_data": "a", "user_data_base64": "YQ=="}, "", "user_data_twice"),
    ("instances", ["web"], "", "wrong_type"),
    ("instances", "web", "", "wrong_type"),
    ("volumes", {"name": "data"}, "/size_gib", "required"),
    ("volumes", DATA | {"size_gib": 0}, "/size_gib", "too_small"),
    ("volumes", DATA | {"size_gib": -1}, "/size_gib", "too_small"),
    ("volumes", DATA | {"size_gib": 10**9}, "/size_gib", "too_large"),
    ("volumes", DATA | {"size_gib": 10**400}, "/size_gib", "too_large"),
    ("volumes", DATA | {"size_gib": "5"}, "/size_gib", "wrong_type"),
    ("volumes", DATA | {"size_gib": 1.0}, "/size_gib", "wrong_type"),
    ("volumes", DATA | {"size_gib": True}, "/size_gib", "wrong_type"),
    ("volumes", DATA | {"size_gib": None}, "/size_gib", "wrong_type"),
    ("networks", LAN | {"dns_servers": ["9.9.9"]}, "/dns_servers/0", "wrong_type"),
    ("networks", LAN | {"dns_servers": ["::1%eth0"]}, "/dns_servers/0", "wrong_type"),
    ("networks", LAN | {"dns_servers": ["9.9.9.9"] * 4}, "/dns_servers", "too_long"),
    ("affinity-groups", {"name": "g", "rule": "near"}, "/rule", "not_one_of"),
    ("affinity-groups", {"name": "g", "rule": "affinity", "is_strict": 1}, "/is_strict", "wrong_type"),
    ("affinity-groups", {"name": "g", "rule": "affinity", "is_strict": "yes"}, "/is_strict", "wrong_type"),
    ("tokens", {"name": "t", "role": "root"}, "/role", "not_one_of"),
    ("tokens", {"name": "t", "lifetime_days": 0}, "/lifetime_days", "too_small"),
    ("tokens", {"name": "t", "lifetime_days": 10_000}, "/lifetime_days", "too_large"),
    ("ssh-keys", {"name": "k", "public_key": "k" * 20_000}, "/public_key", "too_long"),
]


def test_contradictory_body_is_refused(api: Caller) -> None:
    for path, body, pointer, code in CONTRADICTORY:
        assert refused(api, path, body) == (400, "invalid_request", pointer, code), str(body)[:200]


@pytest.mark.parametrize("path", [f"/v1/instances/{UUID(int=7)}/actions/migrate", "/v1/nodes/par-1/actions/drain"])
@pytest.mark.parametrize(
    ("option", "pointer", "code"),
    [
        ({"deadline_s": 59}, "/deadline_s", "too_small"),
        ({"deadline_s": 7 * 24 * 3600 + 1}, "/deadline_s", "too_large"),
        ({"deadline_s": "900"}, "/deadline_s", "wrong_type"),
        ({"convergence": "post_copy"}, "/convergence", "not_one_of"),
    ],
)
def test_contradictory_migration_body_is_refused(
    operator: Caller, path: str, option: Any, pointer: str, code: str
) -> None:
    plan = {"plan": "0"} if "nodes" in path else {}
    assert refused(operator, path, plan | option) == (400, "invalid_request", pointer, code)


def test_all_errors_are_listed_at_once(api: Caller) -> None:
    body = api.post("instances", {"name": 5, "image": "tiny", "colour": "blue"}).body
    assert [each["pointer"] for each in body["errors"]] == ["/colour", "/name", "/flavor"]
    assert "(+2)" in body["detail"]


def test_twenty_unknown_members_at_most_are_named(api: Caller) -> None:
    answer = api.post("instances", WEB | {f"colour-{number:03}": "blue" for number in range(900)})
    assert answer.status == 400
    assert [each["pointer"] for each in answer.body["errors"]] == [f"/colour-{number:03}" for number in range(20)]
    assert "(+19)" in answer.body["detail"]


def test_hundred_errors_at_most_are_listed(api: Caller) -> None:
    answer = api.post("instances", WEB | {"networks": [5] * 5000})
    assert (answer.status, len(answer.body["errors"])) == (400, 100)
    assert "(+4999)" in answer.body["detail"]


@in_one_cloud(
    ("path", "body", "code", "pointer"),
    [
        ("instances", WEB | {"flavor": "huge"}, "catalog.flavor.not_found", "/flavor"),
        ("instances", WEB | {"image": "none"}, "catalog.image.not_found", "/image"),
        ("instances", WEB | {"networks": ["lan", "wan"]}, "network.not_found", "/networks/1"),
        ("instances", WEB | {"ssh_keys": ["k"]}, "compute.ssh_key.not_found", "/ssh_keys/0"),
        ("instances", WEB | {"volumes": ["v"]}, "storage.volume.not_found", "/volumes/0"),
        ("instances", WEB | {"affinity_group": "g"}, "compute.affinity_group.not_found", "/affinity_group"),
        ("volumes", DATA | {"volume_type": "tape"}, "catalog.volume_type.not_found", "/volume_type"),
        ("volumes", DATA | {"near_instance": "web"}, "compute.instance.not_found", "/near_instance"),
    ],
)
def test_reference_to_a_missing_resource_is_refused(api: Caller, path: str, body: Any, code: str, pointer: str) -> None:
    assert refused(api, path, body) == (422, code, pointer, code)


def test_unknown_zone_is_refused(api: Caller) -> None:
    assert refused(api, "instances", WEB | {"zones": ["mars"]})[:3] == (400, "placement.zone_unknown", "/zones")


def test_network_named_twice_by_name_and_id_is_refused(api: Caller, cloud: Cloud) -> None:
    body = WEB | {"networks": ["lan", str(cloud.network.pk)]}
    assert refused(api, "instances", body)[:3] == (400, "named_twice", "/networks/1")


@pytest.mark.parametrize("field", ["user_data", "user_data_base64"])
def test_user_data_over_64_kib_is_refused(api: Caller, field: str) -> None:
    text = "é" * 32_769 if field == "user_data" else "QUJD" * 21_846
    assert refused(api, "instances", WEB | {field: text})[:3] == (400, "compute.user_data_too_large", "/user_data")


@in_one_cloud("cidr", ["10.0.0.0", "10.0.0.1/24", "10.0.0.0/30", "8.8.8.0/24", "::/64", "10.0.0.0/24;id"])
def test_invalid_range_is_refused(api: Caller, cidr: str) -> None:
    assert refused(api, "networks", LAN | {"cidr": cidr})[:3] == (400, "network.subnet.invalid", "/cidr")


@pytest.mark.parametrize("labels", [{"": "x"}, {"a b": "x"}, {"env": "a,b"}, {f"k{n}": "v" for n in range(65)}])
def test_invalid_labels_are_refused(api: Caller, labels: dict[str, str]) -> None:
    assert refused(api, "networks", LAN | {"labels": labels})[:3] == (400, "invalid_labels", "/labels")


MALFORMED = [
    (b"", None),
    (b"{", None),
    (b"{'name': 'web'}", None),
    (b'{"name": "web",}', None),
    (b'\xef\xbb\xbf{"name": "web"}', None),
    (b'{"name": "\xff"}', None),
    (b'{"name": "web\x01"}', None),
    (b'{"name": NaN}', None),
    (b'{"name": Infinity}', None),
    (b'{"name": 1e999}', None),
    (b'{"name": ' + b"9" * 5000 + b"}", None),
    (b'{"name": "a", "name": "b"}', "/name"),
    (b'{"labels": {"a": "1", "a": "2"}}', "/a"),
    (b'{"name": "web\\u0000"}', "/name"),
    (b'{"networks": ["lan", "\\ud800"]}', "/networks/1"),
    (b'{"name\\u0007": "web"}', None),
    (b"[" * 17 + b"]" * 17, None),
    (b"[" * 100_000, None),
    (b"[" * 100_000 + b"]" * 100_000, None),
]


def test_malformed_json_is_refused(api: Caller) -> None:
    for raw, pointer in MALFORMED:
        answer = api.send("POST", "instances", raw or b" ", content_type="application/json")
        assert answer.problem == (400, "body_malformed", pointer), raw[:80]


def test_oversized_body_is_refused(api: Caller) -> None:
    raw = b'{"name": "' + b"w" * 2**20 + b'"}'
    answer = api.send("POST", "instances", raw, content_type="application/json")
    assert answer.problem == (413, "body_too_large", None)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_wrong_media_type_is_refused(api: Caller, content_type: str) -> None:
    answer = api.send("POST", "instances", b"name=web", content_type=content_type)
    assert answer.problem == (415, "media_type_not_supported", None)


def test_an_action_takes_no_body(api: Caller) -> None:
    answer = api.post("operations/01890000-0000-7000-8000-000000000000/actions/cancel", {"force": True})
    assert answer.problem == (400, "invalid_request", "/force")


@pytest.mark.parametrize("character", thinned(["\x00", "\n", "\x7f", "\u2028", "\x85", "\u202e"], keep_every=6))
def test_control_characters_in_path_and_query_are_refused_by_every_route(operator: Caller, character: str) -> None:
    bad, wrong = f"x{quote(character)}", []
    for path, methods in contract()["paths"].items():
        for method, each in methods.items():
            for parameter in each.get("parameters", []):
                name, location = parameter["name"], parameter["in"]
                url = re.sub(r"{\w+}", "x", path.replace(f"{{{name}}}", bad) if location == "path" else path)
                answer = operator.call(method.upper(), url if location == "path" else f"{url}?{name}={bad}", {})
                expected = (400, "invalid_path", None) if location == "path" else (400, "invalid_parameter", name)
                if answer.problem != expected or name not in answer.body["detail"]:
                    wrong.append((method, url, name, answer.problem))
    assert wrong == []
