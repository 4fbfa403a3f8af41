"""A lost node is powered off through its BMC, and fenced after two power observations of off."""

import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network

import pytest
from pytest_django import Settings

from controlplane.identity.actor import SYSTEM
from controlplane.kernel.errors import InvalidRequest
from controlplane.node_lifecycle.fencing import bmcs, redfish
from controlplane.node_lifecycle.fencing.bmcs import NewBmc
from controlplane.node_lifecycle.fencing.fencing import node_fence
from controlplane.nodes.errors import BmcRefused, BmcUnreachable, NodeNotFenceable
from controlplane.nodes.models import Bmc, FenceEvidence, Node
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.workflows import node_fence as workflow
from tests.redfish import PASSWORD, SYSTEM_ID, Emulator, emulated
from tests.workflows.helpers import fresh
from tests.world import Cloud, run, run_next_attempt

WHY = "its disks are needed"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulated(tmp_path_factory.mktemp("bmc")) as found:
        yield found


@pytest.fixture(autouse=True)
def in_a_hurry(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BMC_NETWORKS = [ip_network("127.0.0.0/8")]
    monkeypatch.setattr(workflow, "SETTLE", timedelta(0))
    monkeypatch.setattr(workflow, "POLL_DELAY", timedelta(0))


@pytest.fixture
def bmc(emulator: Emulator) -> Emulator:
    if emulator.power() != "On":
        emulator.press("On")
    return emulator


@pytest.fixture
def silent(cloud: Cloud, bmc: Emulator) -> Node:
    cloud.machine.become_unreachable()
    bmcs.bmc_set(SYSTEM, cloud.machine.row, NewBmc(**bmc.access))
    return fresh(cloud.machine.row)


def fence(node: Node) -> Operation:
    operation = node_fence(SYSTEM, node, kind="power", reason=WHY).operation
    assert operation is not None
    return operation


def test_node_is_powered_off_and_fenced(silent: Node, bmc: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    operation = fence(silent)
    with pytest.raises(Busy):
        node_fence(SYSTEM, silent, kind="power", reason=WHY)
    assert run(operation).state == "succeeded", (operation.error, operation.steps)
    assert bmc.power() == "Off"
    evidence = FenceEvidence.objects.get()
    assert (evidence.kind, evidence.reason, evidence.operation_id) == ("power", WHY, operation.pk)
    assert evidence.boot_id == silent.boot_id
    assert (evidence.detail["bmc"], evidence.detail["power_state"]) == (bmc.address, "Off")
    node = fresh(silent)
    assert (node.admin_state, node.fenced_by["evidence"]) == ("fenced", str(evidence.pk))
    assert Bmc.objects.get().problem == ""
    assert PASSWORD not in caplog.text


def test_node_already_off_is_fenced(silent: Node, bmc: Emulator) -> None:
    bmc.press("ForceOff")
    assert run(fence(silent)).state == "succeeded"


def test_reconnected_node_is_not_powered_off(silent: Node, bmc: Emulator, cloud: Cloud) -> None:
    operation = fence(silent)
    cloud.machine.come_back()
    assert run(operation).state == "failed"
    assert (operation.error or {})["code"] == NodeNotFenceable.code
    assert bmc.power() == "On"
    assert fresh(silent).admin_state == "in-service"


def test_node_powered_on_between_readings_is_not_fenced(
    silent: Node, bmc: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    power_state = bmcs.power_state

    def stubborn(node: Node) -> str:
        """Between two looks, somebody presses the button."""
        state = power_state(node)
        if state == "Off":
            bmc.press("On")
        return state

    monkeypatch.setattr(bmcs, "power_state", stubborn)
    operation = run(fence(silent))
    assert operation.state == "failed"
    assert (operation.error or {})["code"] == "node.power_not_off"
    assert fresh(silent).admin_state == "in-service"
    assert not FenceEvidence.objects.exists()


def test_bmc_that_does_not_power_off_gives_no_evidence(
    silent: Node, bmc: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redfish, "power_off", redfish.power_state)
    operation = fence(silent)
    run_next_attempt(operation)
    assert fresh(operation).state == "running"
    assert fresh(operation).steps[-1]["message"] == "Its BMC says On."
    Operation.objects.filter(pk=operation.pk).update(deadline_at=operation.created_at)
    assert run(operation).state == "failed"
    assert fresh(silent).admin_state == "in-service"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong"}, "rejects the user name or password"),
        ({"certificate_sha256": "ab" * 32}, "certificate is not the configured one"),
        ({"system_id": "11111111-9e44-4fa7-8e91-f3527a1ef094"}, "no such system"),
    ],
)
def test_refusing_bmc_fails_the_fencing_at_once(
    silent: Node, bmc: Emulator, changes: dict[str, str], reason: str
) -> None:
    bmcs.bmc_set(SYSTEM, silent, NewBmc(**(bmc.access | changes)))
    operation = run(fence(silent))
    assert operation.state == "failed"
    assert (operation.error or {})["code"] == BmcRefused.code
    assert reason in Bmc.objects.get().problem
    assert bmc.power() == "On"


def test_unresponsive_bmc_is_retried_until_the_deadline(silent: Node, bmc: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    bmcs.bmc_set(SYSTEM, silent, NewBmc(**(bmc.access | {"address": f"127.0.0.1:{port}"})))
    with pytest.raises(BmcUnreachable):
        bmcs.power_state(silent)
    operation = fence(silent)
    Operation.objects.filter(pk=operation.pk).update(deadline_at=operation.created_at)
    assert run(operation).state == "failed"
    assert (operation.error or {})["code"] == "operation.deadline_exceeded"


def test_redfish_system_can_be_named(silent: Node, bmc: Emulator) -> None:
    bmcs.bmc_set(SYSTEM, silent, NewBmc(**(bmc.access | {"system_id": SYSTEM_ID})))
    assert bmcs.power_state(silent) == "On"


# ---- what may be a BMC


@pytest.mark.parametrize("address", ["10.0.0.5", "bmc.example", "127.0.0.1:0", "127.0.0.1:99999", "169.254.169.254"])
def test_bmc_address_must_be_in_a_management_network(cloud: Cloud, bmc: Emulator, address: str) -> None:
    with pytest.raises(InvalidRequest):
        bmcs.bmc_set(SYSTEM, cloud.machine.row, NewBmc(**(bmc.access | {"address": address})))


def test_bmc_in_a_removed_network_is_not_called(silent: Node, settings: Settings) -> None:
    settings.BMC_NETWORKS = [ip_network("10.0.0.0/8")]
    with pytest.raises(BmcRefused, match="none of the management networks"):
        bmcs.power_state(silent)


def test_bmc_address_forms_are_parsed(settings: Settings) -> None:
    settings.BMC_NETWORKS = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    read = [redfish.parse_address(text) for text in ("10.0.0.5", "10.0.0.5:8443", "fd00::5", "[fd00::5]:8443")]
    assert [(str(address), port) for address, port in read] == [
        ("10.0.0.5", 443),
        ("10.0.0.5", 8443),
        ("fd00::5", 443),
        ("fd00::5", 8443),
    ]


def test_bmc_password_is_encrypted(silent: Node) -> None:
    assert PASSWORD.encode() not in bytes(Bmc.objects.get().encrypted_password)


def test_bmc_link_to_another_address_is_refused(silent: Node, bmc: Emulator) -> None:
    connector = redfish._connector(redfish.Access(bmc.address, "", "", bmc.certificate_sha256, ""))
    with pytest.raises(redfish.exceptions.ConnectionError):
        connector.get("http://127.0.0.1:1/redfish/v1/")
