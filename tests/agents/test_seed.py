"""Seed of a guest, read back by a real YAML parser."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from uuid import UUID

import yaml

from agents.node import cloud_init
from agents.node.adapters.network_specs import NetworkSpec, PortSpec, SubnetSpec
from agents.node.specs import GuestData
from andromede_core.permits.dhcp_options import DhcpOptions, StaticRoute
from tests.agents import specs

INSTANCE = UUID(specs.PROJECT_ID)
NETWORK = NetworkSpec(
    id=UUID(specs.NETWORK_ID),
    subnets=(
        SubnetSpec(
            IPv4Network("10.10.0.0/20"),
            IPv4Address("10.10.0.1"),
            (IPv4Address("10.10.0.1"), IPv4Address("9.9.9.9")),
        ),
    ),
    mtu=1450,
)


def port(number: int) -> PortSpec:
    ip = IPv4Address(f"10.10.0.{number}")
    return PortSpec(UUID(specs.new_id()), NETWORK, f"52:54:00:00:00:{number:02x}", (ip,), "web-1")


def files(data: GuestData, *ports: PortSpec) -> dict[str, object]:
    return {name: yaml.safe_load(content) for name, content in cloud_init.files(INSTANCE, data, ports).items()}


def test_metadata_has_name_and_keys() -> None:
    hostile = "ssh-ed25519 AAAA me: \"you\" # {no} 'comment' \\n"
    read = files(GuestData("web-1", (hostile, "ssh-rsa BBBB"), b""), port(11))
    assert read["meta-data"] == {
        "instance-id": str(INSTANCE),
        "local-hostname": "web-1",
        "public-keys": [hostile, "ssh-rsa BBBB"],
    }


def test_each_card_is_matched_by_mac_and_the_first_has_the_gateway() -> None:
    config = files(GuestData("web-1", (), b""), port(11), port(12))["network-config"]
    first, second = config["ethernets"]["net0"], config["ethernets"]["net1"]
    assert config["version"] == 2
    assert first == {
        "match": {"macaddress": "52:54:00:00:00:0b"},
        "set-name": "eth0",
        "mtu": 1450,
        "addresses": ["10.10.0.11/20"],
        "nameservers": {"addresses": ["10.10.0.1", "9.9.9.9"]},
        "routes": [{"to": "default", "via": "10.10.0.1"}],
    }
    assert (second["set-name"], "routes" in second) == ("eth1", False)


def test_search_domains_and_routes_of_the_subnet_are_on_each_card() -> None:
    route = StaticRoute(IPv4Network("10.40.0.0/16"), IPv4Address("10.10.0.4"))
    options = DhcpOptions(domain_search=("a.example",), static_routes=(route,))
    subnet = replace(NETWORK.subnets[0], dns_servers=(), options=options)
    cards = [replace(port(number), network=replace(NETWORK, subnets=(subnet,))) for number in (11, 12)]
    first, second = files(GuestData("web-1", (), b""), *cards)["network-config"]["ethernets"].values()
    routed = {"to": "10.40.0.0/16", "via": "10.10.0.4"}
    assert (first["routes"], second["routes"]) == ([{"to": "default", "via": "10.10.0.1"}, routed], [routed])
    assert first["nameservers"] == {"addresses": ["10.10.0.1"], "search": ["internal", "a.example"]}


def test_guest_without_cards_or_keys_gets_valid_files() -> None:
    read = files(GuestData("web-1", (), b""))
    assert read["network-config"] == {"version": 2, "ethernets": {}}
    assert read["meta-data"]["public-keys"] == []
    assert read["user-data"] == {}


def test_user_data_is_passed_unchanged() -> None:
    script = b"#!/bin/sh\nprintf '\xff\x00'\n"
    assert cloud_init.files(INSTANCE, GuestData("web-1", (), script), [])["user-data"] == script
