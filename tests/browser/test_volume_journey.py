"""A volume, by keyboard: snapshots, a revert, a copy, another type, a schedule, an image, an instance that boots."""

import re

import pytest
from playwright.sync_api import Page, expect

from scripts.dashboard_cloud import World
from tests.browser.axe import violations
from tests.browser.conftest import Opener
from tests.browser.journeys import SOON_MS, create, fact, link, section, submit
from tests.fake_storage import POOL
from tests.keyboard import choose, follow, press, write

PROJECT = "atelier"


def await_state(page: Page, kind: str, words: str = "available") -> None:
    expect(page.locator(f"#state-of-{kind} .state").first).to_have_text(words, timeout=SOON_MS)


def open_named(page: Page, words: str, name: str) -> None:
    """Open a resource from its list."""
    section(page, words)
    link(page, name)


def make_volume(page: Page) -> None:
    section(page, "Volumes")
    create(page, "Create volume", name="system", size_gib="4")
    choose(page, page.locator("[name=volume_type]"), POOL)
    press(page, page.locator("summary", has_text="Source").first)
    choose(page, page.locator("[name=image]"), "tiny")
    follow(page, page.get_by_role("button", name="Create volume", exact=True))
    await_state(page, "volume")


def take_snapshot(page: Page) -> None:
    """Take a snapshot from the page of the volume."""
    link(page, "Snapshots")
    create(page, "Take snapshot", name="before")
    submit(page, "Take snapshot")
    await_state(page, "snapshot")
    assert "as after a power cut" in fact(page, "Consistency")


def revert(page: Page) -> None:
    """Revert the volume from the page of the snapshot."""
    link(page, "Revert volume")
    lost = page.locator("section", has=page.get_by_role("heading", name="What is lost", exact=True))
    expect(lost).to_contain_text("Everything that was written to the volume system after the snapshot was taken:")
    expect(page.locator("main")).to_contain_text("The size of the volume: 4 GiB.")
    write(page, page.locator("[name=name]"), "system")
    submit(page, "Revert volume")
    await_state(page, "volume")
    assert_done(page, "Revert")


def assert_done(page: Page, operation: str) -> None:
    """Look at the activity of the resource of the page."""
    link(page, "Activity")
    row = page.locator("tr", has_text=operation).first
    expect(row.locator(".state").first).to_have_text("succeeded", timeout=SOON_MS)


def make_copy(page: Page) -> None:
    open_named(page, "Snapshots", "before")
    create(page, "New volume", name="copy")
    follow(page, page.get_by_role("button", name="Create volume", exact=True))
    await_state(page, "volume")
    assert (fact(page, "Made from snapshot"), fact(page, "Size")) == ("before", "4 GiB")


def check_type(page: Page, volume_type: str) -> None:
    """Ask what another type does, from the page of the volume."""
    link(page, "Settings")
    link(page, "Change type")
    choose(page, page.locator("[name=volume_type]"), volume_type)
    submit(page, "Check")


def retype(page: Page) -> None:
    """Move the copy, which has no snapshots, to the disk of a node; the volume with a snapshot cannot go there."""
    open_named(page, "Volumes", "system")
    check_type(page, "local")
    expect(page.get_by_role("alert")).to_contain_text("The volume still has 1 snapshots: before.")
    open_named(page, "Volumes", "copy")
    check_type(page, "local")
    effect = page.locator("#effect")
    expect(effect).to_be_focused()
    expect(effect).to_contain_text("4 GiB are copied to where volumes of the type local are")
    assert violations(page) == []
    submit(page, "Change type")
    await_state(page, "volume")
    assert fact(page, "Type") == "local"


def make_schedule(page: Page) -> None:
    section(page, "Snapshot schedules")
    create(page, "New snapshot schedule", name="weekly")
    choose(page, page.locator("[name=volume]"), "system")
    choose(page, page.locator("[name=frequency]"), "weekly")
    choose(page, page.locator("[name=weekday]"), "Sunday")
    submit(page, "Create")
    assert "Sunday" in fact(page, "Times")
    follow(page, page.get_by_role("button", name="Pause", exact=True))
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    open_named(page, "Volumes", "system")
    link(page, "Snapshots")
    link(page, "weekly")


def make_image(page: Page) -> None:
    open_named(page, "Volumes", "system")
    create(page, "Create image", name="golden")
    submit(page, "Create image")
    await_state(page, "image")
    assert fact(page, "Made of the volume") == "system"


def boot(page: Page) -> None:
    section(page, "Instances")
    create(page, "Create instance", name="web")
    press(page, page.locator("summary", has_text="Disks").first)
    choose(page, page.locator("[name=boot_volume]"), "system")
    follow(page, page.get_by_role("button", name="Create instance", exact=True))
    await_state(page, "instance", "active")
    link(page, "Volumes")
    expect(page.locator("tr", has_text="system")).to_contain_text("root volume")


def delete(page: Page, words: str, name: str) -> None:
    open_named(page, words, name)
    link(page, "Delete")
    write(page, page.locator("[name=name]"), name)
    submit(page, "Delete")


def delete_all(page: Page) -> None:
    """Delete everything, in the order that the pages tell; the root volume is kept when the instance goes."""
    open_named(page, "Volumes", "system")
    expect(page.get_by_role("button", name=re.compile("Delete.*attached; detach it first"))).to_be_visible()
    delete(page, "Instances", "web")
    expect(page.get_by_role("heading", name="No instances yet")).to_be_visible(timeout=SOON_MS)
    open_named(page, "Volumes", "system")
    await_state(page, "volume")
    expect(page.get_by_role("button", name=re.compile("Delete.*has snapshots; delete them first"))).to_be_visible()
    delete(page, "Images", "golden")
    open_named(page, "Snapshot schedules", "weekly")
    link(page, "Delete")
    submit(page, "Delete")
    delete(page, "Snapshots", "before")
    expect(page.get_by_role("heading", name="No snapshots yet")).to_be_visible(timeout=SOON_MS)
    for name in ("copy", "system"):
        delete(page, "Volumes", name)
    expect(page.get_by_role("heading", name="No volumes yet")).to_be_visible(timeout=SOON_MS)


@pytest.mark.nightly
def test_user_goes_through_the_life_of_a_volume(opened: Opener, world: World) -> None:
    world.cloud.stack.manage("create_project", "sante", PROJECT)
    page = opened("ada").go("/")
    link(page, PROJECT)
    make_volume(page)
    take_snapshot(page)
    revert(page)
    make_copy(page)
    retype(page)
    make_schedule(page)
    make_image(page)
    boot(page)
    delete_all(page)
