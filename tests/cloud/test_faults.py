"""Parts of the cloud die while instances are made. Every operation ends, with a clear answer, and nothing is left."""

import os
import signal
import time
from collections.abc import Callable

import pytest
import redis

from scripts.api import Api
from scripts.polling import wait_until
from tests.cloud.conftest import Tenant
from tests.limits import PATIENCE_S
from tests.nightly import as_nightly

pytestmark = pytest.mark.lab

IN_FLIGHT = 2


def begin(tenant: Tenant, *, until_step: int = 2, **more: object) -> list[dict[str, object]]:
    """Ask for some instances; returns once one of them is in the middle of being made."""
    operations = [tenant.create(f"fault-{n}", **more)["operation"] for n in range(IN_FLIGHT)]

    def is_in_the_middle() -> bool:
        found = [tenant.api.get(f"operations/{operation['id']}") for operation in operations]
        return any(len(operation["steps"]) >= until_step for operation in found)

    wait_until(is_in_the_middle, limit_s=PATIENCE_S, every_s=0.01, rarest_s=0.01)
    return operations  # type: ignore[return-value]


def end(api: Api, operations: list[dict[str, object]]) -> list[dict[str, object]]:
    ended = [api.wait(operation) for operation in operations]
    for operation in ended:
        assert operation["state"] in ("succeeded", "failed"), operation
        assert (operation["error"] is None) == (operation["state"] == "succeeded")
    return ended


def kill_worker(tenant: Tenant) -> Callable[[], None]:
    tenant.cloud.stack.kill("worker")
    return lambda: tenant.cloud.stack.start_process("worker")


def flush_redis(tenant: Tenant) -> Callable[[], None]:
    with redis.Redis(unix_socket_path=str(tenant.cloud.stack.var / "run" / "redis.sock")) as client:
        client.flushall()
    return lambda: None


def kill_agents(tenant: Tenant) -> Callable[[], None]:
    for name in tenant.cloud.zones:
        os.kill(tenant.cloud.agent_pid(name), signal.SIGKILL)
    return lambda: [tenant.cloud.start_agent(name) for name in tenant.cloud.zones] and None


def kill_libvirtd(tenant: Tenant) -> Callable[[], None]:
    for name in tenant.cloud.zones:
        tenant.cloud.node(name).kill_libvirtd()
    return lambda: [tenant.cloud.node(name).start_libvirtd() for name in tenant.cloud.zones] and None


@pytest.mark.parametrize("break_it", [kill_agents, *map(as_nightly, (kill_worker, flush_redis, kill_libvirtd))])
def test_restarted_process_loses_no_operation(tenant: Tenant, break_it: Callable[[Tenant], Callable[[], None]]) -> None:
    operations = begin(tenant)
    repair = break_it(tenant)
    time.sleep(1)
    repair()
    states = [operation["state"] for operation in end(tenant.api, operations)]
    assert states == ["succeeded"] * IN_FLIGHT
    wait_until(
        lambda: powers(tenant) == ["running"] * IN_FLIGHT, limit_s=PATIENCE_S, or_else=lambda: f"{powers(tenant)}"
    )
    tenant.assert_clean_slate()


def powers(tenant: Tenant) -> list[str]:
    """Return the power states of the last answers of the nodes; a delayed answer may be out of date."""
    return [instance["power_state"] for instance in tenant.api.get("instances")["items"]]


def test_vanished_node_is_abandoned_and_cleaned_on_its_return(tenant: Tenant) -> None:
    operations = begin(tenant, zones=["fr-idf-1"])
    tenant.cloud.node("ta").power_off()
    wait_until(lambda: tenant.node_states()["ta"] == "unreachable", limit_s=PATIENCE_S)
    deleting = [tenant.api.delete(f"instances/fault-{n}")["operation"] for n in range(IN_FLIGHT)]
    assert [tenant.api.wait(operation)["state"] for operation in deleting] == ["succeeded"] * IN_FLIGHT
    assert {tenant.api.wait(operation)["state"] for operation in operations} <= {"succeeded", "cancelled", "failed"}
    assert tenant.rows("placement_allocation") == 0
    assert tenant.rows("network_port") == 0
    tenant.cloud.repair()
    tenant.wait_for_nodes()
    tenant.assert_clean_slate()


@pytest.mark.nightly
def test_guests_keep_running_while_agent_and_libvirtd_restart(tenant: Tenant) -> None:
    created = tenant.create("survivor")
    assert tenant.api.wait(created["operation"])["state"] == "succeeded"
    name = next(
        name for name, zone in tenant.cloud.zones.items() if zone == tenant.api.get("instances/survivor")["zone"]
    )
    node = tenant.cloud.node(name)
    (guest,) = [pid for pid in node.pids() if "qemu-system" in os.readlink(f"/proc/{pid}/exe")]
    os.kill(tenant.cloud.agent_pid(name), signal.SIGKILL)
    node.kill_libvirtd()
    node.start_libvirtd()
    tenant.cloud.start_agent(name)
    tenant.wait_for_nodes()
    assert os.path.exists(f"/proc/{guest}")
    assert tenant.api.get("instances/survivor")["power_state"] == "running"
    stopped = tenant.api.wait(tenant.api.post("instances/survivor/actions/power-off")["operation"])
    assert stopped["state"] == "succeeded"
    assert not os.path.exists(f"/proc/{guest}")
