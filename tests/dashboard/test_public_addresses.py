"""Public addresses on the pages of a project and of an instance."""

import html
import re

import pytest
from django.test import Client

from controlplane.network import public_address_residency
from controlplane.network.models import AddressPool, EgressAddress, Port, PublicAddress
from controlplane.nodes.models import Node
from controlplane.reconcilers import port_rules as reconciler
from controlplane.signer import port_rules as signer
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import make_address_pool, make_instance, text_of
from tests.world import Cloud


def test_address_is_reserved_attached_detached_and_released(home: str, member: Client, cloud: Cloud) -> None:
    here = f"{home}/public-addresses"
    assert "Ask an operator for one" in text_of(member.get(f"{here}/new"))
    pool = make_address_pool()
    assert b"No public addresses yet" in member.get(here).content
    assert b"public, fr-idf-1, ipv4" in member.get(f"{here}/new").content
    refused = member.post(f"{here}/new", {"name": "www", "pool": str(pool.pk), "ip": "198.51.100.1", "labels": ""})
    assert b'id="id_ip_error"' in refused.content
    created = member.post(f"{here}/new", {"name": "www", "pool": str(pool.pk), "ptr": "www.example.org", "labels": ""})
    assert created.status_code == 302, created.content
    page = created["Location"]
    content = member.get(page).content
    assert b"203.0.113.0" in content and b"www.example.org" in content and b"<dd>detached</dd>" in content
    assert b"203.0.113.0" in member.get(here).content
    member.post(f"{page}/edit", {"name": "web", "ptr": "", "labels": ""})
    assert PublicAddress.objects.get().ptr == ""
    assert "no port. Create an instance" in text_of(member.get(f"{page}/attach"))
    assert "no network. Create one" not in text_of(member.get(f"{page}/attach-network"))
    member.post(f"{home}/networks/{cloud.network.pk}/ports/new", {"name": "card", "addresses": "", "labels": ""})
    port = Port.objects.get(name="card")
    assert b"card, 10.10.0." in member.get(f"{page}/attach").content
    assert member.post(f"{page}/attach", {"port": str(port.pk), "mode": ""})["Location"] == page
    content = member.get(page).content
    assert b"in use when a node has the instance" in content and b"translated to" in content
    assert b"Detach it first" in content, "it says why it cannot be released"
    member.post(f"{page}/detach", {"next": page})
    assert PublicAddress.objects.get().port is None
    assert "a suspended one only when an operator resumes it" in text_of(member.get(f"{page}/delete"))
    assert member.post(f"{page}/delete")["Location"] == here
    assert not PublicAddress.objects.exists()


def test_network_page_of_an_instance_has_its_public_addresses(home: str, member: Client, cloud: Cloud) -> None:
    instance = make_instance(member, home)
    pool, page = make_address_pool(), f"{home}/instances/{instance.pk}/network"
    assert b"No public address" in member.get(page).content
    member.post(f"{home}/public-addresses/new", {"name": "www", "pool": str(pool.pk), "labels": ""})
    port = Port.objects.get(instance_id=instance.pk)
    form = f"{home}/instances/{instance.pk}/public-addresses/attach"
    address = PublicAddress.objects.get()
    assert b"www, 203.0.113.0" in member.get(form).content
    sent = {"address": str(address.pk), "port": str(port.pk), "mode": ""}
    assert member.post(form, sent)["Location"] == page
    assert b"203.0.113.0" in member.get(page).content


def test_pages_show_own_addresses_of_a_pool_as_public(home: str, member: Client, cloud: Cloud) -> None:
    zone = Node.objects.order_by("name")[:1].get().zone
    AddressPool.objects.create(name="public6", zone=zone, family="ipv6", purpose="subnets", cidrs=["2001:db8:0:8::/63"])
    at = f"{home}/networks/{cloud.network.pk}"
    inside = {"name": "inside", "cidr": "10.11.0.0/24", "ipv6_cidr": "fd00:11::/64"}
    routed = {"name": "routed", "cidr": "10.12.0.0/24", "ipv6_pool": "public6"}
    for subnet in (inside, routed):
        assert member.post(f"{at}/subnets/new", subnet)["Location"] == at
    member.post(f"{at}/ports/new", {"name": "spare", "addresses": "inside"})
    assert "nothing comes in from outside" in text_of(member.get(f"{at}/topology"))
    member.post(f"{at}/ports/new", {"name": "card", "addresses": "routed"})
    text = text_of(member.get(f"{at}/topology"))
    assert "2001:db8:0:8::2 → card" in text and "nothing comes in from outside" not in text
    card = Port.objects.get(name="card")
    instance = make_instance(member, home, networks=[], ports=[str(card.pk)])
    text = text_of(member.get(f"{home}/instances/{instance.pk}/network"))
    assert "at its own IPv6 addresses: 2001:db8:0:8::2" in text and "not reachable from outside" not in text


def test_overview_has_the_command_by_the_public_address(
    home: str, member: Client, signed_in: SignIn, cloud: Cloud
) -> None:
    instance = make_instance(member, home)
    page = f"{home}/instances/{instance.pk}"
    assert "--public" not in text_of(member.get(page)) and "--relay" not in text_of(member.get(page))
    member.post(f"{home}/public-addresses/new", {"name": "www", "pool": str(make_address_pool().pk), "labels": ""})
    port, address = Port.objects.get(instance_id=instance.pk), PublicAddress.objects.get()
    attach = f"{home}/public-addresses/{address.pk}/attach"
    member.post(attach, {"port": str(port.pk), "mode": ""})
    shown = text_of(member.get(page))
    assert "203.0.113.0" in shown and "--public" not in shown, "the node does not have the address yet"
    signer.sign_all()
    reconciler.reconcile()
    text = text_of(member.get(page))
    assert f"andromede instance ssh {instance.name} --project alpha --public" in text
    assert f"andromede instance ssh {instance.name} --project alpha --relay" in text
    for_viewer = text_of(signed_in("viewer").get(page))
    assert "--public" in for_viewer and "--relay" not in for_viewer and "Your role in this project" in for_viewer


def test_viewer_sees_addresses_and_cannot_change_them(home: str, signed_in: SignIn, cloud: Cloud) -> None:
    viewer = signed_in("viewer")
    assert viewer.get(f"{home}/public-addresses").status_code == 200
    viewer.post(f"{home}/public-addresses/new", {"name": "www", "pool": str(make_address_pool().pk)})
    assert not PublicAddress.objects.exists()


def test_address_of_a_network_is_attached_and_detached(home: str, member: Client, cloud: Cloud) -> None:
    pool = str(make_address_pool().pk)
    page = member.post(f"{home}/public-addresses/new", {"name": "out", "pool": pool, "labels": ""})["Location"]
    network = f"{home}/networks/{cloud.network.pk}"
    assert "leave with the address of their node" in text_of(member.get(network))
    assert f'href="{home}/public-addresses">Attach a public address' in member.get(network).content.decode()
    assert b"lan" in member.get(f"{page}/attach-network").content
    sent = {"network": str(cloud.network.pk)}
    assert member.post(f"{page}/attach-network", sent)["Location"] == page
    assert EgressAddress.objects.get().network == cloud.network
    for shown in (page, network, f"{network}/topology", f"{home}/public-addresses"):
        assert b"203.0.113.0" in member.get(shown).content
    assert b"lan" in member.get(page).content
    member.post(f"{page}/detach", {"next": page})
    assert not EgressAddress.objects.exists()


def test_earlier_locations_are_on_a_page_of_their_own(
    home: str, member: Client, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_instance(member, home)
    sent = {"name": "www", "pool": str(make_address_pool().pk), "labels": ""}
    page = member.post(f"{home}/public-addresses/new", sent)["Location"]
    for _ in range(3):
        member.post(f"{page}/attach-network", {"network": str(cloud.network.pk)})
        member.post(f"{page}/detach", {"next": page})
    assert "Earlier locations" not in text_of(member.get(page))
    monkeypatch.setattr(public_address_residency, "MAX_USES", 2)
    residency = f"/residency/{PublicAddress.objects.get().pk}"
    assert f'href="{residency}"'.encode() in member.get(page).content
    link = re.search(rb'href="(\?[^"]*to=[^"]*)"', member.get(residency).content)
    assert link is not None
    older = text_of(member.get(residency + html.unescape(link[1].decode())))
    assert "Earlier locations" not in older and "fr-idf-1" in older
