"""Real guests behind a BGP router: ssh from outside by both families, tiers, a migration under open connections, the
egress address of a network, names, metadata and the relay.

The host outside reaches the guests by the routes alone that the announcers tell the router.
"""

import errno
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from scripts.control_plane import ROOT
from scripts.polling import wait_until
from tests.cloud.conftest import Tenant
from tests.cloud.edge import OUTSIDE, Edge
from tests.cloud.outside_streams import Streams
from tests.cloud.test_first_guest import by_tunnel, wait_for_ssh
from tests.cloud.uninterrupted_guests import UninterruptedGuests
from tests.limits import PATIENCE_S

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

ZONE, FIRST, SECOND = "fr-idf-1", "ta", "te"
FIGURES = ROOT / "var" / "public-access.json"
POOL = {"name": "edge4", "zone": ZONE, "family": "ipv4", "cidrs": ["203.0.113.0/24"]}
SUBNETS = {"name": "edge6", "zone": ZONE, "family": "ipv6", "purpose": "subnets", "cidrs": ["2001:db8:0:7::/64"]}
ECHO, STREAMS, DATABASE = 8080, (9001, 9009), 5432
SOURCES = 8090  # of the host outside, which tells there whom it sees
GIVE_UP_MS = 3000  # after which TCP reports that nobody acknowledges what it has sent
TOKEN = (
    "printf 'PUT /latest/api/token HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\nConnection: close\\r\\n"
    "Content-Length: 0\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 300\\r\\n\\r\\n' | nc 169.254.169.254 80 | tail -n 1"
)
METADATA = "http://169.254.169.254/latest/meta-data"
# Takes the network down with all that the seed has configured, and up by DHCPv6 and router advertisements.
BY_DHCPV6 = """
gateway=$(ip route | awk '/^default/ { print $3 }')
echo 'case $1 in bound) ip -6 addr add "$ipv6/128" dev "$interface"; echo "lease $ipv6";; esac' >/tmp/lease.sh
chmod 755 /tmp/lease.sh
(ip link set eth0 down; ip link set eth0 up; ip route add default via "$gateway"
i=0
until ip -6 addr show dev eth0 scope link | grep fe80 | grep -qv tentative || [ $i = 100 ]; do
    i=$((i+1)); usleep 100000
done
udhcpc6 -f -q -t 10 -n -i eth0 -s /tmp/lease.sh) >/tmp/lease 2>&1 </dev/null
cat /tmp/lease
"""


@dataclass(frozen=True)
class Scenario:
    """`web` has a public IPv4 address `ipv4`, `db` none. Both have an IPv6 address of a pool's /64."""

    tenant: Tenant
    edge: Edge
    home: Path
    ipv4: str = ""

    def addresses(self, name: str) -> dict[str, str]:
        """Return the guest's own addresses by family."""
        found = [each["ip"] for each in self.tenant.api.get(f"instances/{name}")["addresses"]]
        return {"ipv6" if ":" in address else "ipv4": address for address in found}

    def outside_addresses(self) -> list[str]:
        """Return the addresses of `web` outside, of both families."""
        return [self.ipv4, self.addresses("web")["ipv6"]]

    def in_web(self, command: str) -> str:
        return self.edge.ssh(self.ipv4, self.tenant.key, command)

    def in_db(self, command: str) -> str:
        """Run it by the relay of the control plane, since no rule lets ssh in from outside."""
        return by_tunnel(self.tenant, "db", command, self.home, "--relay").strip()

    def sources(self, name: str) -> dict[str, str]:
        """Return the addresses, by family, from which the host outside sees the guest's connections; empty: none."""
        run = {"web": self.in_web, "db": self.in_db}[name]
        found = {}
        for family, outside in zip(("ipv4", "ipv6"), OUTSIDE, strict=True):
            source = run(f"nc -w 5 {outside.partition('/')[0]} {SOURCES} </dev/null || true").strip("[]")
            found[family] = str(ip_address(source)) if source else ""
        return found

    def wait_for_source(self, name: str, ipv4: str) -> None:
        """Wait until the guest leaves with this IPv4 address. By IPv6 it leaves with its own, which is routed."""
        expected = {"ipv4": ipv4, "ipv6": self.addresses(name)["ipv6"]}
        wait_until(
            lambda: self.sources(name) == expected,
            limit_s=PATIENCE_S,
            or_else=lambda: f"{self.sources(name)}, not {expected}",
        )

    def node(self, name: str = "web") -> str:
        """Return the name of the guest's node."""
        instance = self.tenant.api.get(f"instances/{name}")["id"]
        return str(self.tenant.operator.get(f"/v1/instances/{instance}/migration-plan")["node"]["name"])

    def gateway(self, egress: str) -> str:
        """Return the name of the node to which the router sends packets for the egress address; empty: to none."""
        hop = self.edge.next_hop(egress)
        return next((name for name in (FIRST, SECOND) if self.tenant.cloud.node(name).address == hop), "")

    def wait_for_routes(self, node: str) -> None:
        """Wait until the router sends packets for `web` to this node."""
        lab_node = self.tenant.cloud.node(node)
        number = lab_node.address.rpartition(".")[2]
        expected = [lab_node.address, f"fd77::{number}"]

        def found() -> list[str]:
            return [self.edge.next_hop(address) for address in self.outside_addresses()]

        wait_until(lambda: found() == expected, limit_s=PATIENCE_S, or_else=lambda: f"{found()}, not {expected}")

    def allow(self, group: str, protocol: str, *ports: int, direction: str = "in", peer: str = "") -> list[str]:
        """Add the rule for both families. Returns the paths of the rules."""
        rule: dict[str, object] = {"direction": direction, "protocol": protocol}
        rule |= dict(zip(("first_port", "last_port"), ports, strict=False))
        rule |= {"peer_group": peer} if peer else {}
        path = f"security-groups/{group}/rules"
        families = ("ipv4", "ipv6") if not protocol.startswith("icmp") else (None,)
        created = [self.tenant.api.post(path, rule | ({"family": each} if each else {})) for each in families]
        return [f"{path}/{each['id']}" for each in created]

    def has_applied(self, name: str) -> bool:
        ports = self.tenant.api.get(f"instances/{name}/security-groups")["ports"]
        return all(port["rules"]["state"] == "applied" for port in ports)


@pytest.fixture(scope="module")
def scenario(real_tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """Return the place: both nodes of the zone behind the edge, and its guests, which run."""
    with ExitStack() as stack:
        real_tenant.cloud.repair()
        real_tenant.cloud.add(SECOND, ZONE)
        stack.callback(remove_nodes, real_tenant)
        real_tenant.wait_for_nodes()
        edge = stack.enter_context(Edge.running(real_tenant.cloud, ZONE))
        stack.callback(clear, real_tenant)
        scenario = Scenario(real_tenant, edge, tmp_path_factory.mktemp("home"))
        make_groups(scenario)
        scenario = replace(scenario, ipv4=make_guests(scenario))
        scenario.wait_for_routes(scenario.node())
        yield scenario
    real_tenant.assert_clean_slate()


def make_groups(scenario: Scenario) -> None:
    for group in ("web", "db"):
        scenario.tenant.api.post("security-groups", {"name": group})
        scenario.allow(group, "any", direction="out")
    for ports in ((22,), (ECHO,), STREAMS):
        scenario.allow("web", "tcp", *ports)
    for protocol in ("icmp", "icmpv6"):
        scenario.allow("web", protocol)
    scenario.allow("db", "tcp", DATABASE, peer="web")


def make_guests(scenario: Scenario) -> str:
    """Make the pools, the network and the guests. Returns the public address of `web`."""
    tenant = scenario.tenant
    for pool in (POOL, SUBNETS):
        tenant.operator.post("/v1/address-pools", pool)
    tenant.api.post("networks", {"name": "edge", "cidr": "10.21.0.0/24", "ipv6_pool": "edge6"})
    created = [
        tenant.create(name, networks=["edge"], security_groups=[name], zones=[ZONE], labels={"ssh-user": "root"})
        for name in ("web", "db")
    ]
    for each in created:
        ended = tenant.api.wait(each["operation"])  # type: ignore[arg-type]
        assert ended["state"] == "succeeded", ended["error"]
    address = tenant.api.post("public-addresses", {"pool": "edge4", "name": "www"})
    (port,) = tenant.api.get("ports", instance="web")["items"]
    tenant.api.post("public-addresses/www/actions/attach", {"port": port["id"]})
    for name in ("web", "db"):
        wait_for_ssh(tenant, name)
    return str(address["ip"])


def clear(tenant: Tenant) -> None:
    """Delete what the guests had, and the guests before it."""
    tenant.cloud.repair()
    tenant.delete_everything()
    for path in (
        "networks/edge",
        "public-addresses/www",
        "public-addresses/out",
        "security-groups/db",
        "security-groups/web",
    ):
        tenant.api.delete_if_there(path)
    for pool in (POOL, SUBNETS):
        tenant.operator.delete_if_there(f"/v1/address-pools/{pool['name']}")
    for announcer in tenant.operator.get("/v1/announcers")["items"]:
        tenant.operator.delete_if_there(f"/v1/announcers/{announcer['name']}")


def remove_nodes(tenant: Tenant) -> None:
    """Take the second node away, and the address that the first one has on the edge."""
    node = tenant.cloud.node(FIRST)
    tenant.cloud.stack.manage("set_underlay", FIRST, node.address)
    node.exec(["ip", "route", "flush", "default"])
    tenant.operator.post(f"/v1/nodes/{SECOND}/actions/retire", {"reason": "the test has ended"})
    tenant.cloud.remove_node(SECOND)


def test_ssh_from_outside_by_both_families(scenario: Scenario) -> None:
    for address in scenario.outside_addresses():
        assert scenario.edge.ssh(address, scenario.tenant.key, "hostname") == "web"
    outside = scenario.edge.ssh(scenario.ipv4, scenario.tenant.key, "ip -6 addr show dev eth0 scope global")
    assert f"inet6 {scenario.addresses('web')['ipv6']}/" in outside


def test_guest_gets_its_ipv6_address_and_router_without_the_seed(scenario: Scenario) -> None:
    """DHCPv6 gives the address, router advertisements the way out."""
    answer = scenario.in_web(BY_DHCPV6)
    lease = re.search(r"^lease (\S+)", answer, re.MULTILINE)
    assert lease is not None, answer
    ipv6 = str(ip_address(lease[1]))
    assert ipv6 == scenario.addresses("web")["ipv6"]
    assert "default via fe80::1 dev eth0" in scenario.in_web("ip -6 route show")  # the seed's went with the link
    assert scenario.edge.ssh(ipv6, scenario.tenant.key, "hostname") == "web"


def test_tiers_are_open_as_their_groups_allow(scenario: Scenario) -> None:
    scenario.in_web(f"nc -ll -p {ECHO} -e cat >/dev/null 2>&1 </dev/null &")
    scenario.in_db(f"nc -ll -p {DATABASE} -e cat >/dev/null 2>&1 </dev/null & echo listening")
    database = scenario.addresses("db")
    for address in database.values():
        assert scenario.in_web(f"echo query | nc {address} {DATABASE}") == "query"
    with pytest.raises(TimeoutError):
        connect_soon(scenario, database["ipv6"], DATABASE)
    for address in scenario.outside_addresses():
        with scenario.edge.connect(address, ECHO) as connection:
            echo(connection, b"request")


def test_removed_rule_ends_its_open_connections_and_no_others(scenario: Scenario) -> None:
    allowed = scenario.allow("web", "tcp", 7777)
    wait_until(lambda: scenario.has_applied("web"), limit_s=PATIENCE_S)
    for port in (7777, STREAMS[1]):
        scenario.in_web(f"nc -ll -p {port} -e cat >/dev/null 2>&1 </dev/null &")
    for address in scenario.outside_addresses():
        with scenario.edge.connect(address, 7777) as ending, scenario.edge.connect(address, STREAMS[1]) as other:
            echo(ending, b"before")
            echo(other, b"before")
            scenario.tenant.api.delete(allowed.pop(0))
            wait_until(lambda: scenario.has_applied("web"), limit_s=PATIENCE_S)
            ending.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GIVE_UP_MS)
            ending.sendall(b"after")
            with pytest.raises(OSError) as ended:
                ending.recv(64)
            assert ended.value.errno == errno.ETIMEDOUT
            echo(other, b"after")


def test_connections_from_outside_survive_a_migration(scenario: Scenario) -> None:
    """An upload, two downloads and idle connections are whole afterwards; what their silence was is a figure."""
    source = scenario.node()
    destination = SECOND if source == FIRST else FIRST
    streams = Streams(
        scenario.edge, scenario.ipv4, scenario.addresses("web"), in_web=scenario.in_web, in_db=scenario.in_db
    )
    with streams.running():
        asked = {"node": destination, "reason": "a disk is to be replaced"}
        instance = scenario.tenant.api.get("instances/web")["id"]
        moved = scenario.tenant.operator.post(f"/v1/instances/{instance}/actions/migrate", asked)
        ended = scenario.tenant.api.wait(moved)
        assert ended["state"] == "succeeded", ended["error"]
        assert scenario.node() == destination
        scenario.wait_for_routes(destination)
        streams.wait_for_more()
    streams.assert_whole()
    (migration,) = scenario.tenant.operator.get(f"/v1/instances/{instance}/migrations")["items"]
    figures = {"pause_ms": migration["pause_ms"], **streams.longest_silence_ms()}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures))
    for address in scenario.outside_addresses():
        assert scenario.edge.ssh(address, scenario.tenant.key, "hostname") == "web"


def test_guest_without_a_public_address_leaves_with_the_egress_address(scenario: Scenario) -> None:
    """Also when the gateway node is drained. A guest with a public address of its own leaves with that one."""
    tenant = scenario.tenant
    egress = str(tenant.api.post("public-addresses", {"pool": "edge4", "name": "out"})["ip"])
    with scenario.edge.telling_sources(SOURCES):
        scenario.wait_for_source("db", tenant.cloud.node(scenario.node("db")).address)
        tenant.api.post("public-addresses/out/actions/attach", {"network": "edge"})
        wait_until(lambda: tenant.api.get("public-addresses/out")["state"] == "applied", limit_s=PATIENCE_S)
        scenario.wait_for_source("db", egress)
        scenario.wait_for_source("web", scenario.ipv4)

        gateway = scenario.gateway(egress)
        guests = UninterruptedGuests(tenant.cloud, tenant.api, tenant.operator, tenant.key)
        drain = guests.drain(gateway)
        assert drain["state"] == "done", drain
        other = SECOND if gateway == FIRST else FIRST
        assert (scenario.node("web"), scenario.node("db")) == (other, other)
        scenario.wait_for_routes(other)
        wait_until(lambda: scenario.gateway(egress) == other, limit_s=PATIENCE_S)
        scenario.wait_for_source("db", egress)
        changes = tenant.api.get("/v1/events", kind="public_address.gateway-changed")["items"]
        assert {each["resource"]["name"] for each in changes} == {"out"}
        tenant.operator.post(f"/v1/nodes/{gateway}/actions/return")

        tenant.api.post("public-addresses/out/actions/detach")
        scenario.wait_for_source("db", tenant.cloud.node(other).address)
        wait_until(lambda: scenario.gateway(egress) == "", limit_s=PATIENCE_S)


def test_guests_have_names_and_metadata_and_the_relay_reaches_them(scenario: Scenario) -> None:
    database = scenario.addresses("db")
    for name in ("db", "db.internal"):
        assert f"({database['ipv4']})" in scenario.in_web(f"ping -4 -c 1 {name} || true")
    assert database["ipv6"] in scenario.in_web("nslookup -type=aaaa db.internal")
    instance = scenario.tenant.api.get("instances/web")
    by_token = f'wget -qO - --header "X-aws-ec2-metadata-token: $({TOKEN})" {METADATA}/instance-id'
    assert scenario.in_web(by_token) == instance["id"]
    assert "401" in scenario.in_web(f"wget -O - {METADATA}/instance-id 2>&1 || true")
    assert by_tunnel(scenario.tenant, "web", "hostname", scenario.home, "--relay").strip() == "web"


def connect_soon(scenario: Scenario, address: str, port: int) -> None:
    """Connect from outside; raises TimeoutError: TCP gave up after two attempts."""
    scenario.edge.connect(address, port, attempts=2).close()


def echo(connection: socket.socket, words: bytes) -> None:
    """Check that the words come back."""
    connection.sendall(words)
    found = b""
    while len(found) < len(words):
        assert (more := connection.recv(64)), f"the connection ended after {found!r}"
        found += more
    assert found == words
