"""A node is emptied under guests that work, worked on, and returned; and then the other one."""

from collections.abc import Iterator

import pytest

from scripts.polling import wait_until
from tests.cloud.conftest import Tenant
from tests.cloud.test_first_guest import do
from tests.cloud.uninterrupted_guests import UninterruptedGuests
from tests.limits import PATIENCE_S
from tests.nightly import as_nightly

pytestmark = pytest.mark.lab

ZONE, NODE = "fr-idf-1", "ta"
SECOND = {False: "tc", True: "td"}  # a retired node does not come back


@pytest.fixture
def second(request: pytest.FixtureRequest, tenant: Tenant) -> Iterator[str]:
    """Another node of the zone, which takes nothing before it is asked to."""
    name = SECOND[request.getfixturevalue("is_drained_back")]
    tenant.cloud.add(name, ZONE)
    tenant.wait_for_nodes()
    tenant.operator.post(f"/v1/nodes/{name}/actions/cordon", {"reason": "it is new"})
    yield name
    tenant.delete_everything()
    tenant.operator.post(f"/v1/nodes/{name}/actions/retire", {"reason": "the test has ended"})
    tenant.cloud.remove_node(name)


def duty(tenant: Tenant, node: str) -> str:
    return str(tenant.operator.get(f"/v1/nodes/{node}")["duty"])


@pytest.mark.parametrize("is_drained_back", [False, as_nightly(True)])
def test_guests_leave_a_drained_node_and_return(tenant: Tenant, second: str, is_drained_back: bool) -> None:
    """Two are moved with the TCP connection between them. Nightly, a third has a disk that cannot be sent."""
    guests = UninterruptedGuests(tenant.cloud, tenant.api, tenant.operator, tenant.key)
    expected = {"one": "moved", "two": "moved"} | ({"three": "off"} if is_drained_back else {})
    boots = guests.board(list(expected), zone=ZONE, at=NODE)
    stays = boots.pop("three", None)
    if is_drained_back:
        do(tenant, "POST", "volumes", {"name": "library", "size_gib": 1, "zones": [ZONE]})
        do(tenant, "POST", "instances/three/attachments", {"volume": "library", "is_read_only": True})
    tenant.operator.post(f"/v1/nodes/{second}/actions/uncordon")

    drain = guests.drain(NODE, fallback="stop")
    assert {guest["instance"]["name"]: guest["state"] for guest in drain["guests"]} == expected, drain
    assert (drain["state"], duty(tenant, NODE)) == ("done", "maintenance")
    assert not tenant.cloud.node(NODE).guest_pids()
    guests.assert_undisturbed(boots, at=second)

    tenant.operator.post(f"/v1/nodes/{NODE}/actions/return")
    wait_until(lambda: duty(tenant, NODE) == "in-service", limit_s=PATIENCE_S)
    if not is_drained_back:
        return
    wait_until(lambda: tenant.api.get("instances/three")["state"] == "active", limit_s=PATIENCE_S)
    guests.wait_for_boot("three", times=2)
    assert guests.run("three", "cat /proc/sys/kernel/random/boot_id", at=NODE) != stays
    drain = guests.drain(second)
    assert (drain["state"], duty(tenant, second)) == ("done", "maintenance"), drain
    assert not tenant.cloud.node(second).guest_pids()
    guests.assert_undisturbed(boots, at=NODE)
