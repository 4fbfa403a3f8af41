"""The list of instances, several at once, and the tabs of one."""

from itertools import pairwise
from typing import Any

import pytest
from django.test import Client

from controlplane.catalog.models import VolumeType, Zone
from controlplane.compute.models import Attachment, Instance
from controlplane.network.models import Port, PortSecurityGroup, SecurityGroup, SecurityGroupRule
from controlplane.operations.models import Operation
from controlplane.storage.models import Volume
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import errors_of, finish_all, make_instance, make_volume, set_adrift, text_of
from tests.world import Cloud, follow, make_flavor, make_zone

TABS = (
    *("", "/volumes", "/network", "/placement", "/activity", "/log", "/settings"),
    *("/relocate", "/resize", "/rebuild", "/delete"),
)


@pytest.fixture
def instance(cloud: Cloud, member: Client, home: str) -> Instance:
    return make_instance(member, home)


@pytest.fixture
def page(instance: Instance, home: str) -> str:
    return f"{home}/instances/{instance.pk}"


# Metrics.


def test_metrics_can_be_limited_to_a_port(instance: Instance, member: Client, page: str, cloud: Cloud) -> None:
    port = Port.objects.get(instance_id=instance.pk)
    group = SecurityGroup.objects.create(project=port.project, name="logging")
    SecurityGroupRule.objects.create(
        group=group,
        direction="in",
        family="ipv4",
        protocol="tcp",
        first_port=22,
        last_port=22,
        is_logged=True,
        fingerprint="0",
    )
    PortSecurityGroup.objects.create(port=port, group=group)
    whole, html = shown_charts(member, f"{page}/metrics")
    assert "Processor" in whole and "Network: dropped packets" not in whole
    assert f'href="?hours=1&amp;port={port.pk}"' in html
    of_port, html = shown_charts(member, f"{page}/metrics?port={port.pk}&hours=6")
    assert of_port == [
        *("Network", "Network: packets", "Network: dropped packets"),
        *("Security groups: dropped packets", "Bandwidth limits: dropped packets"),
        "Rule logging: in TCP 22 IPv4: packets that begin a connection",
    ]
    assert f'href="?hours=24&amp;port={port.pk}"' in html, "another period of the same port"
    assert shown_charts(member, f"{page}/metrics?port={instance.pk}")[0] == whole, "not a port of this instance"


def shown_charts(member: Client, url: str) -> tuple[list[str], str]:
    answer = member.get(url)
    return [str(chart["words"]) for chart in answer.context["charts"]], answer.content.decode()


# The list.


def test_empty_list_explains_instances(cloud: Cloud, member: Client, home: str) -> None:
    answer = member.get(f"{home}/instances")
    assert "An instance is a virtual machine." in text_of(answer)
    assert f'href="{home}/instances/create"' in answer.content.decode()


def test_list_is_sorted_by_its_column_headers(member: Client, home: str, cloud: Cloud) -> None:
    for name in ("b", "a", "c"):
        make_instance(member, home, name=name)

    def names(query: str) -> tuple[list[str], str]:
        answer = member.get(f"{home}/instances{query}")
        return [item["name"] for item in answer.context["instances"]], answer.content.decode()

    by_name, html = names("")
    assert by_name == ["a", "b", "c"]
    assert '<th scope="col" aria-sort="ascending"><a href="?sort=-name">' in html
    assert '<th scope="col" aria-sort="none"><a href="?sort=created_at">' in html
    assert names("?sort=-name")[0] == ["c", "b", "a"]
    assert names("?sort=created_at")[0] == ["b", "a", "c"]
    assert 'aria-sort="descending"><a href="?sort=created_at">' in names("?sort=-created_at")[1]
    assert names("?sort=nonsense")[0] == ["a", "b", "c"]


@pytest.mark.parametrize(("state", "words"), [("drifted", "drifted"), ("remediating", "remediating")])
def test_drifted_instance_is_marked_on_all_pages(
    member: Client, home: str, instance: Instance, page: str, state: str, words: str
) -> None:
    """In the list, on its page and where its placement is explained, each with the way to why."""
    other = make_instance(member, home, name="other")
    set_adrift(instance, state)
    badge = f'<a href="/drift?resource={instance.pk}"><span class="state '
    for url in (f"{home}/instances", page, f"{page}/placement"):
        assert badge in member.get(url).content.decode(), url
        assert words in text_of(member.get(url)), url
    assert f"/drift?resource={other.pk}" not in member.get(f"{home}/instances").content.decode()
    assert "is no longer admitted" not in text_of(member.get(f"{home}/instances/{other.pk}/placement"))
    text = text_of(member.get(f"{page}/placement"))
    assert "Drifted: fr-idf-1 is no longer admitted." in text and "france" in text
    why = text_of(member.get(f"/drift?resource={instance.pk}"))
    assert "web" in why and "other" not in why


def test_the_list_is_filtered_by_zone(member: Client, home: str, instance: Instance) -> None:
    assert "web" in text_of(member.get(f"{home}/instances?zone=fr-idf-1"))
    assert "No instance matches the filters." in text_of(member.get(f"{home}/instances?zone=de-rhein-1&sort=-name"))


# Several at once.


def test_bulk_action_is_confirmed_first(member: Client, home: str, cloud: Cloud) -> None:
    ones = [make_instance(member, home, name=name) for name in ("a", "b")]
    sent = {"instance": [str(one.pk) for one in ones], "action": "shutdown"}
    answer = member.post(f"{home}/instances/several", sent)
    assert "Shut down: 2 instances" in text_of(answer)
    assert Operation.objects.filter(kind="instance.shutdown").count() == 0
    answer = member.post(f"{home}/instances/several", {**sent, "sure": "1"})
    assert text_of(answer).count(" started Show operation") == 2
    assert Operation.objects.filter(kind="instance.shutdown").count() == 2


def test_bulk_action_reports_each_result(member: Client, home: str, cloud: Cloud) -> None:
    ones = [make_instance(member, home, name=name) for name in ("a", "b")]
    member.post(f"{home}/instances/{ones[0].pk}/actions/power-off", {})
    finish_all()
    sent = {"instance": [str(one.pk) for one in ones], "action": "power-off", "sure": "1"}
    text = text_of(member.post(f"{home}/instances/several", sent))
    assert "a refused The instance is stopped" in text
    assert "b started" in text


def test_bulk_deletion_needs_the_name_of_the_project(member: Client, home: str, instance: Instance) -> None:
    sent = {"instance": [str(instance.pk)], "action": "delete", "sure": "1"}
    assert "The name does not match." in text_of(member.post(f"{home}/instances/several", {**sent, "name": "web"}))
    assert Operation.objects.filter(kind="instance.delete").count() == 0
    assert "started" in text_of(member.post(f"{home}/instances/several", {**sent, "name": "alpha"}))
    finish_all()
    assert not Instance.objects.exclude(state="deleted").exists()


def test_bulk_action_without_selection_or_action_returns_to_the_list(
    member: Client, home: str, instance: Instance
) -> None:
    for sent in ({"action": "start"}, {"action": "explode", "instance": str(instance.pk)}):
        assert member.post(f"{home}/instances/several", sent)["Location"] == f"{home}/instances"


def test_foreign_instance_is_not_found_in_a_bulk_action(member: Client, home: str, cloud: Cloud) -> None:
    sent = {"instance": "01890000-0000-7000-8000-000000000000", "action": "delete", "sure": "1", "name": "alpha"}
    assert member.post(f"{home}/instances/several", sent).status_code == 404


# One.


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_is_visible_to_its_roles(tab: str, page: str, member: Client, signed_in: SignIn) -> None:
    for browser in (member, signed_in("viewer")):
        answer = browser.get(f"{page}{tab}")
        assert answer.status_code == 200
        assert "<h1" in answer.content.decode()
        assert "web" in text_of(answer)


def test_heading_levels_increase_by_one(page: str, member: Client) -> None:
    import re

    for tab in TABS:
        levels = [int(level) for level in re.findall(r"<h(\d)", member.get(f"{page}{tab}").content.decode())]
        after = levels[levels.index(1) :]
        assert all(deeper - level <= 1 for level, deeper in pairwise(after)), (tab, levels)


def test_placement_is_shown_by_zone(page: str, member: Client, cloud: Cloud) -> None:
    text = text_of(member.get(f"{page}/placement"))
    assert "The request can be placed in: fr-idf-1." in text
    assert "Memory and processors fr-idf-1" in text
    assert "declared" in text or "proven" in text


def test_addresses_are_shown_with_their_network(page: str, member: Client) -> None:
    text = text_of(member.get(f"{page}/network"))
    assert "10.10.0.2" in text
    assert "lan" in text and "default" in text
    assert "No free port." in text


def test_a_port_is_attached_and_detached(page: str, home: str, member: Client, cloud: Cloud) -> None:
    at = f"{home}/networks/{cloud.network.pk}"
    answer = member.post(f"{at}/ports/new", {"name": "card", "addresses": "10.10.0.9\ndefault", "idempotency_key": "1"})
    assert answer["Location"] == at
    port = Port.objects.get(name="card")
    assert "card free 10.10.0.9" in text_of(member.get(at))
    assert "card, lan, 10.10.0.9" in text_of(member.get(f"{page}/network"))
    answer = member.post(f"{page}/network", {"port": str(port.pk), "idempotency_key": "2"})
    assert answer["Location"] == f"{page}/network"
    finish_all()
    assert "card attached 10.10.0.9" in text_of(member.get(at))
    assert text_of(member.get(f"{page}/network")).count("Detach and delete") == 1, "the card that came with it"
    member.post(f"{page}/network/{port.pk}/detach", {"next": f"{page}/network"})
    finish_all()
    assert "card free" in text_of(member.get(at))
    assert "Delete card" in text_of(member.get(f"{at}/ports/{port.pk}/delete"))
    member.post(f"{at}/ports/{port.pk}/delete")
    assert not Port.objects.filter(pk=port.pk).exists()


def test_log_is_followed_on_request(page: str, member: Client) -> None:
    assert b"hx-trigger" not in member.get(f"{page}/log").content
    assert b'hx-trigger="every 3s"' in member.get(f"{page}/log?follow=1").content


def test_a_volume_is_attached_and_detached(page: str, home: str, member: Client, instance: Instance) -> None:
    volume = make_volume(member, home, near_instance="web")
    answer = member.post(f"{page}/volumes", {"volume": str(volume.pk), "idempotency_key": "1"})
    assert answer["Location"] == f"{page}/volumes"
    finish_all()
    shown = member.get(f"{page}/volumes")
    assert "data 2 GiB attached" in text_of(shown)
    attachment = shown.context["instance"]["attachments"][0]["id"]
    member.post(f"{page}/volumes/{attachment}/detach", {"next": f"{page}/volumes"})
    finish_all()
    assert "No volumes attached." in text_of(member.get(f"{page}/volumes"))


def test_volume_that_another_instance_has_is_shared_on_request(page: str, home: str, member: Client) -> None:
    volume, other = make_volume(member, home), make_instance(member, home, name="other")
    together = VolumeType.objects.create(pk="together", description="together", pool="vms", is_multi_attach=True)
    Volume.objects.filter(pk=volume.pk).update(volume_type=together, is_multi_attach=True, state="in-use")
    Attachment.objects.create(instance=other, volume=volume, is_shared=True)
    assert "data, 2 GiB, for several instances" in text_of(member.get(f"{page}/volumes"))
    refused = member.post(f"{page}/volumes", {"volume": str(volume.pk), "idempotency_key": "1"})
    assert "share" in refused.context["form"].errors
    assert "shared" in text_of(member.get(f"{home}/instances/{other.pk}/volumes"))
    shown = text_of(member.get(f"{home}/volumes/{volume.pk}"))
    assert "Attached to: other" in shown and "Several instances can have this volume attached at once" in shown


def test_volume_is_created_on_the_page_of_an_instance(
    page: str, member: Client, instance: Instance, monkeypatch: Any
) -> None:
    """While no worker is there the page does not wait for long; it says what is to be done."""
    monkeypatch.setattr("controlplane.dashboard.views.project.instance_volumes.MADE_WITHIN", "0s")
    answer = member.post(f"{page}/volumes/new", {"name": "more", "size_gib": "1"})
    assert answer["Location"] == f"{page}/volumes"
    finish_all()
    assert Volume.objects.get(name="more").node_id == instance.node_id
    assert "more, 1 GiB" in text_of(member.get(f"{page}/volumes"))


def test_error_of_a_new_volume_is_shown_in_its_form(page: str, home: str, member: Client) -> None:
    make_volume(member, home)
    answer = member.post(f"{page}/volumes/new", {"name": "data", "size_gib": "1"})
    form = answer.context["new_form"]
    assert form.errors["name"] == ["The project already has a volume named 'data'."]
    assert not answer.context["form"].errors


KEPT = {"restart_policy": "on-failure"}


def test_name_and_labels_are_changed(page: str, member: Client, instance: Instance) -> None:
    member.post(f"{page}/settings", {"name": "web", "labels": "env=prod\r\ntier=web", **KEPT})
    member.post(f"{page}/settings", {"name": "front", "labels": "env=test", "restart_policy": "never"})
    instance.refresh_from_db()
    assert (instance.name, instance.labels, instance.restart_policy) == ("front", {"env": "test"}, "never")
    assert b"keep off" in member.get(page).content


def test_taken_name_has_an_error(page: str, home: str, member: Client) -> None:
    make_instance(member, home, name="other")
    answer = member.post(f"{page}/settings", {"name": "other", "labels": "a=b", **KEPT})
    assert errors_of(answer, "name") == "The project already has an instance named 'other'."
    assert answer.context["form"]["labels"].value() == "a=b"


def test_resize_offers_only_flavors_that_fit(page: str, member: Client, instance: Instance) -> None:
    make_flavor("small", vcpus=2, memory_mib=256, disk_gib=2)
    make_flavor("huge", vcpus=1000, memory_mib=256, disk_gib=2)
    running = member.get(f"{page}/resize")
    assert "this needs an instance that is stopped." in text_of(running)
    member.post(f"{page}/actions/power-off", {})
    finish_all()
    answer = member.get(f"{page}/resize")
    assert [value for value, _ in answer.context["form"].fields["flavor"].choices] == ["small"]
    assert "Unsuitable flavors huge" in text_of(answer)
    assert member.post(f"{page}/resize", {"flavor": "small"})["Location"] == page
    finish_all()
    instance.refresh_from_db()
    assert instance.vcpus == 2


def test_relocation_offers_only_zones_that_admit_it(
    page: str, member: Client, instance: Instance, cloud: Cloud
) -> None:
    there = cloud.world.add_machine("de-fra-1").row
    make_zone("us-va-1")
    assert "this needs an instance that is stopped." in text_of(member.get(f"{page}/relocate"))
    member.post(f"{page}/actions/power-off", {})
    finish_all()
    answer = member.get(f"{page}/relocate")
    assert [value for value, _ in answer.context["form"].fields["zone"].choices] == ["de-fra-1"]
    shown = text_of(answer)
    assert "There are no nodes in us-va-1" in shown and "are copied to the other zone" in shown
    refused = member.post(f"{page}/relocate", {"zone": "us-va-1"})
    assert "is not one of the available choices" in errors_of(refused, "zone")
    assert member.post(f"{page}/relocate", {"zone": "de-fra-1"})["Location"] == page
    assert follow(Operation.objects.get(kind="instance.relocate")).state == "succeeded"
    instance.refresh_from_db()
    assert instance.node == there
    Zone.objects.exclude(pk="de-fra-1").update(status="draining")
    assert "No other zone admits the instance now." in text_of(member.get(f"{page}/relocate"))


def test_rebuild_needs_the_name_of_the_instance(page: str, member: Client, instance: Instance) -> None:
    answer = member.post(f"{page}/rebuild", {"image": "tiny", "name": "wrong"})
    assert errors_of(answer, "name") == "The name does not match."
    assert Operation.objects.filter(kind="instance.rebuild").count() == 0
    assert member.post(f"{page}/rebuild", {"image": "tiny", "name": "web"})["Location"] == page
    assert Operation.objects.filter(kind="instance.rebuild").count() == 1
    busy = text_of(member.get(f"{page}/rebuild"))
    assert "Another operation (instance.rebuild) has locked this resource" in busy


# How to connect.


def test_overview_has_the_commands_to_connect(member: Client, page: str, instance: Instance) -> None:
    answer = member.get(page)
    commands = answer.context["connection"]
    assert commands.ssh == f"andromede instance ssh {instance.name} --project alpha"
    html = answer.content.decode()
    for command in (commands.ssh, commands.tunnel):
        assert f'data-copy="{command}"' in html


@pytest.mark.parametrize(("state", "words"), [("connected", "connected"), ("disconnected", "not connected")])
def test_overview_shows_if_the_guest_agent_is_connected(member: Client, page: str, state: str, words: str) -> None:
    Instance.objects.update(power_state="running", guest_agent=state)
    assert f"<dt>Guest agent</dt><dd>{words}</dd>" in member.get(page).content.decode()


@pytest.mark.parametrize(
    ("field", "words"), [("power_state", "Start the instance"), ("network", "has no network card")]
)
def test_overview_explains_why_no_connection_is_possible(
    member: Client, page: str, instance: Instance, field: str, words: str
) -> None:
    if field == "network":
        Port.objects.all().delete()
    else:
        Instance.objects.update(power_state="off", state="stopped")
    answer = member.get(page)
    assert words in text_of(answer)
    assert "andromede instance ssh" not in text_of(answer)


def test_viewer_reads_that_members_may_connect(cloud: Cloud, signed_in: SignIn, page: str, instance: Instance) -> None:
    viewer = signed_in("viewer")
    assert "Your role in this project" in viewer.get(page).context["connection"].why_not
