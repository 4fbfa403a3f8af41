"""Buttons without permission are shown disabled; those with permission are enabled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import Resolver404, URLPattern, resolve, reverse

from controlplane.api.base_views import OrganizationView, ProjectView
from controlplane.catalog.models import Image
from controlplane.compute.models import AffinityGroup, SshKey
from controlplane.dashboard import cookies
from controlplane.dashboard.base_views import Action, FormPage, PublicPage
from controlplane.dashboard.urls import urlpatterns
from controlplane.identity.models import ApiToken, Invitation, ServiceAccount
from controlplane.network.models import PublicAddress
from controlplane.operations.models import Operation
from controlplane.quotas.models import QuotaRequest
from controlplane.storage.models import Snapshot, SnapshotSchedule
from controlplane.webhooks.models import Webhook
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import finish_all, make_address_pool, make_instance, make_volume
from tests.workflows import snapshots
from tests.world import Cloud

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
# Pressed by everybody: one's own session and looks, what looks inside, and the rows of an editor that asks nobody.
FREE = {"preferences", "sign-out", "instance-console-ticket"}
ROWS = ("add", "remove", "read")
# Pages of no place: which project or organization they are about is said in the form.
ELSEWHERE = {"exemption-create"}
# Pages with a form that show something too: a link to one promises no change.
SHOWING = {"instance-settings", "volume-settings", "instance-volumes"}
BEYOND_OWNERS = {
    "organization-policy",
    "organization-policy-edit",
    "quota-decide",
    "quota-edit",
    "member-password-link",
    "member-sessions-end",
}


@dataclass
class Button:
    """`target`: the address to which it leads or posts; `text`: what stands in it."""

    target: str
    attributes: Mapping[str, str | None]
    text: str = ""

    @property
    def is_off(self) -> bool:
        return self.attributes.get("aria-disabled") == "true"


@dataclass
class Buttons(HTMLParser):
    """The buttons of a page's forms that post, and the links that look like buttons."""

    url: str
    found: list[Button] = field(default_factory=list)
    forms: dict[str, str] = field(default_factory=dict)
    _form: str | None = None
    _open: Button | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "form":
            self._form = (known.get("action") or self.url) if known.get("method") == "post" else None
            self.forms[known.get("id") or ""] = self._form or ""
        elif tag == "button":
            own = self.forms.get(known["form"] or "") if "form" in known else self._form
            is_sent = known.get("type") != "button" and own
            if is_sent or known.get("aria-disabled"):
                self._open = Button(own or "", known)
        elif tag == "a" and "button" in (known.get("class") or "").split():
            self._open = Button(known["href"] or "", known)

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._open.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag in ("button", "a") and self._open is not None:
            self.found.append(self._open)
            self._open = None


@pytest.fixture
def owner(signed_in: SignIn) -> Client:
    return signed_in("owner")


@pytest.fixture
def named(cloud: Cloud, owner: Client, home: str) -> dict[str, str]:
    """One of each thing, by the names that addresses have for them."""
    organization = cloud.tenant.project.organization_id
    here = f"/organizations/{organization}"
    snapshots.cluster(cloud)
    instance, volume = make_instance(owner, home), make_volume(owner, home, volume_type=snapshots.POOL)
    owner.post(f"{home}/snapshots/create", {"name": "then", "volume": "data"})
    times = {"frequency": "daily", "at": "02:30", "timezone": "UTC", "keep": "7"}
    owner.post(f"{home}/snapshot-schedules/new", {"name": "nightly", "volume": "data", **times})
    finish_all()
    owner.post(f"{home}/ssh-keys/new", {"name": "laptop", "public_key": KEY})
    owner.post(f"{home}/public-addresses/new", {"name": "www", "pool": str(make_address_pool().pk)})
    owner.post(f"{home}/affinity-groups/new", {"name": "apart", "rule": "anti-affinity"})
    owner.post(f"{home}/images/new", {"name": "mine", "format": "qcow2", "firmware": "uefi"})
    owner.post(f"{home}/webhooks/new", {"name": "ops", "url": "https://hooks.example/x", "is_enabled": "on"})
    owner.post(f"{home}/tokens/new", {"name": "night", "role": "viewer", "lifetime_days": "9"})
    owner.post(f"{here}/service-accounts/new", {"name": "ci", "role": "member"})
    owner.post(f"{here}/invitations/new", {"email": "new@example.org", "role": "viewer", "lifetime_days": "3"})
    owner.post(f"{here}/quota/new", {"dimension": "instances", "limit": "900", "reason": "a new ward"})
    session = owner.cookies[cookies.SESSION].value
    lock = {"ID": "3f0e", "Operation": "OperationTypeApply", "Who": "ada@laptop"}
    Client().post(
        f"/v1{home}/terraform-states/prod/actions/lock",
        lock,
        content_type="application/json",
        headers={"Authorization": f"Bearer {session}"},
    )
    Operation.objects.filter(kind="instance.create").update(state="pending", finished_at=None)
    return {
        "project": str(cloud.tenant.project.pk),
        "organization": str(organization),
        "instance": str(instance.pk),
        "volume": str(volume.pk),
        "snapshot": str(Snapshot.objects.get().pk),
        "snapshot-schedule": str(SnapshotSchedule.objects.get().pk),
        "network": str(cloud.network.pk),
        "public-address": str(PublicAddress.objects.get().pk),
        "ssh-key": str(SshKey.objects.get().pk),
        "affinity-group": str(AffinityGroup.objects.get().pk),
        "image": str(Image.objects.get(name="mine").pk),
        "webhook": str(Webhook.objects.get().pk),
        "state": "prod",
        "token": str(ApiToken.objects.get(name="night").pk),
        "account": str(ServiceAccount.objects.get().pk),
        "invitation": str(Invitation.objects.get().pk),
        "request_id": str(QuotaRequest.objects.get().pk),
        "member": str(cloud.tenant.actor.user_id),
        "operation": str(Operation.objects.get(kind="instance.create").pk),
        "decision": "approve",
    }


def of_places() -> Iterator[URLPattern]:
    """The pages that are in a project or an organization."""
    for pattern in urlpatterns:
        if str(pattern.pattern).startswith(("projects/", "organizations/")):
            yield pattern


def view_of(pattern: URLPattern) -> Any:
    return pattern.callback.view_class  # type: ignore[attr-defined]


def addresses(named: Mapping[str, str]) -> Iterator[str]:
    for pattern in of_places():
        if issubclass(view_of(pattern), Action) or not hasattr(view_of(pattern), "get"):
            continue
        noun = str(pattern.name).removesuffix("-edit").removesuffix("-delete")
        known = {**named, "thing": named.get(noun)}
        path = {name: known.get(name) for name in pattern.pattern.converters}
        if None not in path.values():
            yield reverse(str(pattern.name), kwargs=path)


def pressed(browser: Client, named: Mapping[str, str]) -> Iterator[tuple[str, Button]]:
    """Every button of every page."""
    for url in addresses(named):
        answer = browser.get(url)
        if answer.status_code == 200 and "text/html" in answer["Content-Type"]:
            buttons = Buttons(url)
            buttons.feed(answer.content.decode())
            yield from ((url, each) for each in buttons.found)


def needed(button: Button) -> tuple[str, str]:
    """The name of the page to which it leads, and the API's operation that this needs."""
    try:
        route = resolve(button.target.partition("?")[0])
    except Resolver404:
        return "", ""
    view = route.func.view_class  # type: ignore[attr-defined]
    if hasattr(view, "whose_class"):
        whose = route.func.view_initkwargs["whose_class"]  # type: ignore[attr-defined]
        return str(route.url_name), whose.sets if "edit" in str(route.url_name) else ""
    return str(route.url_name), view.right_at(route.kwargs) if issubclass(view, PublicPage) else ""


def is_local(button: Button) -> bool:
    return str(button.attributes.get("value", "")).partition(":")[0] in ROWS


def changes(button: Button) -> bool:
    """Tell if the element sends a form, or opens one."""
    name, operation = needed(button)
    if "href" in button.attributes:
        return bool(operation) and name not in ELSEWHERE | SHOWING
    return name not in FREE and not is_local(button)


def test_viewer_has_no_enabled_button_that_is_refused_and_reasons_at_the_others(
    named: dict[str, str], signed_in: SignIn
) -> None:
    viewer = signed_in("viewer")
    own = f"/members/{viewer.get('/account').context['me']['user']['id']}/"
    seen = list(pressed(viewer, named))
    enabled = [(url, each) for url, each in seen if changes(each) and not each.is_off]
    assert [(url, each.target, each.text) for url, each in enabled if own not in each.target] == []
    off = [(url, each) for url, each in seen if each.is_off]
    assert len(off) > 50
    for url, each in off:
        scope = "project" if url.startswith("/projects") else "organization"
        why = str(each.attributes["title"])
        assert why.startswith(f"Your role in this {scope} (viewer) does not allow this. Contact a"), url
        assert why in each.text, url
    why_not_make = [each.attributes["title"] for url, each in off if url.endswith("/instances/create")]
    assert set(why_not_make) == {"Your role in this project (viewer) does not allow this. Contact an owner."}


def test_owner_has_all_buttons_enabled(named: dict[str, str], owner: Client) -> None:
    disabled = {(url, str(each.attributes.get("title"))) for url, each in pressed(owner, named) if each.is_off}
    by_role = [(resolve(url).url_name, why) for url, why in disabled if why.startswith("Your role in this")]
    assert {name for name, _why in by_role} == BEYOND_OWNERS
    assert not [why for _name, why in by_role if why.endswith("Ask an owner.")]


def test_each_form_names_its_permission() -> None:
    """A page without an operation of the API and its place would enable its buttons for everybody."""
    known = ProjectView.operation_ids | OrganizationView.operation_ids
    more = {"action": "power-off", "decision": "approve"}
    # By the button that is pressed; of no place, for operators.
    exempt = {"instances-bulk", "member-password-link", "member-sessions-end"}
    for pattern in of_places():
        view, name = view_of(pattern), str(pattern.name)
        if hasattr(view, "whose_class") or name in exempt:
            continue
        needs = view.right_at(more)
        if issubclass(view, Action | FormPage) or hasattr(view, "post"):
            assert needs in known, name
        else:
            assert needs == "", name


def test_operator_without_a_project_role_sees_the_reason(named: dict[str, str], signed_in: SignIn) -> None:
    page = signed_in("operator").get(f"/projects/{named['project']}").content.decode()
    assert "Your role in this project (operator) does not allow this. Contact an owner." in page
