"""The form for snapshots of an instance's disks, and their group in the list."""

import pytest
from django.test import Client

from agents.node.adapters.fake_guest_agent import Behaviour
from controlplane.compute.models import Instance
from controlplane.storage.models import Snapshot, Volume
from tests.dashboard.sample_resources import errors_of, finish_all, text_of
from tests.workflows.instance_snapshots import make_clustered, reported
from tests.world import Cloud

NEW = {"name": "then", "consistency": "crash", "labels": "env=prod"}


@pytest.fixture
def instance(cloud: Cloud) -> Instance:
    return make_clustered(cloud)


@pytest.fixture
def page(instance: Instance, home: str) -> str:
    return f"{home}/instances/{instance.pk}"


@pytest.fixture
def disks(instance: Instance) -> list[str]:
    volumes = Volume.objects.filter(attachment__instance=instance).order_by("name")
    return [str(pk) for pk in volumes.values_list("pk", flat=True)]


def test_snapshots_of_all_disks_are_taken_and_shown_as_a_group(
    page: str, disks: list[str], member: Client, home: str
) -> None:
    assert f'href="{page}/snapshot"' in member.get(f"{page}/volumes").content.decode()
    form = member.get(f"{page}/snapshot").context["form"]
    assert sorted(form["volumes"].value()) == sorted(disks)
    assert [value for value, _ in form.fields["consistency"].choices] == ["crash", "filesystem"]
    answer = member.post(f"{page}/snapshot", {**NEW, "consistency": "filesystem", "volumes": disks})
    group = Snapshot.objects.first().group  # type: ignore[union-attr]
    assert answer["Location"] == f"{home}/snapshots?group={group}"
    finish_all()
    text = text_of(member.get(answer["Location"]))
    assert "then-disk-0" in text and "then-disk-1" in text
    shown = text_of(member.get(f"{home}/snapshots/{Snapshot.objects.get(name='then-disk-0').pk}"))
    assert "they were frozen, or unmounted by a shutdown" in shown and "Snapshots of the same moment" in shown


def test_freeze_without_guest_agent_gives_the_reason(
    cloud: Cloud, instance: Instance, page: str, disks: list[str], member: Client
) -> None:
    cloud.fake.guests[instance.pk].agent.behaviour = Behaviour.MISSING
    reported(cloud, instance)
    answer = member.get(f"{page}/snapshot")
    assert [value for value, _ in answer.context["form"].fields["consistency"].choices] == ["crash"]
    assert "Install qemu-guest-agent" in text_of(answer)
    assert member.post(f"{page}/snapshot", {**NEW, "volumes": disks[:1]}).status_code == 302


def test_error_of_the_form_is_at_its_field(page: str, disks: list[str], member: Client) -> None:
    assert member.post(f"{page}/snapshot", {**NEW, "volumes": disks[:1]}).status_code == 302
    finish_all()
    repeated = member.post(f"{page}/snapshot", {**NEW, "volumes": disks[:1]})
    assert errors_of(repeated, "name") == "The project already has a snapshot named 'then'."


def test_stopped_by_force_shows_the_reason_at_the_consistency(
    page: str, disks: list[str], cloud: Cloud, instance: Instance, member: Client
) -> None:
    member.post(f"{page}/actions/power-off", {"next": page})
    finish_all()
    reported(cloud, instance)
    refused = member.post(f"{page}/snapshot", {**NEW, "consistency": "filesystem", "volumes": disks})
    assert "did not shut down" in errors_of(refused, "consistency")


def test_consistency_filesystem_of_a_stopped_guest_needs_a_shutdown(
    cloud: Cloud, instance: Instance, page: str, member: Client
) -> None:
    member.post(f"{page}/actions/shutdown", {"next": page})
    finish_all()
    reported(cloud, instance)
    answer = member.get(f"{page}/snapshot")
    assert [value for value, _ in answer.context["form"].fields["consistency"].choices] == ["crash", "filesystem"]
    assert "unless a shutdown was the last change" in text_of(answer)
    Instance.objects.filter(pk=instance.pk).update(power_state="crashed")
    answer = member.get(f"{page}/snapshot")
    assert [value for value, _ in answer.context["form"].fields["consistency"].choices] == ["crash"]
    assert "The guest did not shut down" in text_of(answer)
