"""The pages on which images are made of snapshots and volumes."""

import pytest
from django.test import Client

from controlplane.catalog.models import Image
from controlplane.storage.models import Snapshot, Volume
from tests.dashboard import clustered
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import finish_all, make_volume, text_of
from tests.world import Cloud

volume = clustered.volume


@pytest.fixture
def snapshot(volume: Volume, member: Client, home: str) -> Snapshot:
    answer = member.post(f"{home}/snapshots/create", {"volume": "data", "name": "then", "labels": ""})
    assert answer.status_code == 302, text_of(answer)
    finish_all()
    return Snapshot.objects.get()


@pytest.mark.parametrize("kind", ["snapshot", "volume"])
def test_image_is_made_and_shows_its_source(
    snapshot: Snapshot, volume: Volume, member: Client, home: str, kind: str
) -> None:
    source = snapshot if kind == "snapshot" else volume
    page = f"{home}/{kind}s/{source.pk}"
    assert f'href="{page}/image"' in member.get(page).content.decode()
    asked = text_of(member.get(f"{page}/image"))
    assert f"Create image of {source.name}" in asked and "2 GiB" in asked
    assert ("as after a power cut" in asked) == (kind == "volume")
    answer = member.post(f"{page}/image", {"name": "golden", "labels": "env=prod"})
    assert answer.status_code == 302, text_of(answer)
    finish_all()
    image = Image.objects.get(name="golden")
    assert (image.state, image.labels) == ("available", {"env": "prod"})
    shown = member.get(answer["Location"])
    assert f"Made of the {kind} {source.name}" in text_of(shown)
    assert f'href="{page}"' in shown.content.decode()
    type(source).objects.filter(pk=source.pk).update(state="deleted")
    shown = member.get(answer["Location"])
    assert f"Made of the {kind} {source.name} (deleted)" in text_of(shown)
    assert f'href="{page}"' not in shown.content.decode()


def test_volume_on_a_nodes_disk_gives_the_reason_for_no_snapshots(cloud: Cloud, member: Client, home: str) -> None:
    page = f"{home}/volumes/{make_volume(member, home).pk}"
    assert f'href="{page}/image"' not in member.get(page).content.decode()
    assert "no images can be made of volumes there" in text_of(member.get(f"{page}/image"))


def test_viewer_makes_none(snapshot: Snapshot, signed_in: SignIn, home: str) -> None:
    viewer = signed_in("viewer")
    assert (
        f'href="{home}/snapshots/{snapshot.pk}/image"'
        not in viewer.get(f"{home}/snapshots/{snapshot.pk}").content.decode()
    )
