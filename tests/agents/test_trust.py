"""Trust documents of a running agent: their signers, and no step back to an older one."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import grpc
import pytest

from agents.protocol import agent_pb2 as pb
from andromede_core.documents.canonical import dumps
from andromede_core.permits.trust_documents import MAX_VERSION
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.limits import PATIENCE_S
from tests.permits import Authority, SigningKey, now
from tests.pki import issue_controlplane

NODE, ZONE = specs.NODE_ID, specs.ZONE


def send_documents(agent: AgentUnderTest, **documents: bytes) -> pb.TrustState:
    state: pb.TrustState = agent.stub.EnsureTrust(pb.EnsureTrustRequest(**documents))
    return state


def known(agent: AgentUnderTest) -> pb.TrustState:
    return send_documents(agent)


def not_taken(agent: AgentUnderTest, **documents: bytes) -> str:
    before = known(agent)
    error = refusal(lambda: send_documents(agent, **documents))
    assert known(agent) == before
    assert not error.is_retryable
    statuses = {"agent.trust_older": grpc.StatusCode.FAILED_PRECONDITION}
    assert error.status is statuses.get(error.code, grpc.StatusCode.PERMISSION_DENIED)
    return error.code


def works(agent: AgentUnderTest) -> bool:
    request = specs.volume()
    try:
        agent.stub.EnsureVolume(request)
    except grpc.RpcError:
        return False
    return UUID(request.subject.id) in agent.fake.volumes


def floor_of(authority: Authority, **options: object) -> dict[str, bytes]:
    facts = authority.facts(ZONE)
    return {"floor": authority.floor(ZONE, facts, **options), "facts": facts}  # type: ignore[arg-type]


# ---- once told, it knows


def test_trust_documents_survive_a_restart(fresh: AgentUnderTest) -> None:
    issued_at = now().replace(microsecond=1)
    authority = fresh.authority
    state = send_documents(fresh, keyset=authority.keyset(4), charter=authority.charter(NODE, ZONE, version=3))
    assert (state.keyset_version, state.charter_version, state.epoch) == (4, 3, 0)
    state = send_documents(fresh, **floor_of(authority, issued_at=issued_at), deny=authority.deny(2, jtis=["x"]))
    assert (state.epoch, state.deny_version, state.is_clock_kept) == (1, 2, True)
    assert state.floor_issued_at_unix_ms >= issued_at.timestamp() * 1000
    fresh.restart()
    assert known(fresh) == state
    assert works(fresh)


def test_heartbeat_reports_the_trust_state(agent: AgentUnderTest) -> None:
    stream = agent.stub.Watch(pb.WatchRequest(), timeout=PATIENCE_S)
    assert next(stream).heartbeat.trust == known(agent)
    stream.cancel()


def test_repeated_trust_documents_are_accepted(agent: AgentUnderTest) -> None:
    authority = agent.authority
    trust = authority.trust(NODE, ZONE)
    trust.deny = authority.deny(1, jtis=["x"])
    first = agent.stub.EnsureTrust(trust)
    assert agent.stub.EnsureTrust(trust) == first


def test_process_without_the_role_is_refused(agent: AgentUnderTest) -> None:
    web = agent.connect(issue_controlplane(agent.ca, agent.ca.folder / "web", process="web"))
    assert refusal(lambda: web.EnsureTrust(pb.EnsureTrustRequest())).code == "agent.unknown_peer"


# ---- versions


def test_older_documents_are_refused(agent: AgentUnderTest) -> None:
    authority = agent.authority
    older = floor_of(authority)
    authority.epoch = 7
    newer = floor_of(authority)
    deny = authority.deny(2, jtis=["x"])
    send_documents(
        agent, keyset=authority.keyset(2), charter=authority.charter(NODE, ZONE, version=2), deny=deny, **newer
    )
    agent.restart()
    assert not_taken(agent, keyset=authority.keyset(1)) == "agent.trust_older"
    assert not_taken(agent, charter=authority.charter(NODE, ZONE, version=1)) == "agent.trust_older"
    assert not_taken(agent, deny=authority.deny(1, jtis=["x", "y"])) == "agent.trust_older"
    assert not_taken(agent, **older) == "agent.trust_older"


def test_changed_content_of_one_version_is_refused(agent: AgentUnderTest) -> None:
    authority = agent.authority
    send_documents(agent, deny=authority.deny(1))
    assert not_taken(agent, keyset=authority.keyset(1, [authority.signer.entry("permit")])) == "agent.trust_refused"
    assert not_taken(agent, charter=authority.charter(NODE, ZONE, serial="OTHER")) == "agent.trust_refused"
    assert not_taken(agent, deny=authority.deny(1, jtis=["x"])) == "agent.trust_refused"


def test_a_floor_is_renewed_within_its_epoch(agent: AgentUnderTest) -> None:
    authority, later = agent.authority, now() + timedelta(minutes=1)
    renewed = send_documents(agent, **floor_of(authority, issued_at=later))
    assert renewed.epoch == 1
    assert renewed.floor_issued_at_unix_ms >= later.timestamp() * 1000
    assert not_taken(agent, **floor_of(authority)) == "agent.trust_older"


# ---- who may say what


def test_only_the_root_signs_keysets_and_charters(agent: AgentUnderTest) -> None:
    usurper = Authority()
    usurper.root = agent.authority.signer
    for authority in (Authority(), usurper):
        assert not_taken(agent, keyset=authority.keyset(2)) == "agent.trust_refused"
        assert not_taken(agent, charter=authority.charter(NODE, ZONE, version=2)) == "agent.trust_refused"


def test_a_charter_of_another_zone_or_node_is_refused(agent: AgentUnderTest) -> None:
    for node, zone in ((NODE, "us-va-1"), (specs.new_id(), ZONE)):
        charter = agent.authority.charter(node, zone, version=2)
        assert not_taken(agent, charter=charter) == "agent.trust_refused"


def test_floor_is_accepted_only_for_the_zone_by_its_signer(agent: AgentUnderTest) -> None:
    authority = agent.authority
    facts = authority.facts(ZONE)
    elsewhere, retired, coming = (SigningKey.ed25519(f"signer-{name}") for name in ("de", "old", "new"))
    keys = [
        authority.signer.entry("permit"),
        authority.officer.entry("facts"),
        elsewhere.entry("permit", zones=frozenset({"de-rhein-1"})),
        retired.entry("permit", not_after=now() - timedelta(minutes=1)),
        coming.entry("permit", not_before=now() + timedelta(minutes=1)),
    ]
    send_documents(agent, keyset=authority.keyset(2, keys))
    authority.epoch = 2
    assert not_taken(agent, floor=authority.floor("us-va-1", facts), facts=facts) == "agent.trust_refused"
    for key in (elsewhere, retired, coming, authority.officer, SigningKey.ed25519("signer-1")):
        assert not_taken(agent, **floor_of(authority, by=key)) == "agent.trust_refused"
    assert send_documents(agent, **floor_of(authority)).epoch == 2


def test_facts_must_match_the_floor_and_be_signed_by_officers(agent: AgentUnderTest) -> None:
    authority = agent.authority
    authority.epoch = 2
    regional = SigningKey.ed25519("officer-de")
    keys = [
        authority.signer.entry("permit"),
        authority.officer.entry("facts"),
        regional.entry("facts", zones=frozenset({"de-rhein-1"})),
    ]
    send_documents(agent, keyset=authority.keyset(2, keys))

    facts = authority.facts(ZONE)
    others = dumps([authority.fact(ZONE, "location.territory", "US")])
    assert not_taken(agent, floor=authority.floor(ZONE, facts), facts=others) == "agent.trust_refused"
    assert not_taken(agent, floor=authority.floor(ZONE, others)) == "agent.trust_refused"
    assert refusal(lambda: send_documents(agent, facts=facts)).code == "agent.bad_request"
    for key in (authority.signer, SigningKey.ed25519("officer-1"), regional):
        forged = dumps([authority.fact(ZONE, "location.territory", "FR", by=key)])
        assert not_taken(agent, floor=authority.floor(ZONE, forged), facts=forged) == "agent.trust_refused"
    elsewhere = dumps([authority.fact("de-rhein-1", "location.territory", "DE", by=regional)])
    assert send_documents(agent, floor=authority.floor(ZONE, elsewhere), facts=elsewhere).epoch == 2


@pytest.mark.parametrize(
    "facts",
    [b"{}", b"[1]", b'[{"kid":"officer-1","p":{},"sig":""}]', b"[ ]", b"[" * 10_000],
    ids=["object", "number", "empty", "spaced", "deep"],
)
def test_malformed_facts_are_refused(agent: AgentUnderTest, facts: bytes) -> None:
    agent.authority.epoch = 2
    assert not_taken(agent, floor=agent.authority.floor(ZONE, facts), facts=facts) == "agent.trust_refused"


def test_signed_document_with_unknown_fields_is_refused(agent: AgentUnderTest) -> None:
    root = agent.authority.root
    for kind in ("keyset", "charter", "deny"):
        assert not_taken(agent, **{kind: root.document(kind, {"version": 9})}) == "agent.trust_refused"
        assert not_taken(agent, **{kind: b"nonsense"}) == "agent.trust_refused"
    floor = agent.authority.signer.document("floor", {"zone": ZONE})
    assert not_taken(agent, floor=floor, facts=b"[]") == "agent.trust_refused"


# ---- what is denied


def test_only_the_root_shortens_the_deny_list(agent: AgentUnderTest) -> None:
    authority = agent.authority
    send_documents(agent, deny=authority.deny(1, jtis=["a"], resources=["r"]))
    assert not_taken(agent, deny=authority.deny(2, jtis=["a", "b"])) == "agent.trust_refused"
    send_documents(agent, deny=authority.deny(3, jtis=["a", "b"], resources=["r"]))
    assert not_taken(agent, deny=authority.deny(4, by=authority.officer, jtis=["a", "b"])) == "agent.trust_refused"
    assert send_documents(agent, deny=authority.deny(4, by=authority.root)).deny_version == 4


def test_denied_key_can_neither_deny_nor_raise_the_floor(agent: AgentUnderTest) -> None:
    authority = agent.authority
    state = send_documents(agent, deny=authority.deny(1, by=authority.root, kids=[authority.signer.id]))
    assert state.epoch == 0  # the floor was the denied key's word
    assert not works(agent)
    both = [authority.signer.entry("permit"), authority.officer.entry("facts")]
    authority.epoch = 2
    assert not_taken(agent, **floor_of(authority)) == "agent.trust_refused"
    assert not_taken(agent, deny=authority.deny(2, kids=[authority.signer.id])) == "agent.trust_refused"

    successor = SigningKey.ed25519("signer-2")
    send_documents(agent, keyset=authority.keyset(2, [*both, successor.entry("permit")]))
    authority.signer = successor
    send_documents(agent, **floor_of(authority))
    assert works(agent)


def test_root_undoes_denials_by_a_stolen_key(agent: AgentUnderTest) -> None:
    authority, thief = agent.authority, agent.authority.signer
    send_documents(agent, deny=authority.deny(8, nodes=[str(NODE)]))
    assert not works(agent)

    authority.signer, authority.epoch = SigningKey.ed25519("signer-2"), 5
    keyset = authority.keyset(2, [authority.signer.entry("permit"), authority.officer.entry("facts")])
    send_documents(agent, keyset=keyset)
    assert not works(agent)  # what was denied stays so until the root says otherwise
    deny = authority.deny(9, by=authority.root, kids=[thief.id])
    state = send_documents(agent, deny=deny, **floor_of(authority))
    assert (state.deny_version, state.epoch) == (9, 5)
    assert works(agent)
    agent.restart()
    assert works(agent)


def test_older_deny_list_is_refused_after_its_signer_is_gone(agent: AgentUnderTest) -> None:
    authority = agent.authority
    send_documents(agent, deny=authority.deny(8, jtis=["a"]))
    successor = SigningKey.ed25519("signer-2")
    keys = [successor.entry("permit"), authority.officer.entry("facts")]
    send_documents(agent, keyset=authority.keyset(2, keys, deny_version=8))
    agent.restart()
    assert not_taken(agent, deny=authority.deny(7, by=authority.root)) == "agent.trust_older"
    assert not_taken(agent, deny=authority.deny(8, by=authority.root)) == "agent.trust_refused"
    assert not_taken(agent, deny=authority.deny(8, by=successor, jtis=["a"])) == "agent.trust_refused"
    assert send_documents(agent, deny=authority.deny(9, by=authority.root)).deny_version == 9


def test_keyset_without_a_stolen_key_voids_what_it_signed(agent: AgentUnderTest) -> None:
    """He has signed the last epoch and the last list that there can be."""
    authority = agent.authority
    honest, authority.epoch = authority.epoch, MAX_VERSION
    send_documents(agent, deny=authority.deny(MAX_VERSION, jtis=["a"]), **floor_of(authority))
    successor = SigningKey.ed25519("signer-2")
    keys = [successor.entry("permit"), authority.officer.entry("facts")]
    stolen, authority.signer, authority.epoch = authority.signer, successor, honest + 2
    older = floor_of(authority)
    authority.epoch = honest + 3
    send_documents(agent, keyset=authority.keyset(2, keys, epoch=honest + 3, deny_version=1))
    assert not works(agent)
    agent.restart()
    assert not_taken(agent, **older) == "agent.trust_older"
    send_documents(agent, deny=authority.deny(2, by=authority.root, kids=[stolen.id]), **floor_of(authority))
    assert (known(agent).deny_version, known(agent).epoch) == (2, honest + 3)
    assert works(agent)


def test_older_floor_is_refused_after_its_signer_was_denied(agent: AgentUnderTest) -> None:
    authority = agent.authority
    other = SigningKey.ed25519("signer-2")
    keys = [authority.signer.entry("permit"), other.entry("permit"), authority.officer.entry("facts")]
    earlier = floor_of(authority, by=other)
    authority.epoch = 7
    send_documents(agent, keyset=authority.keyset(2, keys), **floor_of(authority))
    assert send_documents(agent, deny=authority.deny(1, by=authority.root, kids=[authority.signer.id])).epoch == 0
    agent.restart()
    assert not_taken(agent, **earlier) == "agent.trust_older"
    assert not works(agent)
    authority.signer = other
    assert send_documents(agent, **floor_of(authority)).epoch == 7
    assert works(agent)


def test_a_fact_is_stated_while_its_key_is_in_use(agent: AgentUnderTest) -> None:
    """The facts of this authority are a day old."""
    authority = agent.authority
    authority.epoch = 2
    for change in ({"not_before": now()}, {"not_after": now() - timedelta(days=2)}):
        version = known(agent).keyset_version + 1
        keys = [authority.signer.entry("permit"), authority.officer.entry("facts", **change)]
        send_documents(agent, keyset=authority.keyset(version, keys))
        assert not works(agent)  # what it was told before does not hold any more
        facts = dumps([authority.fact(ZONE, "location.territory", "US")])
        assert not_taken(agent, floor=authority.floor(ZONE, facts), facts=facts) == "agent.trust_refused"


def test_facts_by_a_denied_officer_key_become_unknown(agent: AgentUnderTest) -> None:
    assert works(agent)
    send_documents(agent, deny=agent.authority.deny(1, kids=[agent.authority.officer.id]))
    error = refusal(lambda: agent.stub.EnsureVolume(specs.volume()))
    assert error.code == "agent.permit.policy_refuses"
    assert "ATTR_UNKNOWN" in error.message
    agent.restart()
    assert not works(agent)


def test_bad_facts_do_not_delay_a_revocation(agent: AgentUnderTest) -> None:
    authority = agent.authority
    authority.epoch = 2
    documents = floor_of(authority) | {"facts": b"[]", "deny": authority.deny(1, kids=[authority.signer.id])}
    assert refusal(lambda: send_documents(agent, **documents)).code == "agent.trust_refused"
    assert known(agent).deny_version == 1


# ---- what lies on the disk


@pytest.mark.parametrize(
    ("kind", "forge"),
    [
        ("keyset", lambda other: other.keyset(9)),
        ("charter", lambda other: other.charter(NODE, ZONE, version=9)),
        ("floor", lambda other: other.floor(ZONE, b"[]")),
        ("facts", lambda other: dumps([other.fact(ZONE, "location.territory", "FR")])),
    ],
)
def test_forged_database_row_is_not_trusted(
    agent: AgentUnderTest, kind: str, forge: Callable[[Authority], bytes]
) -> None:
    agent.server.node.state_store.execute("UPDATE trust SET document = ? WHERE kind = ?", forge(Authority()), kind)
    agent.restart()
    assert not works(agent)
