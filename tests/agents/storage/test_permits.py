"""Callers that a storage agent serves, and permits that it accepts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest
from cryptography import x509

from agents.node.trust.keys import checker
from agents.protocol import storage_pb2 as pb
from agents.storage.server import serve
from andromede_core.permits.permit import Limits
from tests.agents.conftest import refusal
from tests.agents.specs import MIB, NODE_ID, ZONE, new_id
from tests.agents.storage.running import DESTINATION, SIZE, SOURCE, STORAGE_ID, StorageAgent
from tests.permits import SigningKey, now
from tests.pki import issue_controlplane, issue_node

STRANGER = "01990000-0000-7000-8000-00000000dead"
LONG_AGO = now() - timedelta(hours=1)
THIEF = SigningKey.ed25519("signer-1")


def code(storage: StorageAgent, volume: str, permit: pb.Permit, **spec: Any) -> str:
    """Return why the permit does not make the volume, nor open it."""
    error = refusal(lambda: storage.ensure(volume, permit=permit, **spec))
    assert error.status is grpc.StatusCode.PERMISSION_DENIED
    opened = refusal(lambda: storage.open(volume, permit=permit)) if not spec else error
    assert opened.code == error.code
    return error.code.removeprefix("agent.permit.")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"zone": "de-fra-1"}, "wrong_zone"),
        ({"node": STRANGER}, "no_charter"),
        ({"nbf": LONG_AGO, "exp": LONG_AGO + timedelta(minutes=5)}, "expired"),
        ({"op": "instance.migrate-out"}, "wrong_operation"),
        ({"epoch": 7}, "stale_facts"),
        ({"epoch": 0}, "revoked_by_epoch"),
        ({"by": THIEF}, "bad_signature"),
        ({"by": SigningKey.ed25519("unknown")}, "unknown_key"),
    ],
)
def test_bad_permit_is_refused(storage: StorageAgent, changes: dict[str, Any], why: str) -> None:
    volume = new_id()
    assert code(storage, volume, storage.permit(volume, **changes)) == why


def test_call_without_a_permit_is_refused(storage: StorageAgent) -> None:
    assert code(storage, new_id(), pb.Permit()) == "missing"


def test_permit_of_another_volume_is_refused(storage: StorageAgent) -> None:
    assert code(storage, new_id(), storage.permit(new_id())) == "wrong_resource"


def test_permit_that_does_not_list_the_image_is_refused(storage: StorageAgent) -> None:
    volume = new_id()
    assert code(storage, volume, storage.permit(volume), image_sha256="a" * 64) == "not_listed"
    header = pb.ImageHeader(
        sha256="a" * 64, size_bytes=MIB, format=pb.IMAGE_FORMAT_RAW, pool="volumes", permit=storage.permit(volume)
    )
    error = refusal(lambda: storage.stub().EnsureImage(iter([pb.ImagePart(header=header)])))
    assert error.code == "agent.permit.wrong_resource"


def test_volume_is_not_larger_than_its_permit(storage: StorageAgent) -> None:
    volume = new_id()
    permit = storage.permit(volume, limits=Limits(1, 1024, 0))
    assert code(storage, volume, permit, size_bytes=SIZE) == "over_limit"


def test_permit_to_start_opens_and_makes_nothing(storage: StorageAgent) -> None:
    volume = new_id()
    error = refusal(lambda: storage.ensure(volume, permit=storage.permit(volume, op="instance.start")))
    assert error.code == "agent.permit.wrong_operation"
    storage.ensure(volume)
    assert storage.open(volume, DESTINATION).client.endswith(DESTINATION[-12:])


def test_denials_and_charters_are_kept(storage: StorageAgent, tmp_path_factory: pytest.TempPathFactory) -> None:
    agent = StorageAgent(tmp_path_factory.mktemp("trust") / "agent", storage.ceph)
    volume, denied = new_id(), new_id()
    with agent.serving():
        assert refusal(lambda: agent.open(volume)).code == "agent.permit.unknown_key"
        agent.learn(SOURCE)
        deny = agent.authority.deny(1, resources=[denied])
        trust = agent.stub().EnsureTrust(pb.EnsureTrustRequest(deny=deny))
        assert (trust.keyset_version, trust.deny_version, trust.epoch) == (1, 1, 1)
        newer = agent.authority.charter(SOURCE, ZONE, version=2, valid_to=now() - timedelta(minutes=1))
        agent.stub().EnsureTrust(pb.EnsureTrustRequest(charters=[newer]))
        older = refusal(lambda: agent.learn(SOURCE))
        assert older.code == "agent.trust_older"
        foreign = pb.EnsureTrustRequest(charters=[agent.authority.charter(DESTINATION, "de-fra-1")])
        assert refusal(lambda: agent.stub().EnsureTrust(foreign)).code == "agent.trust_refused"
    with agent.serving():
        assert refusal(lambda: agent.open(volume)).code == "agent.permit.no_charter", "the newer one has ended"
        agent.learn(DESTINATION)
        permit = agent.permit(denied, op="instance.start", node=DESTINATION, resource=denied)
        assert refusal(lambda: agent.open(denied, permit=permit)).code == "agent.permit.revoked"
        assert refusal(lambda: agent.open(volume, DESTINATION)).code == "storage.volume_missing"


def test_only_a_worker_calls(storage: StorageAgent) -> None:
    for process in ("web", "stream"):
        stub = storage.stub_of(issue_controlplane(storage.ca, storage.ca.folder, process=process))
        assert refusal(lambda stub=stub: stub.Describe(pb.DescribeRequest())).code == "agent.unknown_peer"  # type: ignore[misc]


def test_folder_and_certificate_are_of_one_storage_agent(
    storage: StorageAgent, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(RuntimeError, match="Another storage-agent"):
        serve(storage.config)
    folder = tmp_path_factory.mktemp("node")
    issue_node(storage.ca, folder, node_id=NODE_ID, zone=ZONE, root=storage.authority.root.public_pem)
    with pytest.raises(ValueError, match="names no storage"):
        serve(replace(storage.config, state_dir=folder))
    assert STORAGE_ID != NODE_ID


def test_watcher_gets_the_receipts_and_the_worker_does_not(storage: StorageAgent) -> None:
    volume = storage.made()
    storage.open(volume)
    error = refusal(lambda: storage.stub().ListReceipts(pb.ListReceiptsRequest()))
    assert error.status is grpc.StatusCode.PERMISSION_DENIED
    documents = storage.receipts(volume)
    certificate = x509.load_pem_x509_certificate((storage.folder / "pki" / "node.crt").read_bytes())
    for document in documents:
        document.check("receipt", checker(certificate.public_key()))
    about = [each.payload for each in documents]
    assert [(each["event"], each["kind"]) for each in about] == [("opened", "cluster-volume"), ("opened", "key")]
    assert {each["node"] for each in about} == {str(STORAGE_ID)}
