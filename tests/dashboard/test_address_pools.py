"""The pages of address pools, for operators."""

import pytest
from django.test import Client

from controlplane.network.models import AddressPool, PublicAddress
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import make_address_pool, text_of
from tests.world import Cloud

URL = "/platform/address-pools"
POOL = {
    "name": "public-fr",
    "zone": "fr-idf-1",
    "family": "ipv4",
    "purpose": "addresses",
    "cidrs": "203.0.113.0/24\n198.51.100.0/25",
    "reserved_ranges": "203.0.113.0-203.0.113.9",
    "community": "64500:100",
    "labels": "env=prod",
}


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


def test_pool_is_created_changed_and_deleted(operator: Client, cloud: Cloud) -> None:
    assert "No address pools yet" in text_of(operator.get(URL))
    refused = operator.post(f"{URL}/new", POOL | {"cidrs": "203.0.113.0/99"})
    assert b'id="id_cidrs_error"' in refused.content
    page = operator.post(f"{URL}/new", POOL)["Location"]
    shown = text_of(operator.get(page))
    assert "198.51.100.0/25" in shown and "64500:100" in shown and "0 / 374" in shown
    assert "No project has an address of this pool" in shown
    listed = operator.get(URL)
    assert "0 / 374" in text_of(listed) and b"<meter" in listed.content
    assert "No address pool matches the filters" in text_of(operator.get(f"{URL}?zone=nowhere"))
    changed = {"name": "public-fr", "cidrs": "203.0.113.0/24", "local_preference": "200", "labels": ""}
    assert operator.post(f"{page}/edit", changed)["Location"] == page
    pool = AddressPool.objects.get()
    assert (pool.cidrs, pool.reserved_ranges, pool.community) == (["203.0.113.0/24"], [], "")
    assert (pool.local_preference, pool.labels) == (200, {})
    assert operator.post(f"{page}/delete")["Location"] == URL
    assert not AddressPool.objects.exists()


def test_page_of_a_pool_names_the_network_of_an_egress_address(
    operator: Client, member: Client, home: str, cloud: Cloud
) -> None:
    pool = make_address_pool()
    page = member.post(f"{home}/public-addresses/new", {"name": "out", "pool": str(pool.pk), "labels": ""})["Location"]
    member.post(f"{page}/attach-network", {"network": str(cloud.network.pk)})
    assert (
        f'data-label="Attached to" translate="no">{cloud.network.name}<'
        in operator.get(f"{URL}/{pool.pk}").content.decode()
    )


def test_address_of_a_pool_is_suspended_and_resumed(operator: Client, member: Client, home: str) -> None:
    pool = make_address_pool()
    member.post(f"{home}/public-addresses/new", {"name": "www", "pool": str(pool.pk), "labels": ""})
    page = f"{URL}/{pool.pk}"
    shown = text_of(operator.get(page))
    assert "203.0.113.0" in shown and "alpha" in shown and "1 / 256" in shown
    here = f"{page}/addresses/203.0.113.0"
    assert b"Suspend 203.0.113.0" in operator.get(f"{here}/suspend").content
    assert b'id="id_reason_error"' in operator.post(f"{here}/suspend", {"reason": ""}).content
    assert operator.post(f"{here}/suspend", {"reason": "Reported as spam."})["Location"] == page
    assert PublicAddress.objects.get().suspended_at is not None
    shown = text_of(operator.get(page))
    assert "suspended by an operator" in shown and "Reported as spam." in shown
    assert "of the pool are in use: 203.0.113.0" in text_of(operator.post(f"{page}/delete")), "a pool in use stays"
    assert operator.post(f"{here}/resume")["Location"] == page
    assert PublicAddress.objects.get().suspended_at is None


def test_pages_are_for_platform_roles(signed_in: SignIn, member: Client) -> None:
    pool, support = make_address_pool(), signed_in("support")
    for url in (URL, f"{URL}/{pool.pk}"):
        answer = support.get(url)
        assert answer.status_code == 200 and b"/edit" not in answer.content and b"/new" not in answer.content
        assert member.get(url).status_code == 403
    assert support.post(f"{URL}/{pool.pk}/delete").status_code in (200, 403)
    assert AddressPool.objects.exists()
    assert f'href="{URL}"'.encode() not in member.get("/").content
