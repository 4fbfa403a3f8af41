"""Floors: each epoch reaches the zones that have nodes, with the facts of those zones only."""

from datetime import timedelta

import pytest

from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from andromede_core.documents.canonical import loads
from andromede_core.permits import trust_documents as core
from controlplane.audit.models import EvidenceRecord
from controlplane.catalog import epochs
from controlplane.catalog.models import Fact
from controlplane.kernel import clock
from controlplane.nodes import agent_client, trust_documents
from controlplane.nodes.models import TrustDocument
from controlplane.signer import floors, trusted_facts
from tests.facts import import_sample, officer, state_of
from tests.world import Cloud, make_zone


def floor_of(zone: str) -> core.Floor:
    row = trust_documents.newest("floor", zone)
    assert row is not None
    return core.read_floor(signed.read(bytes(row.document)).payload)


def subjects_of(zone: str) -> set[tuple[str, str]]:
    row = trust_documents.newest("facts", zone)
    assert row is not None
    envelopes = loads(bytes(row.document))
    assert isinstance(envelopes, list)
    floors = [signed.from_envelope(each).payload for each in envelopes]
    return {(str(each["subject_kind"]), str(each["subject_id"])) for each in floors}


def test_floor_names_the_facts_of_its_epoch(cloud: Cloud) -> None:
    officer()
    cloud.world.publish_keys()
    state_of("zone", "fr-idf-1", {"location.territory": "FR"})
    assert floors.sign_missing_floors() == 1
    assert floors.sign_missing_floors() == 0, "nothing has changed"
    floor = floor_of("fr-idf-1")
    assert (floor.epoch, floor.facts_sha256) == (epochs.current(), trusted_facts.load("fr-idf-1", floor.epoch).sha256)
    assert subjects_of("fr-idf-1") == {("zone", "fr-idf-1")}
    record = EvidenceRecord.objects.filter(kind="trust").latest("created_at")
    assert '"trust":"floor"' in (record.document or "")


def test_zone_gets_only_the_facts_that_policies_read(cloud: Cloud) -> None:
    officer()
    cloud.world.publish_keys()
    import_sample()
    floors.sign_missing_floors()
    subjects = subjects_of("fr-idf-1")
    assert {name for kind, name in subjects if kind == "zone"} == {"fr-idf-1"}
    parties = {name for kind, name in subjects if kind == "party"}
    assert parties
    assert parties < set(Fact.objects.filter(subject_kind="party").values_list("subject_id", flat=True))
    sets = set(Fact.objects.filter(subject_kind="set").values_list("subject_id", flat=True))
    assert {name for kind, name in subjects if kind == "set"} == sets
    assert not [kind for kind, _ in subjects if kind in ("region", "node", "pool")]


def test_zones_without_nodes_get_no_floor(cloud: Cloud) -> None:
    make_zone("us-va-1")
    epochs.advance()
    assert floors.sign_missing_floors() == 1
    assert trust_documents.newest("floor", "us-va-1") is None


def test_unchanged_facts_are_not_stored_twice(cloud: Cloud) -> None:
    for _ in range(3):
        epochs.advance()
        floors.sign_missing_floors()
    assert TrustDocument.objects.filter(kind="facts").count() == 1
    assert TrustDocument.objects.filter(kind="floor").count() > 3


def test_floor_is_re_signed_after_an_hour(cloud: Cloud) -> None:
    before = floor_of("fr-idf-1")
    hour_ago = clock.now() - timedelta(hours=2)
    TrustDocument.objects.filter(kind="floor").update(updated_at=hour_ago)
    assert floors.sign_missing_floors() == 1
    after = floor_of("fr-idf-1")
    assert (after.epoch, after.facts_sha256) == (before.epoch, before.facts_sha256)
    assert TrustDocument.objects.filter(kind="floor", version=after.epoch).count() == 1


def test_node_receives_facts_with_its_heartbeat(cloud: Cloud) -> None:
    officer()
    cloud.world.publish_keys()
    state_of("zone", "fr-idf-1", {"location.territory": "FR"})
    floors.sign_missing_floors()
    row = cloud.machine.row
    assert row.facts_epoch < epochs.current()
    cloud.machine.heartbeat()
    assert (row.facts_epoch, row.keyset_version) == (epochs.current(), 2)
    assert trust_documents.pending_update(row) is None
    trust = cloud.machine.held
    assert trust.world.zones["fr-idf-1"].timeline("location.territory")[0].value == "FR"
    assert row.floor_issued_at is not None


def test_doubtful_facts_are_left_out_and_are_an_incident(cloud: Cloud) -> None:
    """The officer's key is in no keyset."""
    state_of("zone", "fr-idf-1", {"location.territory": "FR"})
    floors.sign_missing_floors()
    assert subjects_of("fr-idf-1") == set()
    record = EvidenceRecord.objects.get(kind="incident")
    assert str(Fact.objects.get().pk) in (record.document or "")


@pytest.mark.parametrize("kind", ["keyset", "charter", "floor", "deny"])
def test_node_refuses_unsigned_trust_documents(cloud: Cloud, kind: str) -> None:
    row = cloud.machine.row
    trust = cloud.machine.held
    created = b'{"kid":"root-0","p":{},"sig":""}'
    with pytest.raises(agent_client.NodeRefused):
        agent_client.ensure_trust(row, pb.EnsureTrustRequest(**{kind: created}))
    assert cloud.machine.held == trust
