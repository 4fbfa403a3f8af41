"""Evidence over HTTP: where a resource was, records and their proofs, checkpoints and witnesses."""

import base64
import json
from pathlib import Path

import pytest
from django.conf import settings

from andromede_core.documents.canonical import dumps
from andromede_core.evidence import ed25519, merkle, records, signed_notes, witness
from andromede_core.evidence.checkpoints import cosignatures, parse_head, parse_request, verify_cosignature
from controlplane.audit import evidence_log, log_key
from controlplane.audit.models import Cosignature
from controlplane.audit.witnesses import witness_add
from controlplane.compute.models import Instance
from tests.api.client import Answer, Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.services.audit.receipts import record_receipts
from tests.world import Cloud


@pytest.fixture
def log(cloud: Cloud) -> signed_notes.Key:
    """Create the key of a log that has only the records of the setup."""
    log_key.create_log_key(settings.PKI_DIR)
    return log_key.load().public


def residency(caller: Caller, resource: object, query: str = "") -> Answer:
    return caller.get(f"/v1/resources/{resource}/residency{query}")


def signed(count: int = 1) -> int:
    """The size of a new checkpoint over so many more records."""
    for number in range(count):
        evidence_log.append("incident", {"number": number})
    evidence_log.sequence()
    created = evidence_log.checkpoint()
    assert created is not None
    return created.tree_size


# ── where it was ────────────────────────────────────────────────────────────────────────────────


def test_residency_of_an_instance_is_listed(api: Caller, cloud: Cloud, instance: Instance) -> None:
    record_receipts(cloud.machine)
    (running,) = residency(api, instance.pk, "?role=compute").body["intervals"]
    assert (running["zone"], running["node"]) == ("fr-idf-1", str(cloud.machine.row.pk))
    assert (running["state"], running["is_compliant"], running["end"]) == ("proven", True, None)

    finish(api.post("instances/web/actions/power-off"))
    finish(api.post("instances/web/actions/start"))
    finish(api.delete("instances/web"))
    record_receipts(cloud.machine)
    answer = residency(api, instance.pk).body
    first, second = (each for each in answer["intervals"] if each["role"] == "compute")
    (disk,) = (each for each in answer["intervals"] if each["role"] == "storage")
    assert disk["disk"] == str(instance.root_volume_id)
    assert disk["start"] < first["start"] < second["end"] < disk["end"], "it was there while the instance was off"
    assert answer["problems"] == []
    assert first["start"] == running["start"]
    assert first["end"] <= second["start"] < second["end"]
    assert first["permit"] != second["permit"]
    listed = {record["id"]: record for record in api.get("/v1/evidence/records?limit=200").body["items"]}
    documents = [json.loads(record["document"])["document"] for record in listed.values()]
    permits = {each["p"]["jti"]: each["p"] for each in documents if "nics" in each.get("p", {})}
    admitted = {each["decision"] for each in documents if each.get("admit")}
    for interval in (first, second):
        assert (interval["role"], interval["state"], interval["is_compliant"]) == ("compute", "proven", True)
        assert listed[interval["open_receipt"]]["kind"] == listed[interval["close_receipt"]]["kind"] == "receipt"
        permit = permits[interval["permit"]]
        assert (permit["resource"], permit["decision"]) == (str(instance.pk), interval["decision"])
        assert interval["decision"] in admitted


def test_residency_of_a_disk_is_listed(api: Caller, cloud: Cloud, instance: Instance) -> None:
    finish(api.delete("instances/web"))
    record_receipts(cloud.machine)
    (stored,) = residency(api, instance.root_volume_id, "?role=storage").body["intervals"]
    assert residency(api, instance.root_volume_id, "?role=trash").body["intervals"] == []
    assert (stored["state"], stored["is_compliant"]) == ("proven", True)
    assert stored["end"] is not None


def test_residency_is_limited_to_a_period(api: Caller, cloud: Cloud, instance: Instance) -> None:
    finish(api.delete("instances/web"))
    record_receipts(cloud.machine)
    (whole,) = residency(api, instance.pk, "?role=compute").body["intervals"]
    (part,) = residency(api, instance.pk, f"?role=compute&to={whole['end']}").body["intervals"]
    assert part == whole
    assert residency(api, instance.pk, f"?role=compute&from={whole['end']}").body["intervals"] == []
    assert residency(api, instance.pk, f"?role=compute&to={whole['start']}").body["intervals"] == []


def test_residency_without_a_receipt_is_declared(api: Caller, instance: Instance) -> None:
    claims = residency(api, instance.pk, "?role=compute").body["intervals"]
    assert [(claim["state"], claim["open_receipt"]) for claim in claims] == [("claimed", "")]


def test_residency_is_visible_to_readers_of_the_project_only(
    viewer: Caller, operator: Caller, stranger: Caller, instance: Instance
) -> None:
    assert residency(viewer, instance.pk).status == residency(operator, instance.pk).status == 200
    for resource in (instance.pk, "web", "nothing"):
        assert residency(stranger, resource).problem[:2] == (404, "evidence.record.not_found")
    assert stranger.get(f"/v1/evidence/records?resource={instance.pk}").body["items"] == []


@in_one_cloud(
    ("path", "parameter"),
    [
        ("resources/{id}/residency?from=yesterday", "from"),
        ("resources/{id}/residency?to=2026-11-01", "to"),
        ("resources/{id}/residency?to=2026-11-01T00:00:00", "to"),
        ("resources/{id}/residency?from=2026-11-01T00:00:00Z&to=2026-11-01T00:00:00Z", "to"),
        ("resources/{id}/residency?role=cpu", "role"),
        ("resources/{id}/residency?zone=fr-idf-1", "zone"),
        ("evidence/records?kind=rumour", "kind"),
        ("evidence/records?resource=web", "resource"),
        ("evidence/witness-request?old=-1", "old"),
        ("evidence/witness-request?old=1e3", "old"),
        ("evidence/witness-request?old=999999999999", "old"),
    ],
)
def test_contradictory_parameter_is_named(
    api: Caller, log: signed_notes.Key, instance: Instance, path: str, parameter: str
) -> None:
    signed()
    status, _, field = api.get("/v1/" + path.format(id=instance.pk)).problem
    assert (status, field) == (400, parameter)


# ── proofs ──────────────────────────────────────────────────────────────────────────────────────


def test_inclusion_proof_leads_from_a_record_to_the_checkpoint(
    api: Caller, log: signed_notes.Key, instance: Instance
) -> None:
    signed(5)
    listed = api.get(f"/v1/evidence/records?resource={instance.pk}").body["items"]
    assert {"decision", "permit"} <= {record["kind"] for record in listed}
    for record in listed:
        proof = api.get(f"/v1/evidence/records/{record['id']}/proof").body
        content = records.content_hash(base64.b64decode(record["salt"]), record["document"].encode())
        assert proof["entry"]["content"] == content.hex()
        leaf = merkle.hash_leaf(dumps(proof["entry"]))
        assert leaf == base64.b64decode(proof["leaf_hash"])
        note = signed_notes.parse_note(proof["checkpoint"])
        assert signed_notes.verify_note(note, [log], ed25519.verify) == [log]
        head = parse_head(note.text)
        path = [base64.b64decode(each) for each in proof["hashes"]]
        at = {"index": record["leaf_index"], "size": head.size, "root": head.root}
        assert merkle.is_included(leaf, proof=path, **at)
        assert not merkle.is_included(merkle.hash_leaf(b"another"), proof=path, **at)


def test_record_after_the_checkpoint_has_no_proof(
    api: Caller, log: signed_notes.Key, cloud: Cloud, instance: Instance
) -> None:
    new = api.get("/v1/evidence/records").body["items"][0]
    assert new["leaf_index"] is None
    url = f"/v1/evidence/records/{new['id']}/proof"
    assert api.get(url).problem[:2] == (404, "evidence.checkpoint_not_found")
    signed()
    assert api.get(url).status == 200
    project = cloud.tenant.project
    late = evidence_log.append("incident", {}, organization_id=project.organization_id, project_id=project.pk)
    answer = api.get(f"/v1/evidence/records/{late.pk}/proof")
    assert answer.problem[:2] == (409, "evidence.not_sequenced")
    assert answer.headers["Retry-After"]


def test_an_erased_record_keeps_its_proof(api: Caller, log: signed_notes.Key, instance: Instance) -> None:
    signed()
    record = api.get("/v1/evidence/records?kind=permit").body["items"][0]
    before = api.get(f"/v1/evidence/records/{record['id']}/proof").body
    evidence_log.erase_record(record["id"], reason="law")
    (erased,) = [each for each in api.get("/v1/evidence/records").body["items"] if each["id"] == record["id"]]
    assert (erased["document"], erased["salt"]) == (None, None)
    assert api.get(f"/v1/evidence/records/{record['id']}/proof").body == before


# ── witnesses ───────────────────────────────────────────────────────────────────────────────────


def test_a_witness_follows_the_log_over_http(api: Caller, log: signed_notes.Key, tmp_path: Path) -> None:
    auditor = witness.create(tmp_path / "witness", "auditor.example/w")
    witness_add(str(auditor.key))
    for count in (3, 1, 4):
        size = signed(count)
        old_size = auditor.last_head(log.name).size
        request = parse_request(api.get(f"/v1/evidence/witness-request?old={old_size}").text)
        line = auditor.sign(request, log, now=1_800_000_000)
        assert api.post("/v1/evidence/cosignatures", {"tree_size": size, "line": str(line)}).status == 204
        answer = api.get("/v1/evidence/checkpoint")
        note = signed_notes.parse_note(answer.text)
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert parse_head(note.text).size == size
        ((key, signature),) = cosignatures(note, [auditor.key])
        assert verify_cosignature(note.text, signature, key, ed25519.verify) == 1_800_000_000
    assert Cosignature.objects.count() == 3


def test_invalid_cosignature_is_refused(api: Caller, log: signed_notes.Key, tmp_path: Path) -> None:
    auditor = witness.create(tmp_path / "witness", "auditor.example/w")
    size = signed()
    line = str(auditor.sign(parse_request(api.get("/v1/evidence/witness-request").text), log, now=1))
    for body, status, code, pointer in (
        ({"tree_size": size, "line": line}, 400, "evidence.cosignature_invalid", "/line"),
        ({"tree_size": size + 1, "line": line}, 422, "evidence.checkpoint_not_found", "/tree_size"),
        ({"tree_size": 0, "line": line}, 400, "invalid_request", "/tree_size"),
        ({"tree_size": size}, 400, "invalid_request", "/line"),
        ({"tree_size": size, "line": "x" * 1001}, 400, "invalid_request", "/line"),
    ):
        assert api.post("/v1/evidence/cosignatures", body).problem == (status, code, pointer), body
    witness_add(str(auditor.key))
    altered = line[:-4] + ("AAA=" if not line.endswith("AAA=") else "BBB=")
    assert api.post("/v1/evidence/cosignatures", {"tree_size": size, "line": altered}).problem[2] == "/line"
    assert not Cosignature.objects.exists()


def test_missing_checkpoint_is_not_found(api: Caller, cloud: Cloud) -> None:
    for path in ("checkpoint", "witness-request"):
        assert api.get(f"/v1/evidence/{path}").problem[:2] == (404, "evidence.checkpoint_not_found")
