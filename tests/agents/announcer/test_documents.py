"""The documents and callers that an announcer accepts, and what it keeps."""

from ipaddress import ip_address

import grpc
import pytest

from agents.announcer.server import Config, serve
from agents.node.specs import StoredDocument
from agents.node.state_store import StateStore, Table
from agents.protocol import announcer_pb2 as pb
from andromede_core.documents import signed
from andromede_core.permits.announcements import KIND, Route
from tests.agents.announcer.running import ANNOUNCER_ID, Announcer, announcements
from tests.agents.conftest import refusal
from tests.agents.specs import ZONE
from tests.permits import Authority, SigningKey
from tests.pki import issue_controlplane, issue_node

NODE, OTHER = Route(ip_address("10.0.7.101"), (65001, 100), 200), Route(ip_address("10.0.7.102"))
ADDRESS = "203.0.113.7"


def test_newest_document_is_kept_and_written_for_bird(announcer: Announcer) -> None:
    state = announcer.announce({ADDRESS: NODE})
    assert (state.version, state.applied_version, state.problem) == (1, 0, "bird-silent")
    assert "route 203.0.113.7/32 blackhole { bgp_next_hop = 10.0.7.101;" in announcer.routes.read_text()
    announcer.announce({ADDRESS: OTHER}, version=3)
    assert "10.0.7.102" in announcer.routes.read_text()


def test_older_document_changes_nothing(announcer: Announcer) -> None:
    announcer.announce({ADDRESS: NODE}, version=3)
    before = announcer.routes.read_text()
    assert announcer.announce({ADDRESS: OTHER}, version=2).version == 3
    assert announcer.announce({ADDRESS: OTHER}, version=3).version == 3
    assert announcer.routes.read_text() == before


def test_document_survives_a_restart(stopped: Announcer) -> None:
    with stopped.serving():
        stopped.announce({ADDRESS: NODE}, version=7)
    stopped.routes.unlink()
    with stopped.serving():
        assert ADDRESS in stopped.routes.read_text()
        assert stopped.status().version == 7


def test_document_of_a_newer_announcer_leaves_bird_as_it_is(stopped: Announcer, authority: Authority) -> None:
    """After a return to an earlier release, until the control plane sends a document that this one knows."""
    with stopped.serving():
        stopped.announce({ADDRESS: NODE}, version=7)
    before = stopped.routes.read_text()
    payload = signed.read(announcements(authority, {ADDRESS: OTHER}, version=8)).payload
    store = StateStore(stopped.folder / "ledger.sqlite")
    document = authority.signer.document(KIND, {**payload, "of_a_later_release": 1})
    Table(store, KIND, StoredDocument).record(ZONE, StoredDocument(document))
    store.close()
    with stopped.serving():
        assert (stopped.status().version, stopped.routes.read_text()) == (0, before)
        assert stopped.announce({ADDRESS: OTHER}, version=8).version == 0, "it is not newer than the stored one"
        assert stopped.announce({ADDRESS: OTHER}, version=9).version == 9
        assert "10.0.7.102" in stopped.routes.read_text()


def test_a_folder_has_one_announcer(announcer: Announcer) -> None:
    config = Config(announcer.folder, "127.0.0.1:0", announcer.routes, announcer.control)
    with pytest.raises(RuntimeError, match="Another announcer"):
        serve(config)


def test_certificate_of_a_node_is_no_announcers(stopped: Announcer, authority: Authority) -> None:
    root = authority.root.public_pem
    issue_node(stopped.ca, stopped.folder, node_id=ANNOUNCER_ID, zone=ZONE, root=root)
    with pytest.raises(ValueError, match="names no announcer"):
        serve(Config(stopped.folder, "127.0.0.1:0", stopped.routes, stopped.control))


@pytest.mark.parametrize("of", [{"zone": "de-fra-1"}, {"key": "officer"}])
def test_document_of_another_zone_or_key_is_refused(
    announcer: Announcer, authority: Authority, of: dict[str, str]
) -> None:
    announcer.announce({ADDRESS: NODE})
    before = announcer.routes.read_text()
    error = refusal(lambda: announcer.send(announcements(authority, {ADDRESS: OTHER}, version=2, **of)))  # type: ignore[arg-type]
    assert (error.code, error.status) == ("agent.trust_refused", grpc.StatusCode.PERMISSION_DENIED)
    assert announcer.status().version == 1
    assert announcer.routes.read_text() == before


def test_key_of_the_deny_list_signs_no_more(announcer: Announcer, authority: Authority) -> None:
    document = announcements(authority, {ADDRESS: NODE})
    state = announcer.send(deny=authority.deny(1, kids=[authority.signer.id]))
    assert (state.keyset_version, state.deny_version) == (1, 1)
    assert refusal(lambda: announcer.send(document)).code == "agent.trust_refused"


def test_keyset_must_be_of_the_root(announcer: Announcer, authority: Authority) -> None:
    thief = Authority(root=SigningKey.ed25519("root-1"))
    assert refusal(lambda: announcer.send(keyset=thief.keyset(9))).code == "agent.trust_refused"


def test_only_a_worker_calls(announcer: Announcer) -> None:
    for process in ("web", "watcher", "stream"):
        stub = announcer.stub(issue_controlplane(announcer.ca, announcer.ca.folder, process=process))
        assert refusal(lambda stub=stub: stub.GetStatus(pb.GetStatusRequest())).code == "agent.unknown_peer"  # type: ignore[misc]
