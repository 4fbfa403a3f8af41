"""Tickets of tunnels: who gets one, for which address and port."""

import pytest
from pytest_django import Settings

from controlplane.audit.models import RequestRecord
from controlplane.compute import guest_sessions
from controlplane.compute.errors import TicketUnknown
from controlplane.compute.guest_sessions import Kind
from controlplane.compute.models import Instance
from controlplane.identity.models import ApiToken
from controlplane.network.models import Port
from controlplane.placement.policies import policy_set
from tests.api.client import Caller
from tests.api.test_instances import WEB
from tests.api.tokens import make_token
from tests.cases import in_one_cloud
from tests.world import Cloud

TUNNELS = "instances/web/tunnels"


def test_ticket_names_the_address_and_the_port(api: Caller, instance: Instance) -> None:
    answer = api.post(TUNNELS, {"tcp_port": 8080})
    port = Port.objects.get(instance_id=instance.pk)
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
    assert (answer.body["address"], answer.body["tcp_port"]) == (port.ip, 8080)
    secret = answer.body["url"].removeprefix("/v1/tunnels/")
    session = guest_sessions.redeem_ticket(secret)
    assert (str(session.id), session.instance_id, session.kind) == (answer.body["id"], instance.pk, Kind.TCP)
    assert (session.port_id, session.address, session.tcp_port) == (port.pk, port.ip, 8080)
    with pytest.raises(TicketUnknown):
        guest_sessions.redeem_ticket(secret)
    (record,) = RequestRecord.objects.filter(verb="instance_tunnel_open")
    assert instance.pk in record.resource_ids
    assert secret not in str(record.__dict__)


def test_port_of_ssh_is_the_default(api: Caller, instance: Instance, settings: Settings) -> None:
    settings.STREAM_URL = "wss://stream.example"
    answer = api.post(TUNNELS, {})
    assert answer.body["tcp_port"] == 22
    assert answer.body["url"].startswith("wss://stream.example/v1/tunnels/")


def test_network_chooses_the_card(api: Caller, instance: Instance) -> None:
    assert api.post(TUNNELS, {"network": "lan"}).status == 201
    assert api.post(TUNNELS, {"network": "nowhere"}).problem == (422, "network.not_found", "/network")
    api.post("networks", {"name": "other", "cidr": "10.31.0.0/24"})
    refused = api.post(TUNNELS, {"network": "other"})
    assert refused.problem == (409, "compute.tunnel.address_missing", None)


@in_one_cloud("tcp_port", [0, -1, 65536, 1.5, "22", True, None])
def test_invalid_port_is_refused_by_name(api: Caller, instance: Instance, tcp_port: object) -> None:
    answer = api.post(TUNNELS, {"tcp_port": tcp_port})
    assert (answer.status, answer.problem[2]) == (400, "/tcp_port")


def test_only_members_open_tunnels(
    api: Caller, viewer: Caller, operator: Caller, cloud: Cloud, instance: Instance
) -> None:
    """A viewer may watch a console; a tunnel cannot be read-only."""
    officer = Caller(make_token(cloud.tenant.project, role="sovereignty_officer"), "alpha")
    for caller in (viewer, operator, officer):
        assert caller.post(TUNNELS, {}).problem == (403, "identity.role_needed", None)
    narrow = Caller(make_token(cloud.tenant.project, role="member"), "alpha")
    tokens = ApiToken.objects.filter(user__email="member-alpha@example.org")
    tokens.update(kinds=["consoles"])
    assert narrow.post(TUNNELS, {}).problem == (403, "identity.scope_needed", None)
    tokens.update(kinds=["tunnels"])
    assert narrow.post(TUNNELS, {}).status == 201


def test_guest_that_does_not_run_has_no_tunnel(api: Caller, instance: Instance) -> None:
    Instance.objects.update(power_state="off")
    assert api.post(TUNNELS, {}).problem == (409, "compute.console.not_running", None)
    api.post("instances", WEB | {"name": "waits", "networks": ["lan"]})
    assert api.post("instances/waits/tunnels", {}).problem == (409, "placement.no_allocation", None)


def test_policy_about_consoles_applies_to_tunnels(api: Caller, cloud: Cloud, instance: Instance) -> None:
    elsewhere = {"id": "con", "attr": "zone.id", "op": "in", "value": ["us-va-1"], "roles": ["console"]}
    policy_set(cloud.tenant.actor, clauses=[elsewhere], project=cloud.tenant.project)
    assert api.post(TUNNELS, {}).problem[:2] == (422, "policy_unsatisfiable")


def test_dry_run_stores_no_ticket(api: Caller, instance: Instance) -> None:
    answer = api.post(f"{TUNNELS}?dry_run=true", {})
    assert answer.status == 200
    with pytest.raises(TicketUnknown):
        guest_sessions.redeem_ticket(answer.body["url"].removeprefix("/v1/tunnels/"))


def test_instance_without_a_network_has_no_tunnel(api: Caller, instance: Instance) -> None:
    Port.objects.all().delete()
    answer = api.post(TUNNELS, {})
    assert answer.problem == (409, "compute.tunnel.address_missing", None)
