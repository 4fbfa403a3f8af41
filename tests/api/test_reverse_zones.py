"""Reverse zones of address pools: what name servers load, its serial, and what a hostile name cannot do."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from controlplane.network.models import AddressPool, PublicAddress
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.world import Cloud

NS = "ns1.example.net,ns2.example.net"
Record = tuple[str, str, str]


@pytest.fixture
def pool(operator: Caller, cloud: Cloud) -> dict[str, Any]:
    return make_pool(operator, "203.0.113.0/24")


def make_pool(operator: Caller, cidr: str, **more: str) -> dict[str, Any]:
    family = "ipv6" if ":" in cidr else "ipv4"
    created = operator.post(
        "/v1/address-pools", {"name": "public", "zone": "fr-idf-1", "family": family, "cidrs": [cidr], **more}
    )
    assert created.status == 201, created.text
    return dict(created.body)


def url(**query: str) -> str:
    return f"/v1/address-pools/public/reverse-zone?{urlencode({'name_servers': NS} | query)}"


def zone_of(operator: Caller, **query: str) -> list[Record]:
    answer = operator.get(url(**query))
    assert answer.status == 200, answer.text
    return records(answer.text)


def records(text: str) -> list[Record]:
    """Parse a zone file (RFC 1035, 5.1) that has no parentheses, quotes or comments: a zone of names needs none."""
    parsed, origin = [], ""
    for line in text.splitlines():
        assert not set(line) & set('";()\\'), line
        words = line.split(" ")
        if words[0] == "$ORIGIN":
            origin = words[1]
        elif words[0] != "$TTL":
            owner, _class, kind, *data = words
            assert _class == "IN" and kind in ("SOA", "NS", "PTR") and (kind == "SOA" or len(data) == 1), line
            parsed.append((origin if owner == "@" else f"{owner}.{origin}", kind, " ".join(data)))
    return parsed


def pointers(zone: Sequence[Record]) -> dict[str, str]:
    return {owner: name for owner, kind, name in zone if kind == "PTR"}


def serial(zone: Sequence[Record]) -> int:
    (start,) = [data for _, kind, data in zone if kind == "SOA"]
    return int(start.split()[2])


def reserve(api: Caller, name: str, ptr: str, **more: str) -> Any:
    created = api.post("public-addresses", {"name": name, "pool": "public", "ptr": ptr, **more})
    assert created.status == 201, created.text
    return created.body


def test_zone_has_authority_and_the_names_of_addresses(api: Caller, operator: Caller, pool: dict[str, Any]) -> None:
    reserve(api, "www", "WWW.example.org.", ip="203.0.113.10")
    reserve(api, "nameless", "", ip="203.0.113.11")
    zone = zone_of(operator)
    origin = "113.0.203.in-addr.arpa."
    assert zone[0][:2] == (origin, "SOA")
    assert zone[0][2].split()[:2] == ["ns1.example.net.", f"hostmaster.{origin}"]
    assert zone[1:3] == [(origin, "NS", "ns1.example.net."), (origin, "NS", "ns2.example.net.")]
    assert pointers(zone) == {f"10.{origin}": "www.example.org."}


def test_serial_grows_with_each_change_of_a_name_and_the_etag_tells(
    api: Caller, operator: Caller, pool: dict[str, Any]
) -> None:
    serials = [serial(zone_of(operator))]
    reserve(api, "www", "www.example.org")
    serials.append(serial(zone_of(operator)))
    first = operator.get(url())
    etag = first.headers["ETag"]
    for known_etags in (etag, f'"other", W/{etag}', "*"):
        same = operator.get(url(), If_None_Match=known_etags)
        assert (same.status, same.text, same.headers["ETag"]) == (304, "", etag)
    api.patch("public-addresses/www", {"labels": {"env": "prod"}})
    assert operator.get(url()).headers["ETag"] == etag, "labels are in no zone"
    for change in ({"ptr": "web.example.org"}, {"ptr": ""}, {"ptr": "www.example.org"}):
        assert api.patch("public-addresses/www", change).status == 200
        serials.append(serial(zone_of(operator)))
    assert operator.get(url(), If_None_Match=etag).status == 200
    api.delete("public-addresses/www")
    serials.append(serial(zone_of(operator)))
    assert serials == sorted(set(serials)), serials
    assert pointers(zone_of(operator)) == {}


def test_pool_is_locked_before_a_name_is_written(api: Caller, pool: dict[str, Any]) -> None:
    """A reservation locks the pool and then writes the name: in another order two requests deadlock."""
    reserve(api, "www", "www.example.org")
    with CaptureQueriesContext(connection) as queries:
        assert api.patch("public-addresses/www", {"name": "web", "ptr": "web.example.org"}).status == 200
    written = [match[1] for each in queries if (match := re.match(r'UPDATE "(network_\w+)"', each["sql"] or ""))]
    assert written == ["network_addresspool", "network_publicaddress"]


def test_zone_takes_as_many_queries_for_many_names(api: Caller, operator: Caller, pool: dict[str, Any]) -> None:
    counts = []
    for number in range(3):
        reserve(api, f"www-{number}", "www.example.org")
        with CaptureQueriesContext(connection) as queries:
            zone_of(operator)
        counts.append(len(queries))
    assert len(set(counts)) == 1 and counts[0] <= 4, counts


def test_serial_is_ahead_of_name_servers_after_a_restore(api: Caller, operator: Caller, pool: dict[str, Any]) -> None:
    reserve(api, "www", "www.example.org")
    before = serial(zone_of(operator))
    AddressPool.objects.update(reverse_serial=7)
    api.patch("public-addresses/www", {"ptr": "web.example.org"})
    assert before <= serial(zone_of(operator)) < 2**32


@pytest.mark.parametrize(
    ("cidr", "origins", "ip", "owner"),
    [
        ("198.51.100.64/26", ["64/26.100.51.198.in-addr.arpa"], "198.51.100.70", "70.64/26.100.51.198.in-addr.arpa."),
        ("198.51.100.7/32", ["7/32.100.51.198.in-addr.arpa"], "198.51.100.7", "7.7/32.100.51.198.in-addr.arpa."),
        (
            "198.51.100.0/23",
            [f"{n}.51.198.in-addr.arpa" for n in (100, 101)],
            "198.51.101.9",
            "9.101.51.198.in-addr.arpa.",
        ),
        ("198.18.0.0/15", ["18.198.in-addr.arpa", "19.198.in-addr.arpa"], "198.19.2.3", "3.2.19.198.in-addr.arpa."),
        (
            "2001:db8:1::/64",
            [f"{'0.' * 4}1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"],
            "2001:db8:1::5",
            f"5.{'0.' * 19}1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
        ),
        (
            "2001:db8::a/128",
            [f"a.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa"],
            "2001:db8::a",
            f"a.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa.",
        ),
        (
            "2001:db8:4::/47",
            [f"{n}.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" for n in (4, 5)],
            "2001:db8:5::1",
            f"1.{'0.' * 19}5.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
        ),
    ],
)
def test_zones_follow_the_delegations_of_ranges(
    api: Caller, operator: Caller, cloud: Cloud, cidr: str, origins: list[str], ip: str, owner: str
) -> None:
    make_pool(operator, cidr)
    reserve(api, "www", "www.example.org", ip=ip)
    assert operator.get("/v1/address-pools/public").body["reverse_zones"] == origins
    zones = [pointers(zone_of(operator, origin=origin)) for origin in origins]
    assert zones == [{}] * (len(origins) - 1) + [{owner: "www.example.org."}]
    if len(origins) > 1:
        assert operator.get(url()).problem[1:] == (
            "invalid_parameter",
            "origin",
        )


def test_pool_for_subnets_has_no_zone(operator: Caller, cloud: Cloud) -> None:
    make_pool(operator, "2001:db8:2::/48", purpose="subnets")
    assert operator.get("/v1/address-pools/public").body["reverse_zones"] == []
    refused = operator.get(url())
    assert refused.problem == (400, "invalid_parameter", "origin")


INJECTED = (
    "a.example\n* IN PTR evil.example",
    "a.example\r\n$INCLUDE /etc/passwd",
    '"quoted"',
    "a.example;comment",
    "a b.example",
    "a\\.example",
    "@",
    "$ORIGIN",
    "_dmarc.example.org",
    "exämple.org",
)


@in_one_cloud("name", INJECTED)
def test_no_name_is_more_than_a_name(api: Caller, operator: Caller, pool: dict[str, Any], name: str) -> None:
    created = api.post("public-addresses", {"name": "www", "pool": "public", "ptr": name})
    assert created.status == 400 and created.problem[2] == "/ptr"
    refused = operator.get(url(name_servers=f"ns1.example.net,{name}"))
    assert refused.status == 400
    # As if it had been stored by another way.
    reserve(api, "www", "www.example.org", ip="203.0.113.10")
    reserve(api, "bad", "bad.example.org", ip="203.0.113.11")
    PublicAddress.objects.filter(name="bad").update(ptr=name)
    assert pointers(zone_of(operator)) == {"10.113.0.203.in-addr.arpa.": "www.example.org."}


def test_name_servers_are_needed_and_limited(operator: Caller, pool: dict[str, Any]) -> None:
    for names in ("", ",", ",".join(f"ns{number}.example.net" for number in range(14))):
        refused = operator.get(url(name_servers=names))
        assert refused.problem == (400, "invalid_parameter", "name_servers")


def test_zone_is_for_platform_roles(api: Caller, operator: Caller, pool: dict[str, Any]) -> None:
    assert zone_of(operator)
    assert api.get(url()).status == 403
