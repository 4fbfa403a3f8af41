"""The dashboard in Chromium over real guests and nodes, by the keyboard alone: from an invitation to a guest that is
worked in, looked at, and gone again; and what officers, operators and auditors come for."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from django.utils.translation import gettext, override
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from scripts import nginx
from scripts.api import Api
from scripts.browser import LOCALES, chromium
from scripts.dashboard_cloud import PASSWORD
from scripts.polling import wait_until
from tests.api.user_accounts import code
from tests.browser_console import collect_console_errors
from tests.cloud.conftest import Tenant
from tests.cloud.test_sovereignty import verify
from tests.keyboard import choose, follow, go, press, reach, write

pytestmark = pytest.mark.lab
PORT = 8022
OFFICER = "sovereignty_officer"
REASON = "The site in Paris is ours."
# Which rule, which facts, and what can be done.
REFUSAL = (
    "no valid node",
    "Refused by policy (project/territory): de-rhein-1 (DE), fr-idf-1 (FR).",
    "Only the policy clause project/territory excludes: de-rhein-1, fr-idf-1. The owner of the policy can relax it.",
)
NO_PLACE = (
    "Nodes in fr-idf-1 are closed to new placements for maintenance.",
    "Request one of these zones instead: de-rhein-1.",
)
BOOT_MS = 180_000
SOON_MS = 60_000
# A screen of 1280 × 1024 pixels, and what is left of it at 400 % (WCAG 1.4.10).
WINDOWS = {"en": {"width": 1280, "height": 1024}, "fr": {"width": 320, "height": 256}}
PHONE = {"width": 390, "height": 800}
COLOURS = """() => {
    const screen = document.querySelector("#console canvas");
    const copy = new OffscreenCanvas(screen.width, screen.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(screen, 0, 0);
    const { data } = copy.getImageData(0, 0, screen.width, screen.height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""
Opener = Callable[..., Page]
Words = Callable[[str], str]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """Gone with the module: while Playwright runs, Django takes all of this process for asynchronous."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(real_tenant: Tenant) -> Iterator[str]:
    """The address of the dashboard: nginx makes one site of it and the stream."""
    stack = real_tenant.cloud.stack
    web, stream = f"127.0.0.1:{stack.port}", f"127.0.0.1:{stack.stream_port}"
    stack.spawn("front", nginx.command(stack.var / "run", port=PORT, web=web, stream=stream))
    try:
        yield f"http://127.0.0.1:{PORT}"
    finally:
        stack.kill("front")


@pytest.fixture
def opened(chrome: Browser, site: str, tenant: Tenant) -> Iterator[Opener]:
    """A window of somebody. At the end of the test nothing may have been complained about in any."""
    windows: list[tuple[BrowserContext, list[str]]] = []

    def open_(language: str = "en", viewport: dict[str, int] = WINDOWS["en"]) -> Page:
        context = chrome.new_context(base_url=site, locale=LOCALES[language], viewport=viewport)
        windows.append((context, collect_console_errors(context)))
        return context.new_page()

    yield open_
    for context, _complaints in windows:
        context.close()
    assert [complaints for _context, complaints in windows if complaints] == []


def words_in(language: str) -> Words:
    """Return the translation of the dashboard's English texts."""

    def translate(text: str) -> str:
        with override(language):
            return gettext(text)

    return translate


# ---- people


@dataclass(frozen=True)
class People:
    owner: Api
    tenant: Tenant

    def invited(self, email: str, role: str) -> str:
        """The secret of an invitation to the organization."""
        asked = {"email": email, "role": role}
        return str(self.owner.post("/v1/organizations/test/invitations", asked)["token"])

    def password_link(self, email: str) -> str:
        """The secret of a link with which a member chooses a password."""
        return self._link(email)

    def member(self, email: str, role: str) -> str:
        """Create a member with a password, who has accepted the invitation."""
        self._post("invitations/actions/accept", token=self.invited(email, role))
        return self._with_password(email, self.password_link(email))

    def official(self, email: str, duty: str) -> str:
        """Create a user with a platform role and a password."""
        self.tenant.cloud.stack.manage("create_user", email, f"--{duty}")
        return self._with_password(email, self._link(email))

    def _link(self, email: str) -> str:
        return self.tenant.cloud.stack.manage("create_password_link", email).splitlines()[-1]

    def _with_password(self, email: str, secret: str) -> str:
        self._post("password/actions/set", secret=secret, new_password=PASSWORD)
        return email

    def _post(self, path: str, **body: str) -> None:
        httpx.post(f"{self.tenant.api.url}/v1/{path}", json=body).raise_for_status()


@pytest.fixture(scope="module")
def owner(real_tenant: Tenant) -> Iterator[Api]:
    """Return an owner of the organization, for resources outside of projects."""
    stack = real_tenant.cloud.stack
    with closing(Api(stack.url, stack.manage("create_token", "test@example.org", "--name", "all"))) as api:
        yield api


@pytest.fixture
def people(owner: Api, tenant: Tenant) -> People:
    return People(owner, tenant)


def enter(page: Page, email: str) -> None:
    """From the page of sign-in, whose first field has the focus."""
    expect(page.locator("[name=email]")).to_be_focused()
    page.keyboard.type(email)
    write(page, page.locator("[name=password]"), PASSWORD)
    go(page)


def enter_with_a_code(page: Page, email: str) -> None:
    """The first time: their duty asks for a second factor."""
    page.goto("/sign-in")
    enter(page, email)
    follow(page, page.get_by_role("button", name="Set up authenticator"))
    write(page, page.locator("[name=code]"), code(page.locator("[name=secret]").input_value()))
    follow(page, page.get_by_role("button", name="Confirm"))
    follow(page, page.get_by_role("link", name="I saved them: continue"))


def menu(page: Page, words: str) -> None:
    follow(page, page.get_by_role("navigation", name="Main menu").get_by_role("link", name=words, exact=True))


# ---- from an invitation to a guest, and back


@pytest.mark.nightly
@pytest.mark.parametrize("language", ["fr", "en"])
def test_user_works_from_an_invitation_to_a_guest_and_back(opened: Opener, people: People, language: str) -> None:
    page, translate, name = opened(language, WINDOWS[language]), words_in(language), f"by-keys-{language}"
    sign_up(page, translate, people, f"newcomer-{language}@example.org")
    assert page.locator("html").get_attribute("lang") == language
    create(page, translate, name)
    expect(state_of(page)).to_have_text(translate("active"), timeout=BOOT_MS)
    follow(page, tab(page, translate("Console")))
    work_in_it(page, translate)
    follow(page, page.get_by_role("link", name=translate("Screen")))
    look_at_it(page, translate)
    follow(page, page.locator("#console-tools a").first)
    follow(page, tab(page, translate("Volumes")))
    attach_a_volume(page, translate, f"beside-{language}")
    follow(page, tab(page, translate("Overview")))
    follow(page, page.get_by_role("button", name=translate("Power off"), exact=True))
    expect(state_of(page)).to_have_text(translate("stopped"), timeout=SOON_MS)
    follow(page, page.get_by_role("link", name=translate("Delete"), exact=True))
    write(page, page.get_by_label(translate("Type the name to confirm")), name)
    follow(page, page.get_by_role("button", name=translate("Delete"), exact=True))
    expect(page.get_by_text(translate("Deletion started."))).to_be_visible()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0, timeout=SOON_MS)
    assert people.tenant.api.get("instances", name=name)["items"] == []


def sign_up(page: Page, translate: Words, people: People, email: str) -> None:
    """Accept an invitation by its link, then set the first password by a link of an operator."""
    page.goto(f"/invitation?token={people.invited(email, 'member')}")
    follow(page, page.get_by_role("button", name=translate("Accept invitation")))
    expect(page.get_by_role("heading", level=1)).to_have_text(translate("Invitation accepted"))
    follow(page, page.get_by_role("link", name=translate("Go to sign-in")))
    page.goto(f"/password?secret={people.password_link(email)}")
    write(page, page.locator("[name=new_password]"), PASSWORD)
    write(page, page.locator("[name=repeated]"), PASSWORD)
    follow(page, page.get_by_role("button", name=translate("Set password")))
    enter(page, email)
    expect(page.get_by_role("heading", level=1)).to_have_text(translate("Projects"))


def create(page: Page, translate: Words, name: str) -> None:
    follow(page, page.locator("main").get_by_role("link", name="test", exact=True))
    follow(page, page.get_by_role("link", name=translate("Create instance"), exact=True).first)
    write(page, page.locator("#id_name"), name)
    choose(page, page.locator("#id_image"), "tiny")
    reach(page, page.locator("[name=flavor]:checked"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator("[name=flavor][value=tiny]")).to_be_checked()
    expect(page.locator("#preview")).to_contain_text(translate("can be created"), timeout=SOON_MS)
    follow(page, page.get_by_role("button", name=translate("Create instance"), exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(name, timeout=SOON_MS)


def state_of(page: Page) -> Locator:
    return page.locator("#state-of-instance .state").first


def tab(page: Page, words: str) -> Locator:
    return page.locator(".tabs").get_by_role("link", name=words, exact=True)


def work_in_it(page: Page, translate: Words) -> None:
    """The terminal has the focus, and keeps what it shows as text too, for screen readers."""
    expect(page.locator("#console-status")).to_have_text(
        translate("Connected. Press Ctrl+Alt+Q to leave the console."), timeout=SOON_MS
    )
    text = page.locator("#console .xterm-accessibility")
    expect(text).to_contain_text("login:", timeout=BOOT_MS)
    page.keyboard.type("root\n")
    expect(text).to_contain_text("~ #", timeout=SOON_MS)
    page.keyboard.type("echo hi-$((6*7))\n")
    expect(text).to_contain_text("hi-42", timeout=SOON_MS)
    leave(page)


def look_at_it(page: Page, translate: Words) -> None:
    expect(page.locator("#console-status")).to_have_text(
        translate("Connected. Press Ctrl+Alt+Q to leave the console."), timeout=SOON_MS
    )
    expect(page.locator("#console canvas")).to_be_visible(timeout=SOON_MS)
    wait_until(lambda: page.evaluate(COLOURS) > 1)
    leave(page)
    with page.expect_download() as download:
        press(page, page.get_by_role("button", name=translate("Screenshot")))
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def leave(page: Page) -> None:
    """All other keys are the guest's."""
    page.keyboard.press("Control+Alt+q")
    assert page.evaluate("document.activeElement.closest('#console-tools') !== null")


def attach_a_volume(page: Page, translate: Words, name: str) -> None:
    form = page.locator("section", has=page.get_by_role("heading", name=translate("Create and attach volume")))
    write(page, form.locator("[name=name]"), name)
    follow(page, form.get_by_role("button", name=translate("Create and attach")))
    row = page.get_by_role("row", name=re.compile(name))
    expect(row.locator(".state")).to_have_text(translate("attached"), timeout=SOON_MS)


# ---- what an officer, an operator and an auditor come for


def form_of(page: Page, project: str) -> Locator:
    """Open the form of a new instance, and return its preview."""
    page.goto("/")
    follow(page, page.locator("main").get_by_role("link", name=project, exact=True))
    follow(page, page.get_by_role("link", name="Create instance", exact=True).first)
    choose(page, page.locator("#id_image"), "tiny")
    return page.locator("#preview")


@pytest.fixture
def rules(owner: Api) -> Iterator[str]:
    """The name of a project without a policy."""
    created = owner.post("/v1/organizations/test/projects", {"name": "rules"})
    yield created["name"]
    owner.delete(f"/v1/projects/{created['id']}")


@pytest.mark.nightly
def test_policy_refusal_is_explained_and_relaxed_by_two(opened: Opener, people: People, rules: str) -> None:
    planner, officer = people.member("planner@example.org", "member"), people.member("officer@example.org", OFFICER)
    page, other = opened(), opened()
    page.goto("/sign-in")
    enter(page, planner)
    forecast = form_of(page, rules)
    expect(forecast).to_contain_text("can be created", timeout=SOON_MS)
    tighten(page)
    form_of(page, rules)
    for sentence in REFUSAL:
        expect(forecast).to_contain_text(sentence, timeout=SOON_MS)
    follow(page, page.get_by_role("button", name="Create instance", exact=True))
    for sentence in REFUSAL[1:]:
        expect(page.get_by_role("alert")).to_contain_text(sentence)
    loosen(page)
    enter_with_a_code(other, officer)
    menu(other, "Proposals")
    follow(other, other.get_by_role("link", name=REASON))
    follow(other, other.get_by_role("button", name="Approve"))
    expect(other.locator("#proposal .state").first).to_have_text("in force", timeout=SOON_MS)
    form_of(page, rules)
    expect(forecast).to_contain_text("can be created", timeout=SOON_MS)
    expect(forecast).to_contain_text("de-rhein-1refused by policy: DE (project/territory)")


def tighten(page: Page) -> None:
    """To a country in which there is no zone: it holds at once."""
    menu(page, "Policy")
    follow(page, page.locator("main").get_by_role("link", name="Edit", exact=True))
    choose(page, page.locator("#subject"), "Territory")
    press(page, page.get_by_role("button", name="Add clause"))
    write(page, page.locator("[name=c0-value]"), "ES")
    press(page, page.get_by_role("button", name="Preview changes"))
    expect(page.locator("#outcome")).to_contain_text("The new policy is stricter. It applies as soon as you save it.")
    follow(page, page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_text("Policy version 1 is in force.")).to_be_visible()


def loosen(page: Page) -> None:
    """To one more, in which there is one: somebody else has to approve it."""
    menu(page, "Policy")
    follow(page, page.locator("main").get_by_role("link", name="Edit", exact=True))
    write(page, page.locator("[name=c0-value]"), "ES, FR")
    press(page, page.get_by_role("button", name="Preview changes"))
    expect(page.locator("#outcome")).to_contain_text("The new policy is less strict. Saving creates a proposal")
    write(page, page.locator("#reason"), REASON)
    follow(page, page.get_by_role("button", name="Propose"))
    expect(page.get_by_text("You cannot approve it")).to_contain_text("the proposer cannot approve it")


@pytest.fixture
def cordoned(tenant: Tenant) -> Iterator[str]:
    """The only node of its zone; whatever becomes of it, it takes new instances at the end."""
    yield "ta"
    tenant.operator.post("/v1/nodes/ta/actions/uncordon")


@pytest.mark.nightly
def test_tenant_sees_that_a_cordon_leaves_no_node(opened: Opener, people: People, cordoned: str) -> None:
    operator, member = people.official("keeper@example.org", "operator"), people.member("builder@example.org", "member")
    page, builder = opened(), opened(viewport=PHONE)
    enter_with_a_code(page, operator)
    menu(page, "Fleet")
    follow(page, page.locator("#fleet").get_by_role("link", name=cordoned, exact=True))
    follow(page, page.get_by_role("link", name="Cordon", exact=True))
    write(page, page.locator("[name=reason]"), "its fan is to be replaced")
    follow(page, page.get_by_role("button", name="Cordon node"))
    expect(page.locator("#state-of-node")).to_contain_text("cordoned")
    expect(page.locator("#node")).to_contain_text("its fan is to be replaced")
    builder.goto("/sign-in")
    enter(builder, member)
    forecast = form_of(builder, "test")
    press(builder, builder.locator("summary", has_text="Placement"))
    press(builder, builder.locator("[name=zones][value=fr-idf-1]"), "Space")
    expect(forecast).to_contain_text("no valid node", timeout=SOON_MS)
    follow(builder, builder.get_by_role("button", name="Create instance", exact=True))
    for sentence in NO_PLACE:
        expect(builder.get_by_role("alert")).to_contain_text(sentence)
    follow(page, page.get_by_role("button", name="Uncordon"))
    expect(page.get_by_text("Node uncordoned. New instances can be placed on it.")).to_be_visible()
    follow(builder, builder.get_by_role("button", name="Check", exact=True))
    expect(forecast).to_contain_text("can be created")


@pytest.mark.nightly
def test_exported_evidence_is_verified_and_a_changed_byte_found(
    opened: Opener, people: People, tenant: Tenant, tmp_path: Path
) -> None:
    auditor = people.official("auditor@example.org", "auditor")
    tenant.api.wait(tenant.api.post("volumes", {"name": "witnessed", "size_gib": 1})["operation"])
    volume = tenant.api.get("volumes/witnessed")["id"]
    page = opened()
    enter_with_a_code(page, auditor)
    menu(page, "Evidence")
    follow(page, page.get_by_role("link", name="Create export"))
    choose(page, page.locator("#id_organization"), "test")
    follow(page, page.get_by_role("button", name="Create export"))
    with page.expect_download() as download:
        press(page, page.get_by_role("link", name="Download"))
    export = tmp_path / download.value.suggested_filename
    download.value.save_as(export)
    assert export.name in page.locator("pre").inner_text()
    subprocess.run(["tar", "xf", str(export), "-C", str(tmp_path)], check=True)
    assert volume in (tmp_path / "records.ndjson").read_text()
    root = str(tenant.cloud.stack.var / "pki" / "root.pub")
    done = verify(tmp_path / "verify.py", export, "--root-key", root)
    assert (done.returncode, "The export is consistent: no check failed." in done.stdout) == (0, True), done.stdout
    content = bytearray(export.read_bytes())
    content[content.index(volume.encode())] ^= 1
    export.write_bytes(content)
    objection = verify(tmp_path / "verify.py", export, "--root-key", root)
    assert (objection.returncode, "FAULT records.ndjson" in objection.stdout) == (1, True), objection.stdout
