"""A name server loads the reverse zones as they are given, and answers for them."""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests import processes
from tests.agents.announcer.waiting import wait_until
from tests.agents.network import dns
from tests.api.client import Caller
from tests.world import Cloud

HERE = "127.0.0.1"
SERVER = """\
server:
    ip-address: {here}@{port}
    server-count: 1
    username: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
remote-control:
    control-enable: no
"""
ZONE = 'zone:\n    name: "{name}"\n    zonefile: "{file}"\n'
# By the range of the pool: an address of it, its zone, and the name that is asked for.
ADDRESSES = {
    "203.0.113.0/24": ("203.0.113.10", "113.0.203.in-addr.arpa", "10.113.0.203.in-addr.arpa"),
    "198.51.100.64/26": ("198.51.100.70", "64/26.100.51.198.in-addr.arpa", "70.64/26.100.51.198.in-addr.arpa"),
    "2001:db8:1::/64": (
        "2001:db8:1::5",
        f"{'0.' * 4}1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        f"5.{'0.' * 19}1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
    ),
}


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((HERE, 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def name_server(folder: Path, files: Mapping[str, Path]) -> Iterator[int]:
    """Run NSD with these zones; yields its port."""
    port, config = free_udp_port(), folder / "nsd.conf"
    zones = "".join(ZONE.format(name=name, file=file) for name, file in files.items())
    config.write_text(SERVER.format(here=HERE, port=port, folder=folder) + zones)
    with processes.running(["nsd", "-d", "-c", config]) as server:
        try:
            wait_until(lambda: dns.answer_of(HERE, "PTR", next(iter(files)), port=port) != "closed", "the name server")
            yield port
        finally:
            server.terminate()  # its own children end with it
            server.wait()


def zone_files(api: Caller, operator: Caller, folder: Path) -> dict[str, Path]:
    """Make a pool of each range with a named address, and fetch its zone file."""
    files = {}
    for number, (cidr, (ip, zone, _)) in enumerate(ADDRESSES.items()):
        pool = {"name": f"public-{number}", "zone": "fr-idf-1", "family": "ipv6" if ":" in cidr else "ipv4"}
        assert operator.post("/v1/address-pools", pool | {"cidrs": [cidr]}).status == 201
        address = {"name": f"www-{number}", "pool": pool["name"], "ip": ip, "ptr": f"www{number}.example.org"}
        assert api.post("public-addresses", address).status == 201
        answer = operator.get(f"/v1/address-pools/{pool['name']}/reverse-zone?name_servers=ns1.example.net")
        files[zone] = folder / zone.replace("/", "-")
        files[zone].write_text(answer.text)
    return files


def test_name_server_loads_the_zones_and_answers(api: Caller, operator: Caller, cloud: Cloud, tmp_path: Path) -> None:
    files = zone_files(api, operator, tmp_path)
    for zone, file in files.items():
        checked = subprocess.run(["nsd-checkzone", zone, file], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    with name_server(tmp_path, files) as port:
        for number, (_, zone, name) in enumerate(ADDRESSES.values()):
            assert dns.answer_of(HERE, "PTR", name, port=port) == f"www{number}.example.org"
            assert dns.answer_of(HERE, "PTR", f"nobody.{zone}", port=port) == "NXDOMAIN"
