"""Instances: created, seen, changed, deleted."""

import base64
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from controlplane.audit.models import RequestRecord
from controlplane.catalog.models import Flavor, VolumeType
from controlplane.compute import guest_sessions, user_data
from controlplane.compute.errors import TicketUnknown
from controlplane.compute.models import Instance
from controlplane.events import wakeups
from controlplane.identity.models import ApiToken
from controlplane.identity.services import token_issue, user_create
from controlplane.kernel.ids import new_id
from controlplane.network.models import Port
from controlplane.nodes.models import Node, Pool
from controlplane.operations.models import Operation
from controlplane.placement.models import Allocation
from controlplane.storage.models import Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.api.tokens import make_token
from tests.cases import in_one_cloud
from tests.world import Cloud, make_image, run

WEB: dict[str, Any] = {"name": "web", "flavor": "tiny", "image": "tiny"}


def test_create_answers_with_resource_location_and_operation(api: Caller, cloud: Cloud) -> None:
    answer = api.post("instances", WEB | {"networks": ["lan"], "labels": {"env": "prod"}})
    body = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/projects/alpha/instances/{body['id']}"
    assert (body["state"], body["zone"], body["power_state"]) == ("building", None, "unknown")
    assert body["current_operation"] == body["operation"]["id"]
    assert (body["operation"]["kind"], body["operation"]["state"]) == ("instance.create", "pending")
    assert body["addresses"][0]["network"]["name"] == "lan"
    assert body["addresses"][0]["ip"] == "10.10.0.2"
    assert (body["vcpus"], body["memory_mib"], body["disk_gib"]) == (1, 128, 1)
    assert body["labels"] == {"env": "prod"}


def test_root_disk_may_have_another_volume_type(api: Caller, cloud: Cloud) -> None:
    assert api.post("instances", WEB).body["root_volume_type"] == "local"
    answer = api.post("instances", WEB | {"name": "other", "root_volume_type": "none-such"})
    assert answer.problem == (422, "catalog.volume_type.not_found", "/root_volume_type")
    VolumeType.objects.create(pk="shared", description="in a pool", pool="shared")
    answer = api.post("instances", WEB | {"name": "other", "root_volume_type": "shared"})
    assert answer.problem == (409, "placement.no_place", None)
    assert "do not mount the required shared storage: shared" in answer.body["detail"]
    Pool.objects.create(name="shared", zone_id="fr-idf-1", uuid=new_id(), path="/srv", capacity_gib=10)
    Node.objects.update(traits=["pool:shared"])
    assert api.post("instances", WEB | {"name": "other", "root_volume_type": "shared"}).status == 201
    assert api.get("instances/other").body["root_volume_type"] == "shared"


def test_running_instance_has_its_zone_state_and_conditions(api: Caller, instance: Instance) -> None:
    body = api.get("instances/web").body
    assert (body["id"], body["state"], body["zone"]) == (str(instance.pk), "active", "fr-idf-1")
    assert body["current_operation"] is None
    assert [(each["type"], each["status"]) for each in body["conditions"]] == [
        ("running", "true"),
        ("node-reachable", "true"),
    ]
    assert api.get(f"instances/{instance.pk}").body == body


def test_unobserved_guest_has_unknown_conditions(api: Caller, instance: Instance) -> None:
    Node.objects.update(state="unreachable")
    conditions = {each["type"]: each for each in api.get("instances/web").body["conditions"]}
    assert (conditions["running"]["status"], conditions["running"]["reason"]) == ("unknown", "not_seen")
    assert (conditions["node-reachable"]["status"], conditions["node-reachable"]["reason"]) == ("false", "no_heartbeat")


def test_instance_is_created_with_all_fields(api: Caller, volume: Volume, cloud: Cloud) -> None:
    api.post("ssh-keys", {"name": "laptop", "public_key": KEY})
    api.post("affinity-groups", {"name": "apart", "rule": "anti-affinity"})
    more = {
        "networks": [str(cloud.network.pk)],
        "ssh_keys": ["laptop"],
        "volumes": ["data"],
        "user_data": "#!/bin/sh\n\techo été\n",
        "zones": ["fr-idf-1"],
        "affinity_group": "apart",
    }
    body = finish(api.post("instances", WEB | more))
    shown = api.get("instances/web").body
    row = Instance.objects.get(pk=body["id"])
    assert user_data.read(row).decode() == more["user_data"]
    assert row.ssh_public_keys == [KEY]
    assert shown["affinity_group"]["name"] == "apart"
    assert [(each["volume"]["name"], each["is_plugged"]) for each in shown["attachments"]] == [("data", True)]
    assert "user_data" not in shown


@pytest.mark.parametrize("data", [bytes(range(256)), b""])
def test_user_data_may_come_in_base64(api: Caller, cloud: Cloud, data: bytes) -> None:
    api.post("instances", WEB | {"user_data_base64": base64.b64encode(data).decode()})
    assert user_data.read(Instance.objects.get()) == data


def test_names_and_labels_can_be_changed(api: Caller, instance: Instance) -> None:
    api.patch("instances/web", {"labels": {"env": "prod", "tier": "web"}})
    body = api.patch("instances/web", {"name": "www", "labels": {"tier": None, "app": "x"}}).body
    assert (body["name"], body["labels"]) == ("www", {"env": "prod", "app": "x"})
    assert api.patch("instances/www", {}).body["name"] == "www"


def test_power_actions_are_operations(api: Caller, instance: Instance) -> None:
    for action, state in (("reboot", "active"), ("reset", "active"), ("power-off", "stopped"), ("start", "active")):
        answer = api.post(f"instances/web/actions/{action}")
        assert (answer.status, answer.operation["kind"]) == (202, f"instance.{action}")
        finish(answer)
        assert api.get("instances/web").body["state"] == state


def test_shutdown_is_an_operation(api: Caller, instance: Instance) -> None:
    answer = api.post("instances/web/actions/shutdown")
    assert (answer.status, answer.operation["kind"]) == (202, "instance.shutdown")


def test_an_action_in_the_wrong_state_is_a_conflict(api: Caller, instance: Instance) -> None:
    answer = api.post("instances/web/actions/start")
    assert answer.problem == (409, "compute.instance.wrong_state", None)
    assert answer.body["facts"] == {"state": "active", "wanted": "stopped or error"}


def test_busy_instance_names_the_blocking_operation(api: Caller, instance: Instance) -> None:
    first = api.post("instances/web/actions/reboot")
    second = api.post("instances/web/actions/reboot")
    assert second.problem == (409, "resource_busy", None)
    assert second.body["blocking_operation"] == first.operation["id"]
    assert second.body["retryable"] is True
    assert int(second.headers["Retry-After"]) > 0


def test_resize_changes_the_flavor(api: Caller, instance: Instance) -> None:
    Flavor.objects.create(pk="big", vcpus=2, memory_mib=256, disk_gib=2)
    finish(api.post("instances/web/actions/power-off"))
    finish(api.post("instances/web/actions/resize", {"flavor": "big"}))
    body = api.get("instances/web").body
    assert (body["flavor"], body["vcpus"], body["memory_mib"], body["disk_gib"]) == ("big", 2, 256, 2)


def test_rebuild_changes_the_image(api: Caller, instance: Instance, cloud: Cloud) -> None:
    image = make_image(cloud.world.folder / "images", name="other", project=cloud.tenant.project)
    before = api.get("instances/web").body
    answer = api.post("instances/web/actions/rebuild", {"image": "other", "user_data": "#cloud-config\n{}\n"})
    assert (answer.status, answer.operation["kind"]) == (202, "instance.rebuild")
    finish(answer)
    after = api.get("instances/web").body
    assert after["image"] == {"id": str(image.pk), "name": "other"}
    for name in ("id", "name", "addresses", "attachments", "state", "flavor", "zone"):
        assert after[name] == before[name]
    assert user_data.read(Instance.objects.get()) == b"#cloud-config\n{}\n"


@in_one_cloud(
    ("body", "problem"),
    [
        ({}, (400, "invalid_request", "/image")),
        ({"image": "nothing"}, (422, "catalog.image.not_found", "/image")),
        ({"image": "tiny", "ssh_keys": ["nobody"]}, (422, "compute.ssh_key.not_found", "/ssh_keys/0")),
        ({"image": "tiny", "user_data": "a", "user_data_base64": "YQ=="}, (400, "invalid_request", "")),
        ({"image": "tiny", "name": "other"}, (400, "invalid_request", "/name")),
    ],
)
def test_contradictory_rebuild_is_refused(api: Caller, instance: Instance, body: dict[str, Any], problem: Any) -> None:
    assert api.post("instances/web/actions/rebuild", body).problem == problem


def test_a_flavor_with_a_smaller_disk_is_refused(api: Caller, instance: Instance) -> None:
    Flavor.objects.create(pk="big", vcpus=1, memory_mib=128, disk_gib=3)
    finish(api.post("instances/web/actions/power-off"))
    finish(api.post("instances/web/actions/resize", {"flavor": "big"}))
    answer = api.post("instances/web/actions/resize", {"flavor": "tiny"})
    assert answer.problem == (422, "compute.flavor_too_small", "/flavor")


def test_deleted_instance_is_not_found_and_delete_may_be_repeated(api: Caller, instance: Instance) -> None:
    answer = api.delete("instances/web")
    assert (answer.status, answer.operation["kind"]) == (202, "instance.delete")
    assert "deleting" in [each["type"] for each in answer.body["conditions"]]
    finish(answer)
    assert api.get("instances/web").problem == (404, "compute.instance.not_found", None)
    assert api.delete("instances/web").status == 404
    assert api.delete(f"instances/{instance.pk}").status == 204
    assert not Port.objects.exists()


def test_a_delete_during_create_wins(api: Caller, cloud: Cloud) -> None:
    created = api.post("instances", WEB)
    deleted = api.delete("instances/web")
    assert deleted.status == 202
    run(Operation.objects.get(pk=created.operation["id"]))
    finish(deleted)
    assert api.get("instances").body["items"] == []
    assert not Allocation.objects.exists()


def test_create_without_capacity_is_refused_with_an_explanation(api: Caller, cloud: Cloud) -> None:
    Flavor.objects.create(pk="giant", vcpus=1000, memory_mib=2**20, disk_gib=10)
    answer = api.post("instances", WEB | {"flavor": "giant"})
    assert answer.problem == (409, "insufficient_capacity", None)
    assert not Instance.objects.exists()
    decision = api.get(f"decisions/{answer.body['placement_decision']}").body
    assert decision["is_admitted"] is False
    assert decision["explanation"]
    assert cloud.machine.row.name not in str(decision)


def test_create_in_a_forbidden_zone_is_refused_with_an_explanation(api: Caller, cloud: Cloud) -> None:
    cloud.world.add_machine("us-va-1")
    api.put("policy", {"atoms": [{"id": "eu", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}]})
    answer = api.post("instances", WEB | {"zones": ["us-va-1"]})
    assert answer.problem == (422, "policy_unsatisfiable", None)
    assert "us-va-1" in answer.body["detail"]


def test_create_over_quota_is_refused(api: Caller, cloud: Cloud, settings: object) -> None:
    settings.QUOTA_DEFAULTS = settings.QUOTA_DEFAULTS | {"vcpus": 1}  # type: ignore[attr-defined]
    api.post("instances", WEB)
    answer = api.post("instances", WEB | {"name": "web-2"})
    assert answer.problem == (409, "quota_exceeded", None)
    facts = {"dimension": "vcpus", "level": "project", "limit": 1, "requested": 1, "used": 1}
    assert answer.body["facts"] == facts


def test_console_log_is_readable_in_part(api: Caller, cloud: Cloud, instance: Instance) -> None:
    cloud.fake.consoles[instance.pk] = b"\xff boot 1\r\nboot 2\r\n"
    answer = api.get("instances/web/console-log")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == "\N{REPLACEMENT CHARACTER} boot 1\r\nboot 2\r\n"
    assert api.get("instances/web/console-log?max_bytes=8").text == "boot 2\r\n"


def test_the_console_is_for_members_of_the_project(
    api: Caller, viewer: Caller, operator: Caller, cloud: Cloud, instance: Instance
) -> None:
    cloud.fake.consoles[instance.pk] = b"secret"
    user = user_create(email="auditor@example.org", is_auditor=True)
    auditor = token_issue(user, project=None, name="audit", role="viewer", lifetime=timedelta(days=1))[1]
    officer = make_token(cloud.tenant.project, role="sovereignty_officer")
    assert [each.get("instances/web/console-log").text for each in (api, viewer)] == ["secret", "secret"]
    for caller in (operator, Caller(auditor, "alpha"), Caller(officer, "alpha")):
        assert caller.get("instances/web").status == 200
        assert caller.get("instances/web/console-log").problem == (403, "identity.role_needed", None)


def test_console_of_an_unplaced_instance_is_refused(api: Caller, cloud: Cloud) -> None:
    api.post("instances", WEB)
    assert api.get("instances/web/console-log").problem == (409, "placement.no_allocation", None)


def test_console_of_an_unreachable_node_is_refused(api: Caller, cloud: Cloud, instance: Instance) -> None:
    cloud.machine.stop_agent()
    answer = api.get("instances/web/console-log")
    assert answer.problem == (503, "node.unreachable", None)
    assert "127.0.0.1" not in answer.text
    assert "Retry-After" in answer.headers


def test_console_ticket_is_issued(api: Caller, instance: Instance) -> None:
    for kind in ("serial", "vnc"):
        answer = api.post("instances/web/consoles", {"kind": kind})
        assert answer.status == 201
        assert answer.headers["Cache-Control"] == "no-store"
        assert (answer.body["kind"], answer.body["is_read_only"]) == (kind, False)
        secret = answer.body["url"].removeprefix("/v1/consoles/")
        console = guest_sessions.redeem_ticket(secret)
        assert (str(console.id), console.instance_id, console.kind) == (answer.body["id"], instance.pk, kind)
        with pytest.raises(TicketUnknown):
            guest_sessions.redeem_ticket(secret)
    (record, _) = RequestRecord.objects.filter(verb="instance_console_open")
    assert instance.pk in record.resource_ids
    assert secret not in str(record.__dict__)


@pytest.mark.parametrize("forged", [b"{}", b"\xff", "copied"])
def test_forged_redis_entry_opens_no_console(api: Caller, instance: Instance, forged: bytes | str) -> None:
    broker = redis.Redis.from_url(wakeups.redis_url())
    if forged == "copied":
        secret = api.post("instances/web/consoles", {"kind": "serial"}).body["url"].removeprefix("/v1/consoles/")
        forged = broker.get(guest_sessions._key(secret))
    broker.set(guest_sessions._key("mine"), forged, ex=30)
    with pytest.raises(TicketUnknown):
        guest_sessions.redeem_ticket("mine")


def test_dry_run_issues_no_ticket(api: Caller, instance: Instance) -> None:
    answer = api.post("instances/web/consoles?dry_run=true", {"kind": "serial"})
    assert answer.status == 200
    with pytest.raises(TicketUnknown):
        guest_sessions.redeem_ticket(answer.body["url"].removeprefix("/v1/consoles/"))


def test_console_url_is_that_of_the_stream_process(api: Caller, instance: Instance, settings: Settings) -> None:
    settings.STREAM_URL = "wss://stream.example"
    url = api.post("instances/web/consoles", {"kind": "serial"}).body["url"]
    assert url.startswith("wss://stream.example/v1/consoles/")


def test_read_only_user_gets_a_read_only_console_and_no_screen(
    api: Caller, viewer: Caller, operator: Caller, cloud: Cloud, instance: Instance
) -> None:
    assert viewer.post("instances/web/consoles", {"kind": "serial"}).body["is_read_only"] is True
    assert viewer.post("instances/web/consoles", {"kind": "vnc"}).problem == (403, "identity.role_needed", None)
    narrow = Caller(make_token(cloud.tenant.project, role="member"), "alpha")
    ApiToken.objects.filter(user__email="member-alpha@example.org").update(kinds=["consoles"])
    assert narrow.post("instances/web/consoles", {"kind": "serial"}).body["is_read_only"] is True
    assert narrow.post("instances/web/consoles", {"kind": "vnc"}).problem == (403, "identity.scope_needed", None)
    officer = Caller(make_token(cloud.tenant.project, role="sovereignty_officer"), "alpha")
    for caller in (operator, officer):
        refused = caller.post("instances/web/consoles", {"kind": "serial"})
        assert refused.problem == (403, "identity.role_needed", None)


def test_a_guest_that_does_not_run_has_no_console(api: Caller, instance: Instance) -> None:
    Instance.objects.update(power_state="off")
    answer = api.post("instances/web/consoles", {"kind": "serial"})
    assert answer.problem == (409, "compute.console.not_running", None)
    api.post("instances", WEB | {"name": "waits"})
    assert api.post("instances/waits/consoles", {"kind": "vnc"}).problem == (409, "placement.no_allocation", None)


def test_console_ticket_without_redis_is_unavailable(api: Caller, instance: Instance, settings: Settings) -> None:
    settings.REDIS_URL = "redis+socket:///nowhere/redis.sock"
    answer = api.post("instances/web/consoles", {"kind": "serial"})
    assert answer.problem == (503, "compute.console.tickets_unavailable", None)


def test_placement_explanation_hides_nodes_from_tenants(
    api: Caller, operator: Caller, cloud: Cloud, instance: Instance
) -> None:
    tenant, more = api.get("instances/web/placement").body, operator.get("instances/web/placement").body
    assert tenant["is_admitted"] is True
    assert tenant["explanation"]
    node = str(cloud.machine.row.pk)
    assert node not in str(tenant)
    assert node in str(more["document"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("instances", WEB | {"networks": ["lan"]}),
        ("volumes", {"size_gib": 1}),
        ("networks", {"cidr": "10.0.0.0/24"}),
        ("images", {"format": "raw"}),
    ],
)
def test_a_list_costs_the_same_for_many_as_for_one(api: Caller, cloud: Cloud, path: str, body: dict[str, Any]) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.get(path).status == 200
        return len(queries)

    api.post(path, body | {"name": "first"})
    first = cost()
    for number in range(4):
        assert api.post(path, body | {"name": f"more-{number}"}).status == 201
    assert cost() == first <= 7


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
