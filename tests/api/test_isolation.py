"""Tenant isolation and authorization on every route, from the URL table itself."""

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import time, timedelta
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver

from controlplane.announcers.models import Announcer
from controlplane.audit.models import EvidenceExport, EvidenceRecord
from controlplane.catalog.models import VolumeType, Zone
from controlplane.compliance.models import RemediationPlan
from controlplane.compute.models import Instance
from controlplane.config.urls import api_patterns
from controlplane.events.models import Event
from controlplane.identity.authorization_rules import TABLE
from controlplane.identity.authorization_terms import OWN
from controlplane.identity.models import Invitation, Organization, ServiceAccount
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.network.models import AddressPool, Port
from controlplane.nodes.models import Node, Orphan, Pool
from controlplane.operations.models import MaintenanceRule
from controlplane.placement.models import Classification, Exemption, PolicyProposal
from controlplane.quotas.models import QuotaRequest
from controlplane.storage.models import SnapshotSchedule, Volume
from controlplane.storage_clusters.models import StorageCluster
from controlplane.webhooks.models import Delivery
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.api.snapshots import make_snapshot
from tests.api.test_instances import KEY
from tests.world import Cloud

PROVIDER = "v1/terraform/providers/<str:namespace>/<str:terraform_provider>"
STATE = "v1/projects/<str:project>/terraform-states/<str:terraform_state>"
# Routes that anybody may use. This list may only shrink.
OPEN = {
    ("GET", "v1/healthz"),
    ("GET", "v1/openapi.json"),
    ("GET", "v1/problems/<str:code>"),
    ("GET", ".well-known/terraform.json"),
    ("GET", f"{PROVIDER}/versions"),
    ("GET", f"{PROVIDER}/<str:version>/download/<str:os>/<str:arch>"),
    ("GET", f"{PROVIDER}/<str:version>/files/<str:file>"),
    ("GET", ".well-known/jwks.json"),  # public keys, for third parties without an account
    # A user who signs in has no credential yet.
    ("POST", "v1/sessions"),
    ("POST", "v1/password/actions/set"),
    ("GET", "v1/openid-providers"),
    ("POST", "v1/passkey-sessions"),
    ("POST", "v1/passkey-sessions/actions/challenge"),
    ("POST", "v1/openid-providers/<str:provider>/sign-ins"),
    ("POST", "v1/openid-providers/<str:provider>/sessions"),
    ("POST", "v1/invitations/actions/accept"),  # with the invitation's own secret
}
# Routes that are about no project and that any credential may use. So may this one.
SHARED = {
    ("GET", "v1/me"),
    ("GET", "v1/projects"),
    ("GET", "v1/regions"),
    ("GET", "v1/zones"),
    ("GET", "v1/zones/<str:zone>"),
    ("GET", "v1/parties"),
    ("GET", "v1/parties/<str:party>"),
    ("GET", "v1/sets"),
    ("GET", "v1/facts"),
    ("GET", "v1/officer-keys"),
    ("GET", "v1/catalogue"),
    ("GET", "v1/transparency/jurisdictions"),
    ("GET", "v1/transparency/transfers"),
    ("GET", "v1/evidence/checkpoint"),
    ("GET", "v1/evidence/witness-request"),
    ("POST", "v1/evidence/cosignatures"),
    ("GET", "v1/flavors"),
    ("GET", "v1/volume-types"),
    ("GET", "v1/volume-types/<str:volume_type>"),
    ("GET", "v1/maintenance"),
    ("GET", "v1/maintenance/<str:maintenance>"),
}
# Routes that any credential may use; what they answer and take is the credential's own.
PERSONAL = {
    ("GET", "v1/organizations"),
    ("GET", "v1/tokens"),
    ("POST", "v1/tokens"),
    ("DELETE", "v1/tokens/<str:token>"),
    ("DELETE", "v1/me/duty"),
    ("GET", "v1/platform/policy"),
    ("GET", "v1/classifications"),
    ("GET", "v1/policy-proposals"),
    ("POST", "v1/policy-proposals"),
    ("POST", "v1/placement/simulations"),
    ("GET", "v1/drift"),
    ("GET", "v1/drift/images"),
    ("POST", "v1/policy/simulate"),
    ("GET", "v1/exemptions"),
    ("POST", "v1/exemptions"),
    ("GET", "v1/exemptions/report"),
    ("GET", "v1/evidence/records"),
    ("GET", "v1/evidence/export"),
    ("GET", "v1/zones/<str:zone>/capacity"),
    ("GET", "v1/events"),
    ("GET", "v1/events/stream"),
}
# Routes about the caller, for sessions alone: no API token, whatever its role, reaches them.
OF_SESSIONS = {
    ("GET", "v1/sessions"),
    ("GET", "v1/sessions/<str:session>"),
    ("DELETE", "v1/sessions/<str:session>"),
    ("POST", "v1/sessions/actions/verify"),
    ("POST", "v1/sessions/actions/end-others"),
    ("POST", "v1/password/actions/change"),
    ("GET", "v1/sign-in-methods"),
    ("POST", "v1/totp"),
    ("DELETE", "v1/totp"),
    ("POST", "v1/totp/actions/confirm"),
    ("POST", "v1/recovery-codes"),
    ("POST", "v1/openid-providers/<str:provider>/links"),
    ("POST", "v1/openid-providers/<str:provider>/identities"),
    ("GET", "v1/identities"),
    ("GET", "v1/passkeys"),
    ("POST", "v1/passkeys"),
    ("POST", "v1/passkeys/actions/challenge"),
    ("DELETE", "v1/passkeys/<str:passkey>"),
    ("DELETE", "v1/identities/<str:identity>"),
    ("GET", "v1/password-resets"),
    ("GET", "v1/password-resets/<str:reset>"),
    ("DELETE", "v1/password-resets/<str:reset>"),
}
# What a path may name that is nobody's or the asker's own.
NAMES = {
    "zone": "fr-idf-1",
    "party": "acme",
    "officer_key": "ada",
    "node": "node-1",
    "session": "current",
    "provider": "staff",
    "identity": "x",
    "passkey": "x",
    "reset": "x",
    "version": "1",
    "namespace": "andromede",
    "terraform_provider": "andromede",
    "os": "linux",
    "arch": "amd64",
    "file": "SHA256SUMS",
    "code": "unauthenticated",
}
HOUR = timedelta(hours=1)
# As long as an id, so that answers that name it are.
LEDGER = "ledger".ljust(36, "x")
PROJECT = "v1/projects/<str:project>"
ORGANIZATION = "v1/organizations/<str:organization>"
# Routes about something of an organization that the path names without it.
OWNED = (
    "v1/classifications/<str:classification>",
    "v1/policy-proposals/<str:proposal>",
    "v1/exemptions/<str:exemption>",
    "v1/evidence-exports/<str:export>",
)
# Routes that make in any project what their path names.
MADE_BY_NAME = {("POST", STATE), ("POST", f"{STATE}/actions/lock")}
# Routes about something of a project that the path names without it, and that everybody who sees the project may use.
OF_RESOURCES_AT = ("v1/resources/<str:resource>", "v1/evidence/records/<str:record>")


@dataclasses.dataclass(frozen=True)
class Route:
    method: str
    path: str
    body: str | None = dataclasses.field(default=None, compare=False)
    operation_id: str = dataclasses.field(default="", compare=False)
    own_transactions: str = dataclasses.field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    def url(self, names: dict[str, str]) -> str:
        return "/" + re.sub(r"<str:(\w+)>", lambda match: names[match[1]], self.path)


def routes(patterns: Any = None, prefix: str = "") -> Iterator[Route]:
    for pattern in patterns if patterns is not None else api_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            view = pattern.callback.view_class  # type: ignore[attr-defined]
            for method in ("get", "post", "put", "patch", "delete"):
                if hasattr(view, method):
                    route = getattr(view, method).route
                    body = json.dumps(route.body.example) if route.body else None
                    yield Route(method.upper(), path, body, route.operation_id, route.own_transactions)


ALL = list(routes())
CLOSED = [route for route in ALL if route.key not in OPEN]
OF_PROJECTS = [route for route in ALL if route.path.startswith(PROJECT)]
OF_ORGANIZATIONS = [route for route in ALL if route.path.startswith((ORGANIZATION, *OWNED))]
OF_RESOURCES = [route for route in ALL if route.path.startswith(OF_RESOURCES_AT)]
OF_OPERATORS = [
    route
    for route in CLOSED
    if route not in OF_PROJECTS + OF_ORGANIZATIONS + OF_RESOURCES and route.key not in SHARED | PERSONAL | OF_SESSIONS
]


def export_of(organization: Organization) -> str:
    now = clock.now()
    return str(EvidenceExport.objects.create(organization=organization, start=now - timedelta(days=1), end=now).pk)


def webhook_of(api: Caller) -> dict[str, str]:
    webhook = api.post("webhooks", {"name": "ops", "url": "https://ops.example.org/", "kinds": ["*"]}).body["id"]
    event = Event.objects.order_by("-number")[0]
    delivery = Delivery.objects.create(webhook_id=webhook, event=event, due_at=clock.now())
    return {"webhook": webhook, "delivery": str(delivery.pk)}


def exemption_for(instance: Instance) -> str:
    created = Exemption.objects.create(
        project=instance.project,
        resource_ids=[instance.pk],
        op="instance.start",
        zone="fr-idf-1",
        waived=[],
        reason="fire",
        requested_by=new_id(),
        not_before=clock.now(),
        expires_at=clock.now() + timedelta(hours=1),
    )
    return str(created.pk)


def people_of(organization: Organization) -> dict[str, str]:
    account = ServiceAccount.objects.create(organization=organization, name="ci")
    invitation = Invitation.objects.create(
        organization=organization, email="bob@example.org", role="viewer", sha256=b"", expires_at=clock.now() + HOUR
    )
    return {"service_account": str(account.pk), "invitation": str(invitation.pk)}


def quota_request_of(organization: Organization) -> str:
    more = QuotaRequest.objects.create(organization=organization, dimension="vcpus", limit=10**6, reason="load test")
    return str(more.pk)


def orphan_on(node: Node) -> str:
    """Create the orphan with the name that the example of a discard has."""
    created = Orphan.objects.create(node=node, kind="file", name="volumes/left-behind.raw", observed_at=clock.now())
    return str(created.pk)


def pool_near(node: Node) -> str:
    created = Pool.objects.create(name="shared", zone=node.zone, uuid=new_id(), path="/srv/shared", capacity_gib=100)
    return str(created.pk)


def snapshots_of(volume: Volume) -> dict[str, str]:
    """A snapshot and a schedule of the volume."""
    times = {"frequency": "daily", "at": time(2, 30), "timezone": "UTC"}
    schedule = SnapshotSchedule.objects.create(project=volume.project, name="nightly", volume=volume, keep=7, **times)
    snapshot = make_snapshot(volume, pool=Pool.objects.get())
    return {"snapshot": str(snapshot.pk), "snapshot_schedule": str(schedule.pk)}


def announcer_of(zone: Zone) -> str:
    return str(Announcer.objects.create(name="announcer-9", zone=zone, address="10.0.7.19:7445").pk)


def cluster_of(zone: Zone) -> str:
    return str(StorageCluster.objects.create(name="ceph-9", zone=zone, address="10.0.7.29:7447").pk)


def proposal_of(organization: Organization) -> str:
    fields = {"base_version": 0, "change": "looser", "clauses": [], "proposed_by": new_id()}
    return str(PolicyProposal.objects.create(level="organization", organization=organization, **fields).pk)


def network_of(cloud: Cloud) -> dict[str, str]:
    """A network with its parts."""
    network = cloud.network
    return {
        "network": str(network.pk),
        "subnet": str(network.subnets.get().pk),
        "port": str(Port.objects.filter(network=network)[:1].get().pk),
    }


@pytest.fixture
def names(api: Caller, cloud: Cloud, instance: Instance) -> dict[str, str]:
    """A real thing of alpha's for every name in every path."""
    finish(api.post("volumes", {"name": "data", "size_gib": 1}))
    attachment = finish(api.post("instances/web/attachments", {"volume": "data"}))
    api.post(f"terraform-states/{LEDGER}", {"version": 4, "serial": 1})
    organization = cloud.tenant.project.organization
    secret = Classification.objects.create(id="alpha-org.secret", organization=organization)
    plan = RemediationPlan.objects.create(
        project=cloud.tenant.project, items=[], resource_ids=[], notify_by=clock.now(), deadline_at=clock.now()
    )
    maintenance = MaintenanceRule.objects.create(
        pattern="image.import", action="accept", reason="nothing", begins_at=clock.now()
    )
    return NAMES | {
        "orphan": orphan_on(Node.objects.get()),
        **of_zone(Node.objects.get()),
        **people_of(organization),
        "member": str(cloud.tenant.actor.user_id),
        **webhook_of(api),
        "export": export_of(organization),
        "quota_request": quota_request_of(organization),
        "exemption": exemption_for(instance),
        "plan": str(plan.pk),
        "resource": str(instance.pk),
        "record": str(EvidenceRecord.objects.filter(project_id=cloud.tenant.project.pk).first().pk),  # type: ignore[union-attr]
        "project": str(cloud.tenant.project.pk),
        "instance": str(instance.pk),
        "volume": attachment["volume"]["id"],
        **snapshots_of(Volume.objects.get()),
        "attachment": attachment["id"],
        **network_of(cloud),
        **groups_of(api),
        **address_of(api),
        "volume_type": VolumeType.objects.create(pk=str(new_id()), organization_ids=[organization.pk]).pk,
        "ssh_key": api.post("ssh-keys", {"name": "laptop", "public_key": KEY}).body["id"],
        "image": api.post("images", {"name": "mine", "format": "qcow2"}).body["id"],
        "token": str(cloud.tenant.actor.credential_id),
        "maintenance": str(maintenance.pk),
        "operation": api.get("operations").body["items"][0]["id"],
        "decision": api.get("instances/web/placement").body["id"],
        "organization": str(organization.pk),
        "classification": secret.pk,
        "proposal": proposal_of(organization),
        "zone": "fr-idf-1",
        "party": "acme",
        "officer_key": "ada",
        "terraform_state": LEDGER,
        "node": "node-1",
        "user": str(cloud.tenant.actor.user_id),
    }


def of_zone(node: Node) -> dict[str, str]:
    """A pool, an announcer and a storage cluster."""
    return {"pool": pool_near(node), "announcer": announcer_of(node.zone), "cluster": cluster_of(node.zone)}


def groups_of(api: Caller) -> dict[str, str]:
    """An affinity group, a security group with a rule, and an address set."""
    affinity = api.post("affinity-groups", {"name": "apart", "rule": "anti-affinity"}).body["id"]
    group = api.post("security-groups", {"name": "web"}).body["id"]
    rule = api.post(f"security-groups/{group}/rules", {"direction": "in", "protocol": "icmp"}).body["id"]
    ranges = api.post("address-sets", {"name": "offices", "cidrs": ["192.0.2.0/24"]}).body["id"]
    return {"affinity_group": affinity, "security_group": group, "rule": rule, "address_set": ranges}


def address_of(api: Caller) -> dict[str, str]:
    """A pool, and an address of it."""
    zone = Node.objects.order_by("name")[:1].get().zone
    pool = AddressPool.objects.create(
        name="public", zone=zone, family="ipv4", purpose="addresses", cidrs=["203.0.113.0/24"]
    )
    address = api.post("public-addresses", {"name": "www", "pool": "public"}).body["id"]
    return {"address_pool": str(pool.pk), "public_address": address}


def ask(caller: Caller, route: Route, names: dict[str, str]) -> tuple[int, str]:
    """With a body that is right, if it takes one."""
    data = (route.body or "").encode()
    answer = caller.send(route.method, route.url(names), data, content_type="application/json")
    return answer.status, answer.body["code"] if answer.status >= 400 else ""


def may(route: Route, role: str) -> bool:
    roles = TABLE[route.operation_id].roles
    return role in roles or roles >= OWN


def test_route_lists_of_the_table_are_complete() -> None:
    assert len(ALL) > 60
    assert set(OPEN | SHARED) <= {route.key for route in ALL}
    assert {route.path.split("/")[1] for route in OF_OPERATORS} == {
        *("address-pools", "public-addresses", "public-address-uses"),
        "nodes",
        "facts",
        "officer-keys",
        "platform",
        "users",
        "organizations",
        "audit",
        "incidents",
        "announcers",
        "storage-clusters",
        "volume-types",
        "pools",
        "operations",
        "maintenance",
        "instances",
        "drains",
        "orphans",
        "password-resets",
    }


def test_the_owner_reaches_every_resource(api: Caller, names: dict[str, str]) -> None:
    """A 404 for another caller is then about the caller and not about the path."""
    for route in OF_PROJECTS:
        if route.method == "GET":
            assert ask(api, route, names) == (200, ""), route


def test_route_without_a_valid_credential_is_refused(names: dict[str, str]) -> None:
    for token in (None, "", "nobody", "a" * 300, "alpha alpha", "é"):
        for route in CLOSED:
            assert ask(Caller(token=token), route, names) == (401, "unauthenticated"), (token, route)


def test_foreign_credential_finds_no_resource(stranger: Caller, names: dict[str, str]) -> None:
    for route in OF_PROJECTS:
        assert ask(stranger, route, names) == (404, "identity.project.not_found"), route
        assert ask(stranger, route, names | {"project": "alpha"}) == (404, "identity.project.not_found"), route


def test_foreign_resource_is_not_found_under_an_own_project(stranger: Caller, names: dict[str, str]) -> None:
    """The other caller knows the id."""
    for route in OF_PROJECTS:
        named = re.findall(r"<str:(\w+)>", route.path)
        if named != ["project"] and route.key not in MADE_BY_NAME:
            status, _ = ask(stranger, route, names | {"project": "beta"})
            assert status == 404, route


def test_foreign_organization_is_not_found(stranger: Caller, names: dict[str, str]) -> None:
    """A route that the role alone forbids gets that answer, whether the organization exists or not."""
    nothing = {name: "0190a000-0000-7000-8000-000000000000" for name in names}
    for route in OF_ORGANIZATIONS:
        status, code = ask(stranger, route, names)
        is_forbidden = route.path.startswith(OWNED) and not may(route, "member")
        assert (status, code.endswith(".not_found")) == ((403, False) if is_forbidden else (404, True)), route
        assert (status, code) == ask(stranger, route, nothing), route


def test_foreign_evidence_is_not_found(stranger: Caller, names: dict[str, str]) -> None:
    for route in OF_RESOURCES:
        assert ask(stranger, route, names) == (404, "evidence.record.not_found"), route


def test_lists_contain_no_foreign_resources(api: Caller, stranger: Caller, names: dict[str, str]) -> None:
    for path in ("/v1/exemptions", "/v1/evidence/records"):
        assert api.get(path).body["items"], "there is something to see"
        assert stranger.get(path).body["items"] == []


def test_organization_policies_are_read_by_members_written_by_officers(
    api: Caller, viewer: Caller, names: dict[str, str]
) -> None:
    for caller, role in ((api, "member"), (viewer, "viewer")):
        for route in OF_ORGANIZATIONS:
            if not may(route, role):
                assert ask(caller, route, names) == (403, "identity.role_needed"), route
            elif TABLE[route.operation_id].is_of_organization:
                assert ask(caller, route, names) == (403, "identity.scope_needed"), route
            else:  # a service's rule may be finer: whose policy a member may change
                expected = (200, "") if route.method == "GET" else (403, "identity.role_needed")
                assert ask(caller, route, names) == expected, route


def test_foreign_resource_cannot_be_referenced(stranger: Caller, names: dict[str, str]) -> None:
    mine = dataclasses.replace(stranger, project="beta")
    web = {"name": "web", "flavor": "tiny", "image": "tiny"}
    for field, name in (("networks", "network"), ("volumes", "volume"), ("ssh_keys", "ssh_key")):
        answer = mine.post("instances", web | {field: [names[name]]})
        assert (answer.status, answer.problem[2]) == (422, f"/{field}/0")
    for field, name in (("image", "image"), ("affinity_group", "affinity_group")):
        answer = mine.post("instances", web | {field: names[name]})
        assert (answer.status, answer.problem[2]) == (422, f"/{field}")
    answer = mine.post("volumes", {"name": "data", "size_gib": 1, "near_instance": names["instance"]})
    assert (answer.status, answer.problem[2]) == (422, "/near_instance")


def test_foreign_network_gets_no_egress_address(stranger: Caller, names: dict[str, str]) -> None:
    mine = dataclasses.replace(stranger, project="beta")
    assert mine.post("public-addresses", {"name": "out", "pool": "public"}).status == 201
    for holder in ("network", "port"):
        answer = mine.post("public-addresses/out/actions/attach", {holder: names[holder]})
        assert (answer.status, answer.problem[2]) == (422, f"/{holder}")


def test_a_viewer_reads_and_writes_nothing(viewer: Caller, names: dict[str, str]) -> None:
    for route in OF_PROJECTS:
        is_open = "viewer" in TABLE[route.operation_id].roles
        success = 201 if route.operation_id == "instance_console_open" else 200
        expected = (success, "") if is_open else (403, "identity.role_needed")
        assert ask(viewer, _about_ours(route, names), names) == expected, route


def _about_ours(route: Route, names: dict[str, str]) -> Route:
    """Return the route with a question about the instance of these names; the example names another one."""
    if route.operation_id != "reachability_check":
        return route
    question = {"source": {"outside": True}, "target": {"instance": names["instance"]}}
    return dataclasses.replace(route, body=json.dumps(question))


def test_own_account_routes_need_a_session(api: Caller, operator: Caller, names: dict[str, str]) -> None:
    of_sessions = [route for route in ALL if route.key in OF_SESSIONS]
    assert len(of_sessions) == len(OF_SESSIONS)
    for route in of_sessions:
        for caller in (api, operator):
            assert ask(caller, route, names) == (403, "signin.session_needed"), route


def test_operator_routes_are_refused_to_tenants(api: Caller, names: dict[str, str]) -> None:
    for route in OF_OPERATORS:
        assert ask(api, route, names) == (403, "identity.role_needed"), route
