"""The pages of volume types, for operators."""

import pytest
from django.test import Client

from controlplane.catalog.models import VolumeType
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import Pool
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.world import Cloud

CATALOG, URL = "/platform/offers", "/platform/volume-types"
FAST = {
    "id": "fast",
    "description": "quick",
    "pool": "flash",
    "binding": "first_use",
    "iops": "500",
    "iops_per_gib": "10",
    "mb_per_s": "0",
    "mb_per_s_per_gib": "2",
    "organizations": "alpha-org",
}


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


def test_type_is_created_retired_and_deleted(operator: Client, cloud: Cloud) -> None:
    refused = operator.post(f"{URL}/new", FAST | {"organizations": "nobody"})
    assert b'id="id_organizations_error"' in refused.content
    assert operator.post(f"{URL}/new", FAST)["Location"] == CATALOG
    shown = text_of(operator.get(CATALOG))
    assert "10 IOPS per GiB, at least 500, 2 MB/s per GiB" in shown and "alpha-org" in shown and "flash" in shown
    assert "flash , from the first attachment on" in shown and VolumeType.objects.get(pk="fast").binding == "first_use"
    form = operator.get(f"{URL}/fast/edit").context["form"]
    assert (form["organizations"].value(), form["iops"].value()) == ("alpha-org", 500)
    changed = {name: FAST[name] for name in FAST if name not in ("id", "pool", "binding")}
    changed |= {"organizations": "", "iops_per_gib": "0", "is_retired": "on"}
    assert operator.post(f"{URL}/fast/edit", changed)["Location"] == CATALOG
    row = VolumeType.objects.get(pk="fast")
    assert (row.organization_ids, row.iops, row.iops_per_gib, row.is_retired) == ([], 500, 0, True)
    assert "fast retired" in text_of(operator.get(CATALOG))
    assert operator.post(f"{URL}/fast/delete")["Location"] == CATALOG
    assert not VolumeType.objects.filter(pk="fast").exists()


def test_type_for_several_instances_needs_a_pool(operator: Client, cloud: Cloud) -> None:
    together = FAST | {"binding": "immediate", "is_multi_attach": "on", "organizations": ""}
    assert b'id="id_is_multi_attach_error"' in operator.post(f"{URL}/new", together | {"pool": ""}).content
    assert operator.post(f"{URL}/new", together)["Location"] == CATALOG
    assert "flash , for several instances at once" in text_of(operator.get(CATALOG))


def test_catalog_and_forms_show_the_copies_of_the_data(operator: Client, member: Client, home: str) -> None:
    operator.post(f"{URL}/new", FAST | {"organizations": ""})
    pool = Pool.objects.create(name="flash", zone_id="fr-idf-1", uuid=new_id(), path="/srv/flash", capacity_gib=100)
    assert "cop" not in text_of(operator.get(CATALOG)).partition("flash")[2].partition("IOPS")[0]
    for replicas, words in ((1, "1 copy of the data"), (3, "3 copies of the data")):
        Pool.objects.filter(pk=pool.pk).update(replicas=replicas)
        assert f"flash , {words}" in text_of(operator.get(CATALOG))
        assert f"shared storage, gets its place when it is first attached, {words}, 10 IOPS" in text_of(
            member.get(f"{home}/volumes/create")
        )


def test_only_operators_change_types(signed_in: SignIn, cloud: Cloud) -> None:
    support = signed_in("support")
    assert b"volume-types" not in support.get(CATALOG).content
    support.post(f"{URL}/local/delete")
    assert VolumeType.objects.filter(pk="local").exists()
