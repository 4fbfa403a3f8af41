"""A policy on every path, with real parts: placement, permits at the node, libvirt's hook, drift, and evidence."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest

from agents.lab import LabNode
from agents.node.adapters.interfaces import guest_name
from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from andromede_core.documents.canonical import dumps
from andromede_sdk import ApiError
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.polling import wait_until
from tests.agents.on_libvirt.test_hook import STRANGER
from tests.cloud import officer
from tests.cloud.conftest import Tenant
from tests.limits import PATIENCE_S
from tests.pki import node_dns_name

pytestmark = pytest.mark.lab

ZONE, NODE = "fr-idf-1", "ta"
POLICY = [
    {"id": "snc", "op": "holds", "scheme": "SecNumCloud", "min_version": "3.2", "scope": "iaas"},
    {"id": "ours", "attr": "zone.id", "op": "in", "value": ["fr-idf-1", "de-rhein-1"]},
]
# A drift sweep is due every ten seconds; the promise is a minute.


@pytest.fixture(scope="module")
def ministry(real_tenant: Tenant) -> Iterator[Tenant]:
    """A project whose policy admits one of the two zones."""
    cloud = real_tenant.cloud
    token, _ = cloud.make_project("ministry")
    api = Api(cloud.stack.url, token, project="ministry")
    api.post("ssh-keys", {"name": "key", "public_key": cloud.make_ssh_key(real_tenant.key)})
    api.post("networks", {"name": "lan", "cidr": "10.21.0.0/24"})
    api.put("policy", {"atoms": POLICY, "reason": "what the ministry demands"})
    yield Tenant(cloud, api, real_tenant.operator, real_tenant.key)
    api.close()


@pytest.fixture
def tenant(ministry: Tenant) -> Iterator[Tenant]:
    """Everything runs at the beginning; nothing is left at the end."""
    ministry.cloud.repair()
    ministry.wait_for_nodes()
    yield ministry
    ministry.cloud.repair()
    ministry.assert_clean_slate()


def make(tenant: Tenant, name: str, **more: object) -> dict[str, Any]:
    """An instance that runs."""
    ended = tenant.api.wait(tenant.create(name, **more)["operation"])  # type: ignore[arg-type]
    assert ended["state"] == "succeeded", ended
    return dict(tenant.api.get(f"instances/{name}"))


def act(tenant: Tenant, name: str, action: str) -> None:
    ended = tenant.api.wait(tenant.api.post(f"instances/{name}/actions/{action}")["operation"])
    assert ended["state"] == "succeeded", ended


def refusal(tenant: Tenant, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    with pytest.raises(ApiError) as refused:
        tenant.api.post(path, body)
    return dict(refused.value.raw)


def create_body(name: str, **more: object) -> dict[str, Any]:
    return {"name": name, "flavor": "tiny", "image": "tiny", "networks": ["lan"], **more}


def node_of(cloud: Cloud) -> LabNode:
    return cloud.node(NODE)


def virsh_fails(node: LabNode, *arguments: str, stdin: str | None = None) -> str:
    done = node.exec(["virsh", *arguments], stdin=stdin, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def wait_for_drift(tenant: Tenant, state: str, *names: str) -> None:
    wanted = {tenant.api.get(f"instances/{name}")["id"] for name in names}

    def is_so() -> bool:
        rows = tenant.api.get("/v1/drift", limit="200")["items"]
        return {row["resource_id"] for row in rows if row["state"] == state} >= wanted

    wait_until(is_so, limit_s=PATIENCE_S, every_s=0.5)


# ---- placement


def test_guest_is_placed_in_the_admitted_zone_and_a_refusal_is_explained(tenant: Tenant) -> None:
    assert make(tenant, "home")["zone"] == ZONE
    problem = refusal(tenant, "instances", create_body("abroad", zones=["de-rhein-1"]))
    assert (problem["status"], problem["code"]) == (422, "policy_unsatisfiable")
    assert "Not certified (project/snc): de-rhein-1 (SecNumCloud)." in problem["detail"]
    assert f"Request one of these zones instead: {ZONE}." in problem["detail"]
    decision = tenant.api.get(f"decisions/{problem['placement_decision']}")
    assert "CERT_MISSING" in json.dumps(decision)


# ---- the node


def test_guest_is_not_started_by_hand(tenant: Tenant) -> None:
    # To libvirt a guest whose start was refused has failed, and by default such a one is started again, under a permit.
    guest = guest_name(UUID(make(tenant, "guarded", restart_policy="never")["id"]))
    node = node_of(tenant.cloud)
    assert "was never told of" in virsh_fails(node, "create", "/dev/stdin", stdin=STRANGER)
    node.exec(["virsh", "destroy", guest])
    assert "no permit is in force for it" in virsh_fails(node, "start", guest)
    wait_until(lambda: tenant.api.get("instances/guarded")["state"] == "stopped")
    act(tenant, "guarded", "start")
    act(tenant, "guarded", "power-off")
    assert "is not wanted running" in virsh_fails(node, "start", guest)
    assert node.guest_pids() == []


@pytest.mark.nightly
def test_operation_waits_for_the_signer_and_continues(tenant: Tenant) -> None:
    stack = tenant.cloud.stack
    stack.kill("signer")
    operation: Any = tenant.create("patient")["operation"]
    steps = f"operations/{operation['id']}"
    wait_until(lambda: "waits for the signer" in json.dumps(tenant.api.get(steps)["steps"]))
    node = node_of(tenant.cloud)
    assert node.exec(["virsh", "list", "--all", "--name"]).stdout.split() == []
    assert list((node.agent_folder / "volumes").glob("*")) == []
    stack.start_process("signer")
    assert tenant.api.wait(operation)["state"] == "succeeded"
    # The node's last report: one from before the start may come after the end of the operation.
    wait_until(lambda: tenant.api.get("instances/patient")["power_state"] == "running")


def test_the_most_sensitive_data_needs_a_second_signature(tenant: Tenant) -> None:
    stack = tenant.cloud.stack
    stack.kill("sentinel")
    operation: Any = tenant.create("secret", classifications=["etat-sensible"])["operation"]
    steps = f"operations/{operation['id']}"
    wait_until(lambda: "waits for the sentinel" in json.dumps(tenant.api.get(steps)["steps"]))
    ((document,),) = tenant.query(
        "SELECT document FROM placement_permit WHERE operation_id = %s AND state = 'cosigning'", operation["id"]
    )
    assert refusal_of_node(tenant, document) == "agent.permit.not_cosigned"
    stack.start_process("sentinel")
    assert tenant.api.wait(operation)["state"] == "succeeded"


def test_unused_permit_ends_with_its_facts(tenant: Tenant) -> None:
    cloud = tenant.cloud
    os.kill(cloud.agent_pid(NODE), 9)
    created = tenant.api.post("volumes", {"name": "papers", "size_gib": 1})

    def permits() -> list[tuple[Any, ...]]:
        signed = "placement_permit WHERE operation_id = %s AND state = 'signed' ORDER BY created_at"
        return tenant.query(f"SELECT id, document FROM {signed}", created["operation"]["id"])

    wait_until(lambda: bool(permits()))
    (old, document), *_ = permits()
    officer.state(cloud.stack, {"subject_kind": "zone", "subject_id": ZONE, "attribute": "ual", "value": 3})
    cloud.start_agent(NODE)
    assert tenant.api.wait(created["operation"])["state"] == "succeeded"
    used = {jti for (jti,) in tenant.query("SELECT DISTINCT jti FROM nodes_receipt WHERE jti IS NOT NULL")}
    later = {jti for jti, _ in permits()} - {old}
    assert old not in used
    wait_until(lambda: bool(later & {row[0] for row in tenant.query("SELECT jti FROM nodes_receipt")}))
    assert refusal_of_node(tenant, document) == "agent.permit.revoked_by_epoch"


def refusal_of_node(tenant: Tenant, document: bytes) -> str:
    """Return the node's refusal of a call with the worker's certificate and this permit."""
    permit = json.loads(document)["p"]
    ((policies,),) = tenant.query(
        "SELECT document FROM placement_policydocument WHERE digest = %s", permit["policy_digest"]
    )
    pki = tenant.cloud.stack.var / "pki"
    credentials = grpc.ssl_channel_credentials(
        *((pki / name).read_bytes() for name in ("ca.crt", "worker.key", "worker.crt"))
    )
    options = [("grpc.ssl_target_name_override", node_dns_name(UUID(permit["aud"])))]
    request = pb.EnsureVolumeRequest(
        subject=pb.Subject(id=permit["resource"], generation=permit["gen"]),
        permit=pb.Permit(document=document, policies=dumps(policies)),
        size_bytes=2**30,
    )
    with (
        grpc.secure_channel(tenant.cloud.agent_address(NODE), credentials, options=options) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        AgentStub(channel).EnsureVolume(request, timeout=PATIENCE_S)
    return str(dict(refused.value.trailing_metadata())["andromede-code"])  # type: ignore[attr-defined]


@pytest.fixture
def unguarded(tenant: Tenant) -> Iterator[LabNode]:
    """The node, whose hook somebody has removed; at the end it is as it was."""
    node = node_of(tenant.cloud)
    content = node.hook.read_bytes()
    node.hook.unlink()
    yield node
    node.exec(["virsh", "destroy", "stranger"], check=False)
    node.hook.write_bytes(content)
    node.hook.chmod(0o755)
    node.kill_libvirtd()
    node.start_libvirtd()
    wait_until(lambda: not is_cordoned(tenant), limit_s=PATIENCE_S)


def is_cordoned(tenant: Tenant) -> bool:
    return bool(tenant.operator.get(f"/v1/nodes/{NODE}")["is_cordoned"])


def incidents(tenant: Tenant) -> set[tuple[str, str]]:
    rows = "nodes_incident AS i JOIN nodes_node AS n ON n.id = i.node_id WHERE n.name = %s AND i.ended_at IS NULL"
    return {(kind, name) for kind, name in tenant.query(f"SELECT i.kind, i.name FROM {rows}", NODE)}


def test_node_without_its_hook_is_cordoned_and_reports_incidents(tenant: Tenant, unguarded: LabNode) -> None:
    wait_until(lambda: is_cordoned(tenant), limit_s=PATIENCE_S)
    assert {kind for kind, _ in incidents(tenant)} == {"hook"}
    problem = refusal(tenant, "instances", create_body("late"))
    assert f"Nodes in {ZONE} are closed to new placements for maintenance." in problem["detail"]
    unguarded.exec(["virsh", "create", "/dev/stdin"], stdin=STRANGER)
    wait_until(lambda: ("unknown-domain", "stranger") in incidents(tenant), limit_s=PATIENCE_S)
    recorded = "SELECT count(*) FROM audit_evidencerecord WHERE kind = 'incident' AND document LIKE '%%stranger%%'"
    assert tenant.query(recorded) == [(1,)]


# ---- drift


@contextmanager
def withdrawn(cloud: Cloud, scheme: str) -> Iterator[None]:
    """The issuer has withdrawn the zone's certificate; at the end it is as it was."""
    before = officer.certificates(cloud.stack, ZONE)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    after = [
        {**each, "status": "withdrawn", "status_since": now} if each["scheme"] == scheme else each for each in before
    ]
    about = {"subject_kind": "zone", "subject_id": ZONE, "attribute": "certifications"}
    officer.state(cloud.stack, {**about, "value": after})
    try:
        yield
    finally:
        officer.state(cloud.stack, {**about, "value": before})


def plans(tenant: Tenant) -> list[dict[str, Any]]:
    return list(tenant.api.get("remediation-plans", state="proposed")["items"])


def test_withdrawn_certificate_marks_drift_and_stops_no_guest(tenant: Tenant) -> None:
    make(tenant, "runs")
    make(tenant, "off")
    act(tenant, "off", "power-off")
    (pid,) = node_of(tenant.cloud).guest_pids()
    with withdrawn(tenant.cloud, "SecNumCloud"):
        wait_for_drift(tenant, "drifted", "runs", "off")
        for path, body in (
            ("instances/off/actions/start", None),
            ("instances/off/actions/resize", {"flavor": "small"}),
            ("instances/runs/actions/reboot", None),
            ("instances", create_body("new")),
        ):
            problem = refusal(tenant, path, body)
            assert problem["code"] == "policy_unsatisfiable", path
            assert "The certificate was withdrawn" in problem["detail"], path
        wait_until(lambda: plans(tenant) != [])  # the sweep commits before the plans are written
        (plan,) = plans(tenant)
        assert {item["kind"] for item in plan["items"]} == {"instance"}
        assert node_of(tenant.cloud).guest_pids() == [pid]
        # The node's last report: one from before the start may come after the end of the operation.
        wait_until(lambda: tenant.api.get("instances/runs")["power_state"] == "running")
    wait_for_drift(tenant, "compliant", "runs", "off")
    act(tenant, "off", "start")


# ---- evidence


def test_residency_is_proven_and_a_changed_export_is_refused(tenant: Tenant, tmp_path: Path) -> None:
    instance = make(tenant, "witnessed")

    def intervals() -> list[dict[str, Any]]:
        return list(tenant.api.get(f"/v1/resources/{instance['id']}/residency")["intervals"])

    def present_states() -> set[str]:
        """Return the states of the present intervals. A permit that facts end before its use has no receipt."""
        return {each["state"] for each in intervals() if each["end"] is None}

    wait_until(lambda: present_states() == {"proven"}, or_else=lambda: str(intervals()))
    assert {(each["zone"], each["is_compliant"]) for each in intervals()} == {(ZONE, True)}
    export = Path(exported(tenant, tmp_path))
    subprocess.run(["tar", "xf", str(export), "-C", str(tmp_path), "verify.py"], check=True)
    done = verify(tmp_path / "verify.py", export)
    assert "The export is consistent: no check failed." in done.stdout, done.stdout
    assert done.returncode == 0
    content = bytearray(export.read_bytes())
    content[content.index(b'"admit":true'.replace(b'"', b'\\"'))] ^= 1
    changed = tmp_path / "changed.tar"
    changed.write_bytes(content)
    objection = verify(tmp_path / "verify.py", changed)
    assert objection.returncode == 1
    assert "FAULT records.ndjson" in objection.stdout


def exported(tenant: Tenant, folder: Path) -> str:
    day = timedelta(days=1)
    start, end = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (datetime.now(UTC) - day, datetime.now(UTC)))
    options = ["--organization", "ministry", "--from", start, "--to", end, "--out", str(folder)]
    return tenant.cloud.stack.manage("export_evidence", *options)


def verify(verifier: Path, export: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier like an auditor, without the project's packages on the path."""
    command = [sys.executable, "-I", "-S", str(verifier), str(export), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=verifier.parent)
