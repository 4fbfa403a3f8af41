"""The smaller things of a project: networks, keys, groups, images, webhooks, states of Terraform, tokens, settings."""

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from controlplane.catalog.models import Image
from controlplane.dashboard import cookies
from controlplane.identity.models import ApiToken, Organization
from controlplane.network.models import Network, Port, PortAddress, SecurityGroup, SecurityGroupRule, Subnet
from controlplane.network.ports import port_delete
from controlplane.webhooks.models import Webhook
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import make_instance, text_of
from tests.services.catalog.disks import qcow2
from tests.world import Cloud

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
RESOURCES = {
    "networks": ({"cidr": "10.1.0.0/24", "dns_servers": "9.9.9.9, 1.1.1.1"}, {"cidr": "10.1.0.0/33"}, b"10.1.0.1"),
    "ssh-keys": ({"public_key": KEY}, {"public_key": "ssh-rsa nothing"}, b"SHA256:"),
    "affinity-groups": ({"rule": "anti-affinity", "is_strict": "on"}, {"rule": "far"}, b"separate"),
}
LISTS = (
    "networks",
    "images",
    "ssh-keys",
    "affinity-groups",
    "webhooks",
    "terraform-states",
    "tokens",
    "audit",
    "settings",
)


@pytest.fixture
def disk(tmp_path: Path) -> bytes:
    folder = tmp_path / "disk"
    folder.mkdir()
    return qcow2(folder, content=b"boot").read_bytes()


@pytest.mark.parametrize("role", ["viewer", "sovereignty_officer", "operator", "auditor"])
def test_lists_are_visible_to_all_roles(home: str, signed_in: SignIn, role: str) -> None:
    browser = signed_in(role)
    assert {page: browser.get(f"{home}/{page}").status_code for page in LISTS} == dict.fromkeys(LISTS, 200)


@pytest.mark.parametrize("collection", RESOURCES)
def test_resource_is_created_found_renamed_and_deleted(home: str, member: Client, collection: str) -> None:
    good, bad, shown = RESOURCES[collection]
    here = f"{home}/{collection}"
    new = {"name": "mine", "labels": "env=prod"}
    [field] = bad
    assert f'id="id_{field}_error"'.encode() in member.post(f"{here}/new", {**new, **good, **bad}).content
    answer = member.post(f"{here}/new", {**new, **good})
    assert answer.status_code == 302, answer.content
    page = answer["Location"]
    assert shown in member.get(page).content
    assert page.encode() in member.get(f"{here}?labels=env%3Dprod").content
    assert b"No entry matches the filters." in member.get(f"{here}?name=nobody").content
    assert b"env=prod" in member.get(f"{page}/edit").content
    member.post(f"{page}/edit", {"name": "yours", "labels": ""})
    renamed = member.get(page).content
    assert b"yours" in renamed and b"env=prod" not in renamed
    assert b"Delete yours" in member.get(f"{page}/delete").content
    assert member.post(f"{page}/delete")["Location"] == here
    assert member.get(page).status_code == 404


def test_form_sent_twice_creates_one_network(home: str, member: Client) -> None:
    form = {"name": "mine", "cidr": "10.1.0.0/24", "idempotency_key": "01890000-0000-7000-8000-000000000001"}
    first, second = (member.post(f"{home}/networks/new", form)["Location"] for _ in range(2))
    assert first == second
    assert Network.objects.filter(name="mine").count() == 1


def test_network_page_states_that_a_network_is_in_one_zone(home: str, cloud: Cloud, member: Client) -> None:
    """Before it is made, where there is none, and on its page: guests in two zones do not reach each other."""
    phrase = "instances within a zone"
    assert phrase in text_of(member.get(f"{home}/networks/new"))
    assert phrase in text_of(member.get(f"{home}/networks/{cloud.network.pk}"))
    Network.objects.all().delete()
    assert phrase in text_of(member.get(f"{home}/networks"))


def test_network_without_name_servers_has_a_warning(home: str, member: Client) -> None:
    assert "Leave empty for the resolver at the gateway." in text_of(member.get(f"{home}/networks/new"))
    page = member.post(f"{home}/networks/new", {"name": "mute", "cidr": "10.1.0.0/24"})["Location"]
    assert "the gateway" in text_of(member.get(page))


def test_default_name_servers_are_shown_when_configured(home: str, member: Client, settings: Settings) -> None:
    settings.DEFAULT_DNS_SERVERS = ["9.9.9.9"]
    assert "Leave empty for those of the platform: 9.9.9.9." in text_of(member.get(f"{home}/networks/new"))
    page = member.post(f"{home}/networks/new", {"name": "named", "cidr": "10.1.0.0/24"})["Location"]
    assert "10.1.0.1 9.9.9.9" in text_of(member.get(page))


def test_viewer_cannot_create_a_network(home: str, signed_in: SignIn) -> None:
    page = signed_in("viewer").post(f"{home}/networks/new", {"name": "mine", "cidr": "10.1.0.0/24"}).content
    assert b"lacks the role member" in page
    assert not Network.objects.filter(name="mine").exists()


def test_invalid_network_name_changes_nothing(home: str, cloud: Cloud, member: Client) -> None:
    name = cloud.network.name
    member.post(f"{home}/networks/{cloud.network.pk}/edit", {"name": "Not a name"})
    cloud.network.refresh_from_db()
    assert cloud.network.name == name


def new_image(browser: Client, home: str, **form: str) -> str:
    answer = browser.post(f"{home}/images/new", {"name": "mine", "format": "qcow2", "firmware": "uefi", **form})
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


def test_an_image_is_uploaded_by_a_script(home: str, member: Client, disk: bytes) -> None:
    page = new_image(member, home)
    assert b"data-upload" in member.get(page).content
    answer = member.put(f"{page}/file", disk, content_type="application/octet-stream")
    assert answer.json() == {"go": page}
    assert Image.objects.get(name="mine").state == "verifying"
    assert b"data-upload" not in member.get(page).content
    repeated = member.put(f"{page}/file", disk, content_type="application/octet-stream")
    assert (repeated.status_code, repeated.json()["code"]) == (409, "catalog.image.has_content")


def test_an_image_is_uploaded_by_its_form(home: str, member: Client, disk: bytes) -> None:
    page = new_image(member, home)
    assert member.post(f"{page}/file", {"file": SimpleUploadedFile("disk.qcow2", disk)})["Location"] == page
    assert Image.objects.get(name="mine").state == "verifying"


def test_upload_needs_the_csrf_token(home: str, member: Client, disk: bytes) -> None:
    page = new_image(member, home)
    member.handler.enforce_csrf_checks = True
    assert member.put(f"{page}/file", disk).status_code == 403
    assert Image.objects.get(name="mine").state == "awaiting-upload"


def test_signed_out_upload_is_sent_to_the_sign_in(home: str, member: Client, disk: bytes) -> None:
    page = new_image(member, home)
    member.cookies[cookies.SESSION] = "andromede_session_over"
    assert member.put(f"{page}/file", disk).json()["go"].startswith("/sign-in?next=")


def test_an_image_is_deleted_by_its_name(home: str, member: Client) -> None:
    page = new_image(member, home)
    assert b"The name does not match." in member.post(f"{page}/delete", {"name": "other"}).content
    assert member.post(f"{page}/delete", {"name": "mine"})["Location"] == f"{home}/images"
    assert member.get(page).status_code == 404


def test_public_image_is_shown_read_only(home: str, cloud: Cloud, member: Client) -> None:
    page = member.get(f"{home}/images/{cloud.image.pk}").content
    assert b"public" in page
    assert b"/delete" not in page


def test_a_webhook_shows_its_secret_once(home: str, member: Client) -> None:
    form = {"name": "ops", "url": "https://hooks.example/x", "kinds": ["instance.*"], "is_enabled": "on"}
    assert b'id="id_url_error"' in member.post(f"{home}/webhooks/new", {**form, "url": "ftp://x"}).content
    assert b"whsec_" in member.post(f"{home}/webhooks/new", form).content
    page = f"{home}/webhooks/{Webhook.objects.get().pk}"
    assert b"whsec_" not in member.get(page).content
    member.post(f"{page}/ping")
    assert b"webhook.pinged" in member.get(page).content
    assert b"whsec_" in member.post(f"{page}/rotate", {"overlap_hours": "1"}).content
    member.post(f"{page}/edit", {"name": "ops", "url": form["url"]})
    webhook = Webhook.objects.get()
    assert (webhook.kinds, webhook.is_enabled) == (["*"], False)
    member.post(f"{page}/delete")
    assert b"No webhooks yet" in member.get(f"{home}/webhooks").content


def test_previous_secret_of_a_webhook_is_ended(home: str, member: Client, signed_in: SignIn) -> None:
    member.post(f"{home}/webhooks/new", {"name": "ops", "url": "https://ops.example.org/in"})
    page = f"{home}/webhooks/{Webhook.objects.get().pk}"
    end = f"{page}/rotate/end"
    assert end.encode() not in member.get(page).content
    member.post(f"{page}/rotate", {"overlap_hours": "24"})
    assert end.encode() in member.get(page).content
    assert b"The new secret stays active." in member.get(end).content
    assert b"lacks the role member" in signed_in("viewer").post(end).content
    assert Webhook.objects.get().previous_ends_at is not None
    assert member.post(end)["Location"] == page
    assert end.encode() not in member.get(page).content


def test_terraform_state_is_shown_unlocked_and_deleted(home: str, cloud: Cloud, member: Client) -> None:
    session = member.cookies[cookies.SESSION].value
    states = f"/v1{home}/terraform-states"
    api = {"content_type": "application/json", "headers": {"Authorization": f"Bearer {session}"}}
    lock = '{"ID": "3f0e", "Operation": "OperationTypeApply", "Who": "ada@laptop"}'
    assert Client().post(f"{states}/prod/actions/lock", lock, **api).status_code == 200  # type: ignore[arg-type]
    state = '{"version": 4, "serial": 7, "lineage": "a", "outputs": {"password": {"value": "hush"}}}'
    assert Client().post(f"{states}/prod?ID=3f0e", state, **api).status_code == 200  # type: ignore[arg-type]
    assert b"ada@laptop" in member.get(f"{home}/terraform-states").content
    page = member.get(f"{home}/terraform-states/prod").content
    assert b"OperationTypeApply" in page and b'<td data-label="Serial">7</td>' in page
    assert b"hush" not in page
    member.post(f"{home}/terraform-states/prod/unlock")
    assert b"Locked" not in member.get(f"{home}/terraform-states/prod").content
    member.post(f"{home}/terraform-states/prod/delete", {"name": "prod"})
    assert b"No Terraform states yet" in member.get(f"{home}/terraform-states").content


def test_project_token_is_created_and_revoked(home: str, member: Client) -> None:
    shown = member.post(f"{home}/tokens/new", {"name": "ci", "role": "viewer", "lifetime_days": "9"}).content
    assert b"andromede_" in shown
    token = ApiToken.objects.get(name="ci")
    assert member.post(f"{home}/tokens/{token.pk}/revoke")["Location"] == f"{home}/tokens"
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_project_is_renamed_limited_and_kept_while_in_use(home: str, cloud: Cloud, signed_in: SignIn) -> None:
    owner = signed_in("owner")
    owner.post(f"{home}/settings/edit", {"name": "omega", "labels": "a=b"})
    cloud.tenant.project.refresh_from_db()
    assert (cloud.tenant.project.name, cloud.tenant.project.labels) == ("omega", {"a": "b"})
    form = owner.get(f"{home}/settings/quota").context["form"]
    version = form.initial["version"]
    assert owner.post(f"{home}/settings/quota", {"version": version, "instances": "5"}).status_code == 302
    assert b"0 / 5" in owner.get(f"{home}/settings").content
    stale = owner.post(f"{home}/settings/quota", {"version": version, "instances": "6"})
    assert b"The form has errors." in stale.content
    page = owner.post(f"{home}/settings/delete", {"name": "omega"}).content
    assert b"The form has errors." in page
    assert Organization.objects.filter(project__deleted_at=None).exists()


@pytest.mark.parametrize("collection", ["networks", "ssh-keys", "affinity-groups"])
def test_list_subscribes_to_live_updates(member: Client, home: str, collection: str) -> None:
    assert b'data-stream="/live?project=' in member.get(f"{home}/{collection}").content


def test_live_part_names_its_resource_kind(member: Client, home: str) -> None:
    assert b'id="things" data-live="network"' in member.get(f"{home}/networks").content


def test_list_of_networks_shows_their_resolvers(member: Client, home: str, cloud: Cloud) -> None:
    assert "10.10.0.1 the gateway" in text_of(member.get(f"{home}/networks"))


def test_subnet_is_created_and_deleted_on_the_page_of_its_network(home: str, member: Client, cloud: Cloud) -> None:
    at = f"{home}/networks/{cloud.network.pk}"
    bad = member.post(f"{at}/subnets/new", {"name": "more", "cidr": "10.10.0.0/25"})
    assert bad.context["form"].errors["cidr"]
    good = {"name": "more", "cidr": "10.11.0.0/24", "reserved_ranges": "10.11.0.2-10.11.0.9\n10.11.0.20"}
    good |= {"ipv6_cidr": "fd00:11::/64"}
    assert member.post(f"{at}/subnets/new", good)["Location"] == at
    text = text_of(member.get(at))
    assert (
        "more 10.11.0.0/24" in text and "fd00:11::/64" in text and "10.11.0.2-10.11.0.9, 10.11.0.20-10.11.0.20" in text
    )
    subnet = cloud.network.subnets.get(name="more")
    assert member.post(f"{at}/ports/new", {"name": "card", "addresses": "more\nfd00:11::9\nipv4"})["Location"] == at
    addresses = PortAddress.objects.filter(port__name="card").order_by("pk").values_list("ip", flat=True)
    assert list(addresses) == ["10.11.0.10", "fd00:11::2", "fd00:11::9", "10.10.0.2"]
    port_delete(cloud.tenant.actor, Port.objects.get(name="card"))
    assert "Delete more" in text_of(member.get(f"{at}/subnets/{subnet.pk}/delete"))
    assert member.post(f"{at}/subnets/{subnet.pk}/delete")["Location"] == at
    assert not cloud.network.subnets.filter(name="more").exists()


def test_network_is_created_with_all_options_of_its_subnet(home: str, member: Client, cloud: Cloud) -> None:
    form = {
        "name": "full",
        "cidr": "10.12.0.0/24",
        "gateway_ip": "10.12.0.9",
        "ntp_servers": "10.12.0.5, fd00::5",
        "domain_search": "a.example",
        "static_routes": "10.40.0.0/16 10.12.0.4",
        "reserved_ranges": "10.12.0.2-10.12.0.9\n10.12.0.20",
    }
    bad = member.post(f"{home}/networks/new", form | {"static_routes": "10.40.0.0/16 10.9.0.4"})
    assert bad.context["form"].errors.keys() == {"static_routes"}
    member.post(f"{home}/networks/new", form)
    subnet = Subnet.objects.get(network__name="full")
    assert (subnet.gateway_ip, subnet.ntp_servers) == ("10.12.0.9", ["10.12.0.5", "fd00::5"])
    assert (subnet.domain_search, len(subnet.reserved_ranges)) == (["a.example"], 2)
    assert subnet.static_routes == [{"destination": "10.40.0.0/16", "next_hop": "10.12.0.4"}]


def test_dhcp_options_of_a_subnet_are_edited_on_its_form(home: str, member: Client, cloud: Cloud) -> None:
    at = f"{home}/networks/{cloud.network.pk}"
    page, edited = f"{at}/subnets/{cloud.network.subnets.get().pk}/edit", {"name": "front"}
    options = {
        "ntp_servers": "10.10.0.5, fd00::5",
        "domain_search": "a.example",
        "static_routes": "10.40.0.0/16 10.10.0.4",
    }
    assert member.post(page, edited | options)["Location"] == at
    assert {name: member.get(page).context["form"][name].value() for name in options} == options
    assert "10.40.0.0/16 → 10.10.0.4" in text_of(member.get(at))
    bad = member.post(page, edited | options | {"static_routes": "10.40.0.0/16"})
    assert bad.context["form"].errors["static_routes"]


def test_subnet_and_port_are_edited_on_forms_of_their_network(home: str, member: Client, cloud: Cloud) -> None:
    at = f"{home}/networks/{cloud.network.pk}"
    subnet = cloud.network.subnets.get()
    edited = {"name": "front", "dns_servers": "9.9.9.9\n149.112.112.112", "reserved_ranges": "10.10.0.200"}
    assert member.post(f"{at}/subnets/{subnet.pk}/edit", edited)["Location"] == at
    subnet.refresh_from_db()
    assert (subnet.name, subnet.dns_servers) == ("front", ["9.9.9.9", "149.112.112.112"])
    assert subnet.reserved_ranges == ["10.10.0.200-10.10.0.200"]
    page = f"{at}/subnets/{subnet.pk}/edit"
    assert member.get(page).context["form"]["dns_servers"].value() == "9.9.9.9, 149.112.112.112"
    bad = member.post(page, edited | {"dns_servers": "resolver"})
    assert bad.context["form"].errors["dns_servers"]
    both = member.post(page, edited | {"ipv6_cidr": "fd00:1::/64", "ipv6_pool": "public"})
    assert both.context["form"].errors["ipv6_pool"]
    for ipv6_cidr in ("fd00:1::/64", ""):
        assert member.post(page, edited | {"ipv6_cidr": ipv6_cidr})["Location"] == at
        subnet.refresh_from_db()
        assert subnet.ipv6_cidr == ipv6_cidr
        assert member.get(page).context["form"]["ipv6_cidr"].value() == (ipv6_cidr or None)
    member.post(f"{at}/ports/new", {"name": "spare", "addresses": "10.10.0.40"})
    port = Port.objects.get(name="spare")
    page = f"{at}/ports/{port.pk}/edit"
    assert member.get(page).context["form"]["addresses"].value() == "10.10.0.40"
    virtual = "10.10.0.100 00:00:5e:00:01:01\n10.10.0.101"
    assert (
        member.post(page, {"name": "card", "addresses": "10.10.0.41", "allowed_addresses": virtual})["Location"] == at
    )
    port.refresh_from_db()
    assert (port.name, [each.ip for each in port.addresses.all()]) == ("card", ["10.10.0.41"])
    assert {(each.cidr, each.mac) for each in port.allowed_addresses.all()} == {
        ("10.10.0.100/32", "00:00:5e:00:01:01"),
        ("10.10.0.101/32", ""),
    }
    assert (
        member.get(page).context["form"]["allowed_addresses"].value().splitlines()[0]
        == "10.10.0.100/32 00:00:5e:00:01:01"
    )


def test_groups_and_bandwidth_of_a_port_are_edited(home: str, member: Client, cloud: Cloud) -> None:
    at = f"{home}/networks/{cloud.network.pk}"
    member.post(f"{home}/security-groups/new", {"name": "web"})
    member.post(f"{at}/ports/new", {"name": "spare", "addresses": "10.10.0.40"})
    port, web = Port.objects.get(name="spare"), SecurityGroup.objects.get(name="web")
    page = f"{at}/ports/{port.pk}/edit"
    default = str(port.portsecuritygroup_set.get().group_id)
    assert member.get(page).context["form"]["security_groups"].value() == [default]
    same = {"name": "spare", "addresses": "10.10.0.40", "security_groups": [default]}
    assert member.post(page, same | {"to_guest_mbit": "500"})["Location"] == at
    port.refresh_from_db()
    assert (port.to_guest_mbit, port.from_guest_mbit) == (500, None)
    assert member.get(page).context["form"]["to_guest_mbit"].value() == 500
    assert member.post(page, same | {"security_groups": [str(web.pk)]})["Location"] == at
    port.refresh_from_db()
    assert port.to_guest_mbit is None and port.portsecuritygroup_set.get().group == web
    assert member.post(page, same | {"to_guest_mbit": "0"}).context["form"].errors["to_guest_mbit"]


def test_rule_of_a_family_is_added_and_its_errors_are_at_their_fields(home: str, member: Client, cloud: Cloud) -> None:
    page = member.post(f"{home}/security-groups/new", {"name": "web", "labels": ""})["Location"]
    new = f"{page}/rules/new"
    for added, rule in (
        ({"preset": "https", "family": "ipv6"}, ("ipv6", "tcp")),
        ({"preset": "https", "cidrs": "2001:db8::/32"}, ("ipv6", "tcp")),
        ({"preset": "icmp", "family": "ipv6"}, ("ipv6", "icmpv6")),
        ({"preset": "icmp", "cidrs": "2001:db8::/32"}, ("ipv6", "icmpv6")),
        ({"preset": "icmp"}, ("ipv4", "icmp")),
    ):
        assert member.post(new, {"direction": "in"} | added)["Location"] == page
        added_rule = SecurityGroupRule.objects.order_by("pk").last()
        assert added_rule and (added_rule.family, added_rule.protocol) == rule
    member.post(new, {"direction": "out", "preset": "any"})
    assert "out any, IPv4 – any" in text_of(member.get(page))
    for ports in ("70000", "443-80"):
        wrong = member.post(new, {"direction": "in", "preset": "tcp", "ports": ports})
        assert wrong.context["form"].errors["ports"]


def test_instance_gets_the_chosen_port_and_groups(home: str, member: Client, cloud: Cloud) -> None:
    at = f"{home}/networks/{cloud.network.pk}"
    member.post(f"{at}/ports/new", {"name": "spare", "addresses": "10.10.0.40"})
    member.post(f"{home}/security-groups/new", {"name": "web"})
    port = Port.objects.get(name="spare")
    instance = make_instance(member, home, networks=[], ports=[str(port.pk)])
    assert list(Port.objects.filter(instance_id=instance.pk)) == [port]
    other = make_instance(member, home, name="two", security_groups=["web"])
    assert Port.objects.get(instance_id=other.pk).portsecuritygroup_set.get().group.name == "web"
    fields = {"name": "spare", "security_groups": [group.pk for group in SecurityGroup.objects.filter(is_default=True)]}
    lost = member.post(f"{at}/ports/{port.pk}/edit", fields | {"addresses": "10.10.0.41"})
    assert "10.10.0.40" in str(lost.context["form"].errors["addresses"]), "an attached port keeps its addresses"


def test_reachability_page_shows_answer_and_remedy(home: str, member: Client, cloud: Cloud) -> None:
    instance = make_instance(member, home)
    assert f"target=instance:{instance.pk}" in member.get(f"{home}/instances/{instance.pk}/network").content.decode()
    page = f"{home}/reachability"
    assert member.get(f"{page}?target=instance:{instance.pk}").context["form"]["target"].value() == (
        f"instance:{instance.pk}"
    )
    url = f"{page}?source=outside&target=instance:{instance.pk}&protocol=tcp&port=443"
    text = text_of(member.get(url))
    assert "not reachable" in text and "Attach a public address" in text and "Public address" in text
    missing = member.get(f"{page}?source=outside&target=instance:{instance.pk}&protocol=tcp")
    assert missing.context["form"].errors["port"]
    text = text_of(member.get(f"{url}&family=ipv6"))
    assert "not reachable IPv6" in text and "has no IPv6 address" in text
    wrong = member.get(f"{page}?source=outside&target=address&target_address=web&protocol=any")
    assert wrong.context["form"].errors["target"] and wrong.context["answer"] is None


def test_topology_shows_instances_free_ports_and_a_table(home: str, member: Client, cloud: Cloud) -> None:
    at = f"{home}/networks/{cloud.network.pk}"
    assert "No ports." in text_of(member.get(f"{at}/topology"))
    make_instance(member, home)
    member.post(f"{at}/ports/new", {"name": "spare", "addresses": "10.10.0.40"})
    answer = member.get(f"{at}/topology")
    text = text_of(answer)
    assert text.count("10.10.0.40") == 2 and text.count("spare") >= 2
    assert b'class="free"' in answer.content and "Security groups" in text
    assert f"{at}/topology" in member.get(at).content.decode()
