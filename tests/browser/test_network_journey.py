"""A new tenant, by keyboard: a network, an open port, an instance, and a public address on it, until it is gone."""

import pytest
from playwright.sync_api import Page, expect

from scripts.dashboard_cloud import SSH_KEY, World
from tests.browser.conftest import Opener
from tests.browser.journeys import SOON_MS, create, fact, section, submit, tick
from tests.keyboard import choose, follow, press, write

PROJECT, POOL_ZONE = "boutique", "fr-idf-1"


def make_network_and_group(page: Page) -> None:
    section(page, "Networks")
    create(page, "New network", name="shop", cidr="10.30.0.0/24")
    submit(page, "Create")
    section(page, "Security groups")
    create(page, "New security group", name="web")
    submit(page, "Create")
    follow(page, page.get_by_role("link", name="Add rule", exact=True))
    choose(page, page.locator("[name=preset]"), "SSH")
    submit(page, "Add rule")
    expect(page.locator("main")).to_contain_text("22")


def make_instance(page: Page) -> None:
    section(page, "SSH keys")
    create(page, "New SSH key", name="laptop", public_key=SSH_KEY)
    submit(page, "Create")
    section(page, "Instances")
    follow(page, page.get_by_role("link", name="Create instance", exact=True).first)
    write(page, page.locator("#id_name"), "web")
    expect(page.get_by_label("shop", exact=True)).to_be_checked()  # the only network
    for fold, name, words in (("Network", "security_groups", "web"), ("Placement", "zones", POOL_ZONE)):
        press(page, page.locator("summary", has_text=fold).first)
        tick(page, name, words)
    follow(page, page.get_by_role("button", name="Create instance", exact=True))
    expect(page.locator("#state-of-instance .state").first).to_have_text("active", timeout=SOON_MS)


def ask_from_outside(page: Page, *, target: str, tcp_port: int) -> str:
    """Return the answer of the page for reachability."""
    section(page, "Reachability")
    choose(page, page.locator("[name=target]"), target)
    write(page, page.locator("[name=port]"), str(tcp_port))
    follow(page, page.get_by_role("button", name="Check", exact=True))
    return page.locator("#answer .state").first.inner_text()


@pytest.mark.nightly
def test_new_tenant_reaches_an_instance_by_a_public_address(opened: Opener, world: World) -> None:
    world.cloud.stack.manage("create_project", "sante", PROJECT)
    page = opened("ada").go("/")
    follow(page, page.locator("main").get_by_role("link", name=PROJECT, exact=True).first)
    make_network_and_group(page)
    make_instance(page)
    instance = page.url
    expect(page.locator("main")).not_to_contain_text("Shell by the public address")
    assert ask_from_outside(page, target="web", tcp_port=22) == "not reachable"

    section(page, "Public addresses")
    create(page, "Reserve address", name="shop-www")
    submit(page, "Reserve")
    address = fact(page, "Address")
    follow(page, page.get_by_role("link", name="Attach", exact=True))
    submit(page, "Attach")
    expect(page.locator("dl.facts").first).to_contain_text("in use", timeout=SOON_MS)
    page.goto(instance)
    expect(page.locator("section", has_text="Shell by the public address")).to_contain_text(
        "andromede instance ssh web"
    )
    expect(page.locator("main")).to_contain_text(address)
    assert ask_from_outside(page, target="web", tcp_port=22) == "reachable"
    assert ask_from_outside(page, target="web", tcp_port=80) == "not reachable"

    section(page, "Public addresses")
    follow(page, page.get_by_role("link", name="shop-www", exact=True))
    follow(page, page.get_by_role("button", name="Detach", exact=True))
    follow(page, page.get_by_role("link", name="Release", exact=True))
    submit(page, "Release")
    expect(page.get_by_role("heading", name="No public addresses yet")).to_be_visible()
