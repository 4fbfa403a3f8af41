"""Announcements: what a document may say, and that nothing in it reaches BIRD but numbers and addresses."""

from ipaddress import ip_address
from typing import Any

import pytest

from agents.announcer.bird_config import render
from andromede_core.documents.parsing import Malformed
from andromede_core.permits import announcements
from andromede_core.permits.announcements import Announcements, Route, parse

ROUTE = {"next_hop": "10.0.7.1", "community": "65001:100", "local_preference": 200}


def payload(routes: Any, /, **changes: Any) -> dict[str, Any]:
    return {"zone": "fr-idf-1", "version": 7, "routes": routes} | changes


def test_payload_is_what_is_parsed() -> None:
    document = parse(payload({"203.0.113.7": ROUTE, "2001:db8::7": {"next_hop": "fd00::1"}}))
    assert document.routes[ip_address("203.0.113.7")] == Route(ip_address("10.0.7.1"), (65001, 100), 200)
    assert parse(document.payload()) == document


@pytest.mark.parametrize(
    ("address", "changes"),
    [
        ("203.0.113.0/24", {}),  # no more than one address is behind a node
        ("0.0.0.0", {}),
        ("127.0.0.1", {}),
        ("169.254.169.254", {}),
        ("224.0.0.1", {}),
        ("::ffff:203.0.113.7", {"next_hop": "fd00::1"}),
        ("2001:db8:0::7", {"next_hop": "fd00::1"}),  # not in its canonical form
        ("203.0.113.7;}", {}),
        ("203.0.113.7", {"next_hop": "203.0.113.7"}),
        ("203.0.113.7", {"next_hop": "fd00::1"}),
        ("203.0.113.7", {"next_hop": "node1"}),
        ("203.0.113.7", {"next_hop": "10.0.7.1; }"}),
        ("2001:db8::7", {"next_hop": "fe80::1"}),
        ("203.0.113.7", {"community": "65001:100)); bgp_local_pref = 999; x.add((1,1"}),
        ("203.0.113.7", {"community": "65001"}),
        ("203.0.113.7", {"community": "65536:1"}),
        ("203.0.113.7", {"community": "1:99999"}),
        ("203.0.113.7", {"community": "１:2"}),
        ("203.0.113.7", {"community": "1:2\n"}),
        ("203.0.113.7", {"community": ["1", "2"]}),
        ("203.0.113.7", {"local_preference": 2**32}),
        ("203.0.113.7", {"local_preference": "200"}),
        ("203.0.113.7", {"via": "eth0"}),
    ],
)
def test_bad_routes_are_refused(address: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as caught:
        parse(payload({address: ROUTE | changes}))
    assert caught.value.place.startswith(f"announcements.routes.{address}")


@pytest.mark.parametrize("changes", [{"version": 0}, {"zone": ""}, {"routes": []}, {"kind": "x"}, {"routes": None}])
def test_bad_documents_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse(payload({}, **changes))


def test_number_of_routes_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "MAX_ROUTES", 1)
    with pytest.raises(Malformed, match="at most 1 routes"):
        parse(payload({"203.0.113.7": ROUTE, "203.0.113.8": ROUTE}))


def test_configuration_of_bird() -> None:
    routes = {
        ip_address("203.0.113.8"): Route(ip_address("10.0.7.2")),
        ip_address("203.0.113.7"): Route(ip_address("10.0.7.1"), (65001, 100), 200),
        ip_address("2001:db8::7"): Route(ip_address("fd00::1"), (0, 65535)),
    }
    assert render(Announcements('x"; }', 7, routes)) == (
        "protocol static andromede4 {\n"
        '  description "7";\n'
        "  ipv4;\n"
        "  route 203.0.113.7/32 blackhole { bgp_next_hop = 10.0.7.1; bgp_community.add((65001,100));"
        " bgp_local_pref = 200; };\n"
        "  route 203.0.113.8/32 blackhole { bgp_next_hop = 10.0.7.2; };\n"
        "}\n"
        "protocol static andromede6 {\n"
        '  description "7";\n'
        "  ipv6;\n"
        "  route 2001:db8::7/128 blackhole { bgp_next_hop = fd00::1; bgp_community.add((0,65535)); };\n"
        "}\n"
    )


def test_configuration_without_a_document_has_no_route() -> None:
    assert "route" not in render(None)
