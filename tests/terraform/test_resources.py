"""Every resource, through its whole life: create, no changes, update in place, replace, import, destroy."""

from dataclasses import dataclass
from typing import Any

import pytest

from scripts.api import Api
from scripts.terraform import Workspace
from tests.nightly import thinned

pytestmark = pytest.mark.slow

SHARED = 'resource "andromede_volume" "%s" {\n  name = "%s"\n  size_gib = 1\n  volume_type = "rbd"\n%s\n}\n'
TAKEN = 'resource "andromede_volume_snapshot" "%s" {\n  name = "%s"\n  volume = andromede_volume.data.id\n}\n'
KEYS = [f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43} somebody" for letter in "AB"]
LAN = 'resource "andromede_network" "lan" {\n  name = "lan"\n  cidr = "10.1.0.0/24"\n}\n'
WEB = 'resource "andromede_instance" "web" {\n  name   = "web"\n  flavor = "tiny"\n  image  = "tiny"\n%s\n}\n'
DATA = 'resource "andromede_volume" "data" {\n  name          = "data"\n  size_gib      = 1\n%s\n}\n'


@dataclass(frozen=True)
class Life:
    """A configuration, the same after an update in place, and after a change that takes a new object; empty: there is
    no such change. `kind`: what the API calls it, if the project lists it. `before`: what stands beside it all the
    time."""

    address: str
    kind: str
    first: str
    updated: str
    replaced: str = ""
    before: str = ""

    @property
    def id(self) -> str:
        return self.address


def block(type_name: str, *lines: str) -> str:
    return "\n".join([f'resource "andromede_{type_name}" "it" {{', *lines, "}", ""])


NETWORK = ('cidr = "10.9.0.0/24"', 'name = "one"')
IPV6 = 'ipv6_cidr = "fd00:9::/64"'
OPTIONS = (
    *('gateway_ip = "10.9.0.9"', 'reserved_ranges = ["10.9.0.2-10.9.0.4"]', 'ntp_servers = ["10.9.0.5"]'),
    *('domain_search = ["a.example"]', 'static_routes = ["10.40.0.0/16=10.9.0.6"]'),
)
SUBNET = ("network = andromede_network.lan.id", 'cidr = "10.9.0.0/24"')
GROUP = ('name = "apart"', 'rule = "anti-affinity"')
ATTACHED = ("instance = andromede_instance.web.id", "volume = andromede_volume.data.id")
WEEKLY = ('frequency = "weekly"', 'weekday = "monday"', 'at = "02:30"')
MONTHLY = ('frequency = "monthly"', "day = 3", 'at = "03:30"')
NEARBY = WEB % "" + DATA % "near_instance = andromede_instance.web.id"
PUBLIC = 'resource "andromede_public_ip" "%s" {\n  name = "%s"\n  pool = "public"\n}\n'
RULE = ("security_group = andromede_security_group.web.id", 'direction = "in"', 'protocol = "tcp"')
LIVES = [
    Life(
        "andromede_network.it",
        "networks",
        block(
            "network", *NETWORK, IPV6, *OPTIONS, 'dns_servers = ["10.9.0.3"]', 'labels = { env = "test", tier = "web" }'
        ),
        block(
            "network",
            *(NETWORK[0], OPTIONS[0], 'name = "two"', 'dns_servers = ["10.9.0.4"]', 'labels = { env = "prod" }'),
        ),
        block("network", 'cidr = "10.8.0.0/24"', 'name = "two"'),
    ),
    Life(
        "andromede_ssh_key.it",
        "ssh-keys",
        block("ssh_key", 'name = "laptop"', f'public_key = "{KEYS[0]}\\n"'),
        block("ssh_key", 'name = "desktop"', f'public_key = "{KEYS[0]}"', 'labels = { of = "ada" }'),
        block("ssh_key", 'name = "desktop"', f'public_key = "{KEYS[1]}"'),
    ),
    Life(
        "andromede_affinity_group.it",
        "affinity-groups",
        block("affinity_group", *GROUP),
        block("affinity_group", 'name = "away"', GROUP[1], 'labels = { env = "prod" }'),
        block("affinity_group", *GROUP, "is_strict = false"),
    ),
    Life(
        "andromede_security_group.it",
        "",  # the default group stays
        block("security_group", 'name = "web"'),
        block("security_group", 'name = "www"', 'description = "Web servers"', 'labels = { env = "prod" }'),
    ),
    Life(
        "andromede_security_group_rule.it",
        "",
        block("security_group_rule", *RULE, "first_port = 80"),
        "",
        block(
            "security_group_rule",
            *RULE,
            *("first_port = 8000", "last_port = 8080", "peer_group = andromede_security_group.web.name"),
        ),
        'resource "andromede_security_group" "web" {\n  name = "web"\n}\n',
    ),
    Life(
        "andromede_webhook.it",
        "webhooks",
        block("webhook", 'name = "ops"', 'url = "https://ops.example.org/a"', 'kinds = ["instance.*", "drift.found"]'),
        block(
            "webhook",
            *('name = "tools"', 'url = "https://ops.example.org/b"', 'kinds = ["*"]'),
            *("is_enabled = false", 'labels = { env = "prod" }'),
        ),
    ),
    Life(
        "andromede_project.it",
        "",
        block("project", 'name = "shop"', 'labels = { env = "test" }'),
        block("project", 'name = "store"'),
    ),
    Life(
        "andromede_quota.it",
        "",
        block("quota", "project = andromede_project.shop.id", "limits = { instances = 2 }"),
        block("quota", 'project = "shop"', "limits = { instances = 3, volumes = 9 }"),
        block("quota", "project = andromede_project.store.id", "limits = { instances = 3, volumes = 9 }"),
        "".join(f'resource "andromede_project" "{name}" {{\n  name = "{name}"\n}}\n' for name in ("shop", "store")),
    ),
    Life(
        "andromede_service_account.it",
        "",
        block("service_account", 'name = "ci"', 'grants = [{ project = "test", role = "member" }]'),
        block("service_account", 'name = "cd"', 'grants = [{ role = "viewer" }]', "is_disabled = true"),
    ),
    Life(
        "andromede_service_account_token.it",
        "",
        block("service_account_token", "service_account = andromede_service_account.ci.id", 'name = "a"'),
        "",
        block(
            "service_account_token",
            *("service_account = andromede_service_account.ci.name", 'name = "a"', 'role = "viewer"'),
            *('verbs = ["read"]', 'kinds = ["volumes"]', "lifetime_days = 7"),
        ),
        'resource "andromede_service_account" "ci" {\n  name = "ci"\n}\n',
    ),
    Life(
        "andromede_token.it",
        "",
        block("token", 'name = "ci"', 'role = "viewer"', "lifetime_days = 7"),
        "",
        block("token", 'name = "ci"', 'role = "member"', "lifetime_days = 7"),
    ),
    Life(
        "andromede_volume.it",
        "volumes",
        block("volume", 'name = "one"', "size_gib = 1", 'image = "tiny"', 'zones = ["fr-idf-1"]'),
        block("volume", 'name = "two"', "size_gib = 2", 'image = "tiny"', 'zones = ["fr-idf-1", "fr-idf-2"]'),
        block("volume", 'name = "two"', "size_gib = 2", 'image = "tiny"', 'zones = ["fr-idf-2"]'),
    ),
    Life(
        "andromede_instance.it",
        "instances",
        block("instance", 'name = "one"', 'flavor = "tiny"', 'image = "tiny"', "networks = [andromede_network.lan.id]"),
        block(
            "instance",
            *('name = "two"', 'flavor = "small"', 'image = "tiny"', "networks = [andromede_network.lan.id]"),
            *("allow_stop_for_update = true", 'labels = { env = "prod" }'),
        ),
        block("instance", 'name = "two"', 'flavor = "small"', 'image = "tiny"'),
        LAN,
    ),
    Life(
        "andromede_subnet.it",
        "",
        block("subnet", *SUBNET, OPTIONS[0], 'name = "one"'),
        block(
            "subnet",
            *SUBNET,
            IPV6,
            'name = "two"',
            *OPTIONS,
            'dns_servers = ["10.9.0.3"]',
        ),
        block("subnet", SUBNET[0], 'cidr = "10.8.0.0/24"', 'name = "two"'),
        LAN,
    ),
    Life(
        "andromede_port.it",
        "ports",
        block("port", "network = andromede_network.lan.id", 'name = "one"', 'addresses = ["10.1.0.9", "10.1.0.10"]'),
        block(
            "port",
            *('network = "lan"', 'name = "two"', 'addresses = ["10.1.0.9", "10.1.0.10", "10.1.0.12"]'),
            "security_groups = []",
            'allowed_addresses = ["10.1.0.100", "10.1.0.101=00:00:5e:00:01:01"]',
            "bandwidth = { to_guest_mbit = 100 }",
        ),
        block("port", "network = andromede_network.lan.id", 'name = "two"', 'addresses = ["10.1.0.11"]'),
        LAN,
    ),
    Life(
        "andromede_public_ip.it",
        "public-addresses",
        block("public_ip", 'name = "www"', 'pool = "public"', 'labels = { env = "test" }'),
        block("public_ip", 'name = "web"', 'pool = "public"', 'ptr = "www.example.org"'),
        block("public_ip", 'name = "web"', 'pool = "public"', 'ip = "203.0.113.200"'),
    ),
    Life(
        "andromede_public_ip_association.it",
        "public-addresses",
        block("public_ip_association", "public_ip = andromede_public_ip.a.id", "port = andromede_port.card.id"),
        "",
        block(
            "public_ip_association",
            *("public_ip = andromede_public_ip.b.name", "port = andromede_port.card.name", 'mode = "routed"'),
        ),
        LAN
        + 'resource "andromede_port" "card" {\n  name = "card"\n  network = andromede_network.lan.id\n}\n'
        + "".join(PUBLIC % (name, name) for name in ("a", "b")),
    ),
    Life(
        "andromede_address_set.it",
        "address-sets",
        block("address_set", 'name = "one"', 'cidrs = ["192.0.2.0/24", "2001:DB8::/32"]'),
        block("address_set", 'name = "two"', 'cidrs = ["198.51.100.7"]', 'description = "Offices"'),
        "",
        "",
    ),
    Life(
        "andromede_volume_snapshot.it",
        "snapshots",
        block(
            "volume_snapshot",
            *('name = "one"', "volume = andromede_volume.a.id", 'consistency = "crash"', 'labels = { env = "test" }'),
        ),
        block(
            "volume_snapshot",
            *('name = "two"', 'volume = "a"', 'expires_at = "2099-01-01T13:00:00+01:00"', 'labels = { env = "prod" }'),
        ),
        block("volume_snapshot", 'name = "two"', "volume = andromede_volume.b.id"),
        "".join(SHARED % (name, name, "") for name in ("a", "b")),
    ),
    Life(
        "andromede_snapshot_schedule.it",
        "snapshot-schedules",
        block("snapshot_schedule", 'name = "one"', *WEEKLY, "volume = andromede_volume.a.id", "keep = 3"),
        block("snapshot_schedule", 'name = "two"', *MONTHLY, 'volume = "a"', 'timezone = "Europe/Paris"'),
        block("snapshot_schedule", 'name = "two"', *MONTHLY, 'selector = "env=prod"', "is_paused = true"),
        SHARED % ("a", "a", ""),
    ),
    Life(
        "andromede_volume_attachment.it",
        "",
        block("volume_attachment", *ATTACHED),
        "",
        block("volume_attachment", *ATTACHED, "is_read_only = true"),
        NEARBY,
    ),
    Life(
        "andromede_volume_attachment.it",
        "",
        block("volume_attachment", *ATTACHED, "share = true"),
        "",
        block("volume_attachment", *ATTACHED, "share = true", "is_read_only = true"),
        WEB % 'zones = ["fr-idf-1"]' + DATA % 'volume_type = "rbd-together"',
    ),
    Life(
        "andromede_public_ip_association.it",
        "public-addresses",
        block("public_ip_association", "public_ip = andromede_public_ip.a.id", "network = andromede_network.lan.id"),
        "",
        block("public_ip_association", "public_ip = andromede_public_ip.b.id", "network = andromede_network.lan.name"),
        LAN + "".join(PUBLIC % (name, name) for name in ("a", "b")),
    ),
]


@pytest.mark.parametrize("life", thinned(LIVES, keep_every=9), ids=lambda life: life.id)
def test_resource_is_created_updated_replaced_imported_and_destroyed(wide: Workspace, api: Api, life: Life) -> None:
    tf = wide
    tf.write(life.before + life.first).apply()
    tf.assert_no_changes()
    first = tf.state()[life.address]
    if life.updated:
        tf.write(life.before + life.updated)
        assert "updated in-place" in (planned := tf.plan())
        assert "must be replaced" not in planned
        tf.apply()
        tf.assert_no_changes()
        assert id_of(tf.state()[life.address]) == id_of(first)
    if life.replaced:
        tf.write(life.before + life.replaced)
        assert "must be replaced" in tf.plan()
        tf.apply()
        tf.assert_no_changes()
        assert id_of(tf.state()[life.address]) != id_of(first)
    import_into_nothing(tf)
    tf.destroy()
    assert life.kind == "" or api.get(life.kind)["items"] == []


@pytest.mark.nightly
def test_public_address_is_attached_to_an_instance_and_back_after_its_replacement(tf: Workspace, api: Api) -> None:
    web = LAN + WEB % '  networks = [andromede_network.lan.id]\n  zones    = ["fr-idf-1"]'
    association = block(
        "public_ip_association", "public_ip = andromede_public_ip.www.id", "instance = andromede_instance.web.id"
    )
    tf.write(web + PUBLIC % ("www", "www") + association).apply()
    tf.assert_no_changes()
    first = tf.state()["andromede_public_ip_association.it"]
    assert api.get("public-addresses/www")["instance"]["name"] == "web"
    tf.write(web.replace('"tiny"\n  networks', '"other"\n  networks') + PUBLIC % ("www", "www") + association).apply()
    assert tf.state()["andromede_public_ip_association.it"]["ip"] == first["ip"]
    assert api.get("public-addresses/www")["instance"]["id"] == tf.state()["andromede_instance.web"]["id"]
    api.post("public-addresses/www/actions/detach")
    assert "1 to add" in tf.plan()
    tf.destroy()
    assert api.get("public-addresses")["items"] == []


@pytest.mark.nightly
def test_volume_is_made_from_a_snapshot_and_replaced_with_another(tf: Workspace, api: Api) -> None:
    source = SHARED % ("data", "data", "")
    snapshots = TAKEN % ("first", "first") + TAKEN % ("second", "second")
    copy = SHARED % ("copy", "copy", "  snapshot = andromede_volume_snapshot.first.name")
    tf.write(source + snapshots + copy).apply()
    tf.assert_no_changes()
    made = tf.state()["andromede_volume.copy"]["id"]
    first = api.get("snapshots/first")["id"]
    assert api.get(f"volumes/{made}")["snapshot"] == first
    tf.write(source + snapshots + copy.replace("first.name", "first.id")).assert_no_changes()
    tf.write(source + snapshots + copy.replace("first.name", "second.id"))
    assert "must be replaced" in tf.plan()
    tf.apply()
    tf.assert_no_changes()
    assert tf.state()["andromede_volume.copy"]["id"] != made
    import_into_nothing(tf)
    tf.destroy()
    assert api.get("volumes")["items"] == api.get("snapshots")["items"] == []


@pytest.mark.nightly
def test_volume_moves_in_place_to_a_type_of_another_pool(tf: Workspace, api: Api) -> None:
    there = SHARED % ("data", "data", 'zones = ["fr-idf-1"]')  # the zone with the cluster
    tf.write(there.replace('"rbd"', '"local"')).apply()
    made = api.get("volumes/data")["id"]
    assert "updated in-place" in tf.write(there).plan()
    tf.apply()
    tf.assert_no_changes()
    moved = api.get("volumes/data")
    assert (moved["id"], moved["volume_type"]) == (made, "rbd")
    assert api.get(f"operations?resource={made}")["items"][0]["kind"] == "volume.move"
    tf.destroy()


@pytest.mark.nightly
def test_snapshot_that_expired_is_planned_anew(tf: Workspace, api: Api) -> None:
    snapshot = block("volume_snapshot", 'name = "one"', "volume = andromede_volume.data.id")
    tf.write(SHARED % ("data", "data", "") + snapshot).apply()
    api.delete_if_there("snapshots/one")
    assert "1 to add, 0 to change, 0 to destroy" in tf.plan()


def test_expiry_without_an_offset_is_refused(tf: Workspace) -> None:
    expiry = 'expires_at = "2099-01-01T13:00:00"'
    tf.write(SHARED % ("data", "data", "") + block("volume_snapshot", 'name = "one"', 'volume = "data"', expiry))
    assert "a date and time with its offset" in tf.refused()


def id_of(values: dict[str, Any]) -> Any:
    """Return the id; a resource that each project has once goes by the project."""
    return values.get("id") or values["project"]


def import_into_nothing(tf: Workspace) -> None:
    """All that there is, by id, into an empty state: then there is nothing to change."""
    known = tf.state()
    tf.forget()
    blocks = []
    for address, values in known.items():
        names = ("project", "organization", "instance", "service_account", "security_group", "id")
        if address.startswith("andromede_subnet"):
            names = ("project", "network", "id")
        reference = "/".join(values[name] for name in names if values.get(name))
        blocks.append(f'import {{\n  to = {address}\n  id = "{reference}"\n}}\n')
    tf.write("".join(blocks), name="import.tf")
    assert f"{len(known)} imported, 0 added, 0 changed, 0 destroyed" in tf.apply()
    tf.write("", name="import.tf").assert_no_changes()


def test_resource_is_imported_by_name_and_by_identity(tf: Workspace) -> None:
    tf.write(LAN + DATA % "").apply()
    known = tf.state()
    tf.forget()
    tf.run("import", "andromede_network.lan", "test/lan")
    identity = f'identity = {{ id = "{known["andromede_volume.data"]["id"]}" }}'
    tf.write(f"import {{\n  to = andromede_volume.data\n  {identity}\n}}\n", name="import.tf")
    assert "1 imported, 0 added, 0 changed, 0 destroyed" in tf.apply()
    tf.write("", name="import.tf").assert_no_changes()


def test_import_of_a_missing_resource_is_reported(tf: Workspace) -> None:
    tf.write(LAN)
    assert "There is no network 'nothing' here" in " ".join(tf.run("import", LAN_ADDRESS, "nothing", ok=(1,)).split())


LAN_ADDRESS = "andromede_network.lan"


def test_a_token_opens_the_api_and_is_never_printed(tf: Workspace) -> None:
    printed = tf.write(block("token", 'name = "ci"', 'role = "viewer"')).apply()
    secret = tf.state()["andromede_token.it"]["secret"]
    assert secret not in printed
    own = Api(tf.variables["ANDROMEDE_URL"], secret, project="test")
    assert own.get("networks")["items"] == []
    own.close()
    tf.destroy()


@pytest.mark.nightly
def test_an_ephemeral_token_lives_for_one_run(tf: Workspace, api: Api) -> None:
    tf.is_debugged = False
    tf.write(
        'ephemeral "andromede_token" "run" {\n  name = "run"\n  role = "viewer"\n}\n'
        'provider "andromede" {\n  alias = "run"\n  token = ephemeral.andromede_token.run.secret\n}\n'
        'data "andromede_zones" "all" {\n  provider = andromede.run\n}\n'
        'output "zones" {\n  value = data.andromede_zones.all.ids\n}\n'
    ).apply()
    assert "fr-idf-1" in tf.outputs()["zones"]
    assert "run" not in [token["name"] for token in api.get("tokens")["items"]]


@pytest.mark.nightly
def test_the_secret_of_a_webhook_is_rotated_and_never_by_an_import(tf: Workspace, api: Api) -> None:
    text = block("webhook", 'name = "ops"', 'url = "https://ops.example.org/a"', 'kinds = ["*"]', "secret_version = %d")
    printed = tf.write(text % 1).apply()
    first = tf.state()["andromede_webhook.it"]["secret"]
    assert first not in printed
    tf.write(text % 2).apply()
    tf.assert_no_changes()
    second = tf.state()["andromede_webhook.it"]
    assert second["secret"] not in (first, None)
    ends_at = api.get("webhooks/ops")["previous_secret_ends_at"]
    assert second["previous_secret_ends_at"] == ends_at
    tf.forget()
    tf.run("import", "andromede_webhook.it", "test/ops")
    tf.apply()
    assert api.get("webhooks/ops")["previous_secret_ends_at"] == ends_at
    assert tf.state()["andromede_webhook.it"]["secret"] is None
    tf.destroy()


def test_data_sources_read_resources(tf: Workspace) -> None:
    tf.write(
        'data "andromede_flavors" "some" {\n  min_memory_mib = 2000\n}\n'
        'data "andromede_images" "tiny" {\n  name = "tiny"\n}\n'
        'data "andromede_volume_types" "all" {}\n'
        'data "andromede_zones" "all" {\n  region = "fr-idf"\n}\n'
        'data "andromede_capacity" "here" {\n  zone   = "fr-idf-1"\n  flavor = "tiny"\n}\n'
        'data "andromede_placement_simulation" "no" {\n  vcpus = 1\n  zones = ["fr-idf-1"]\n'
        '  policy_atoms = jsonencode([{ id = "x", attr = "zone.id", op = "in", value = ["us-va-1"] }])\n}\n'
        'output "flavors" {\n  value = data.andromede_flavors.some.ids\n}\n'
        'output "images" {\n  value = data.andromede_images.tiny.images[*].name\n}\n'
        'output "volume_types" {\n  value = data.andromede_volume_types.all.ids\n}\n'
        'output "zones" {\n  value = data.andromede_zones.all.ids\n}\n'
        'output "fits" {\n  value = data.andromede_capacity.here.fits\n}\n'
        'output "simulation" {\n  value = data.andromede_placement_simulation.no\n}\n'
    ).apply()
    found = tf.outputs()
    assert found["flavors"] == ["medium", "large", "xlarge"]
    assert found["images"] == ["tiny"]
    assert "local" in found["volume_types"]
    assert {"fr-idf-1", "fr-idf-2"} <= set(found["zones"])
    assert found["fits"] > 0
    assert found["simulation"]["is_admitted"] is False
    assert found["simulation"]["explanation"]


def test_query_finds_resources_by_label(tf: Workspace) -> None:
    tf.write(LAN + DATA % 'labels = { env = "prod" }' + block("volume", 'name = "other"', "size_gib = 1")).apply()
    query = 'list "andromede_volume" "prod" {\n  provider = andromede\n  config {\n    labels = "env=prod"\n  }\n}\n'
    printed = tf.write(query, name="all.tfquery.hcl").run("query")
    assert tf.state()["andromede_volume.data"]["id"] in printed
    assert tf.state()["andromede_volume.it"]["id"] not in printed
    tf.destroy()


@pytest.mark.nightly
def test_a_reboot_is_an_action_with_progress(tf: Workspace, api: Api) -> None:
    tf.write(
        WEB % "" + 'action "andromede_instance_reboot" "web" {\n  config {\n'
        "    instance = andromede_instance.web.id\n  }\n}\n"
    ).apply()
    assert "instance.reboot is asked for" in tf.apply("-invoke=action.andromede_instance_reboot.web")
    assert [each["state"] for each in api.get("operations", kind="instance.reboot")["items"]] == ["succeeded"]
    tf.destroy()
