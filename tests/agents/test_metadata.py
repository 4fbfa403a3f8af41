"""Metadata: answers to guests, and what an agent lets each guest read."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest

from agents.node.metadata.answers import MAX_TTL_S, TOKEN_HEADER, TOKEN_PATH, TTL_HEADER, Request, Tokens, answer
from agents.node.metadata.channel import Guest
from agents.node.metadata.server import parse
from agents.node.services.metadata import LABELS, MAX_DOCUMENT_BYTES, MAX_DOCUMENTS
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.permits import SigningKey

ID = "/latest/meta-data/instance-id"
IDENTITY = "/latest/dynamic/instance-identity/jwt"
GUEST = Guest("one", {"br1": ["10.0.0.10"]}, {ID: "one", "/latest": "meta-data/"})
OPEN = Guest("one", {}, GUEST.pages, needs_token=False)
TOKENS, NOW_S = Tokens(b"secret"), 1000.0


def ask(path: str, guest: Guest | None = GUEST, method: str = "GET", at_s: float = NOW_S, **headers: str) -> HTTPStatus:
    return answer(Request(method, path, headers), guest, "br1 10.0.0.10", TOKENS, now_s=at_s).status


def token(ttl: str = "60", sender: str = "br1 10.0.0.10") -> str:
    request = Request("PUT", TOKEN_PATH, {TTL_HEADER: ttl})
    return answer(request, GUEST, sender, TOKENS, now_s=NOW_S).body.decode()


def test_token_comes_first() -> None:
    assert ask(ID) == HTTPStatus.UNAUTHORIZED
    headers = {TOKEN_HEADER: token()}
    response = answer(Request("GET", ID, headers), GUEST, "br1 10.0.0.10", TOKENS, now_s=NOW_S)
    assert (response.status, response.body) == (HTTPStatus.OK, b"one")
    assert ask(f"/2009-04-04{ID.removeprefix('/latest')}/?x=1", **headers) == HTTPStatus.OK
    assert ask("/latest/secret", **headers) == HTTPStatus.NOT_FOUND
    assert ask(ID, OPEN) == HTTPStatus.OK


@pytest.mark.parametrize(
    "bad", ["", "x", "60", f"2000-{'0' * 64}", token(sender="br2 10.0.0.10"), token(sender="br1 10.0.0.11")]
)
def test_token_of_another_sender_counts_for_nothing(bad: str) -> None:
    assert ask(ID, **{TOKEN_HEADER: bad}) == HTTPStatus.UNAUTHORIZED


def test_token_expires() -> None:
    headers = {TOKEN_HEADER: token("60")}
    assert [ask(ID, at_s=NOW_S + 59, **headers), ask(ID, at_s=NOW_S + 60, **headers)] == [
        HTTPStatus.OK,
        HTTPStatus.UNAUTHORIZED,
    ]


@pytest.mark.parametrize("ttl", ["", "0", "-1", str(MAX_TTL_S + 1), "1" * 400, "1.5", "x"])
def test_ttl_of_a_token_is_bounded(ttl: str) -> None:
    assert ask(TOKEN_PATH, method="PUT", **{TTL_HEADER: ttl}) == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via"])
def test_forwarded_requests_are_refused(header: str) -> None:
    assert ask(TOKEN_PATH, method="PUT", **{TTL_HEADER: "60", header: "10.0.0.9"}) == HTTPStatus.FORBIDDEN
    assert ask(ID, OPEN, **{header: "10.0.0.9"}) == HTTPStatus.FORBIDDEN


def test_other_methods_and_unknown_senders_are_refused() -> None:
    assert ask(ID, OPEN, method="POST") == HTTPStatus.METHOD_NOT_ALLOWED
    assert ask(TOKEN_PATH) == HTTPStatus.METHOD_NOT_ALLOWED
    assert ask(TOKEN_PATH, None, method="PUT") == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    ],
)
def test_invalid_request_is_refused(head: bytes) -> None:
    assert parse(head) is None


def test_headers_are_read_in_any_case() -> None:
    assert parse(b"PUT /a HTTP/1.0\r\nX-Token:  1 \r\n\r\n") == Request("PUT", "/a", {"x-token": "1"})


def test_guest_reads_what_it_was_created_with(agent: AgentUnderTest) -> None:
    instance = ensured(agent)
    found = agent.fake.metadata[instance.subject.id]
    pages = found.pages
    assert found.needs_token
    assert list(found.addresses.values()) == [["10.10.0.11"]]
    assert pages[ID] == instance.subject.id
    assert pages["/latest/meta-data/placement/availability-zone"] == specs.ZONE
    assert pages["/latest/meta-data/local-ipv4"] == "10.10.0.11"
    assert "placement/" in pages["/latest/meta-data"].split("\n")
    assert pages["/nocloud/user-data"] == agent.fake.seeds[UUID(instance.subject.id)]["user-data"].decode()
    agent.restart()
    assert agent.fake.metadata == {instance.subject.id: found}
    agent.stub.RemoveInstance(specs.removal(instance.subject))
    assert not agent.fake.metadata


@pytest.mark.parametrize(
    ("access", "readable"),
    [(pb.METADATA_ACCESS_OPEN, [False]), (pb.METADATA_ACCESS_OFF, []), (pb.METADATA_ACCESS_UNSPECIFIED, [True])],
)
def test_access_is_switched_by_instance(
    agent: AgentUnderTest, access: "pb.MetadataAccess", readable: list[bool]
) -> None:
    ensured(agent, pb.GuestData(hostname="web", metadata=access))
    assert [guest.needs_token for guest in agent.fake.metadata.values()] == readable


def test_keys_are_listed_as_ec2_does_and_there_is_no_empty_user_data(agent: AgentUnderTest) -> None:
    pages = agent_pages(agent, pb.GuestData(hostname="web", ssh_public_keys=["ssh-ed25519 AAAA"]))
    assert pages["/latest/meta-data/public-keys"] == "0=key-0"
    assert pages["/latest/meta-data/public-keys/0/openssh-key"] == "ssh-ed25519 AAAA"
    assert "/latest/user-data" not in pages


def test_user_data_are_passed_on_byte_for_byte(agent: AgentUnderTest) -> None:
    binary = bytes(range(256))
    pages = agent_pages(agent, pb.GuestData(hostname="web", user_data=binary))
    assert pages["/latest/user-data"].encode("latin-1") == binary
    assert "/latest/meta-data/public-keys" not in pages


def send(agent: AgentUnderTest, *documents: bytes) -> dict[str, int]:
    state = agent.stub.EnsureMetadata(pb.EnsureMetadataRequest(documents=documents))
    return {each.id: each.version for each in state.documents}


def document(agent: AgentUnderTest, instance: str, labels: Mapping[str, str], version: int = 1, **more: Any) -> bytes:
    where = {"zone": specs.ZONE, "node": str(specs.NODE_ID)} | more
    return agent.authority.instance_metadata(instance=instance, labels=labels, version=version, **where)


def test_labels_and_identity_document_follow_their_signed_documents(agent: AgentUnderTest) -> None:
    me = ensured(agent).subject.id
    assert IDENTITY not in agent.fake.metadata[me].pages and LABELS not in agent.fake.metadata[me].pages
    assert send(agent, document(agent, me, {"env": "prod", "example.org/team": "", "2024-01-01": "x"})) == {me: 1}
    guest = agent.fake.metadata[me]
    assert guest.pages[LABELS] == "2024-01-01\nenv\nexample.org/team"
    assert (guest.pages[f"{LABELS}/env"], guest.pages[f"{LABELS}/example.org/team"]) == ("prod", "")
    assert guest.pages[IDENTITY] == "e30.e30.AA" and guest.pages["/latest/dynamic/instance-identity"] == "jwt"
    request = Request("GET", f"{LABELS}/2024-01-01", {TOKEN_HEADER: token()})
    read = answer(request, guest, "br1 10.0.0.10", TOKENS, now_s=NOW_S)
    assert read.body == b"x", "a date is a label here, and no version of the pages"
    send(agent, document(agent, me, {"env": "test"}, version=3, identity="e30.e30.BB"))
    pages = agent.fake.metadata[me].pages
    assert (pages[LABELS], pages[f"{LABELS}/env"], pages[IDENTITY]) == ("env", "test", "e30.e30.BB")
    assert f"{LABELS}/example.org/team" not in pages
    assert send(agent, document(agent, me, {"env": "old"}, version=2)) == {me: 3}, "an older one changes nothing"
    assert agent.fake.metadata[me].pages == pages
    agent.restart()
    assert agent.fake.metadata[me].pages == pages


def test_metadata_are_kept_of_guests_here_alone(agent: AgentUnderTest) -> None:
    instance = ensured(agent)
    me, other = instance.subject.id, str(UUID(int=7))
    assert send(agent, document(agent, other, {})) == {other: 0}
    assert send(agent, document(agent, me, {"a": "b"}, version=9)) == {me: 9}
    agent.stub.RemoveInstance(specs.removal(instance.subject))
    assert send(agent, document(agent, me, {}, version=10)) == {me: 0}
    assert not agent.fake.metadata


def test_guest_without_metadata_gets_none(agent: AgentUnderTest) -> None:
    me = ensured(agent, pb.GuestData(hostname="web", metadata=pb.METADATA_ACCESS_OFF)).subject.id
    assert send(agent, document(agent, me, {"a": "b"})) == {me: 0}
    assert not agent.fake.metadata


def test_metadata_that_are_not_genuine_or_not_for_this_node_are_refused(agent: AgentUnderTest) -> None:
    me = ensured(agent).subject.id
    before = agent.fake.metadata[me]
    bad = [
        document(agent, me, {"a": "b"}, by=SigningKey.ed25519(agent.authority.signer.id)),
        document(agent, me, {"a": "b"}, zone="de-fra-1"),
        document(agent, me, {"a": "b"}, node=str(UUID(int=7))),
        document(agent, me, {"a\nb": "c"}),
        document(agent, me, {"a": "b\r\n"}),
        document(agent, me, {f"k{number}": "v" for number in range(65)}),
        document(agent, me, {}, identity="no jwt"),
        document(agent, "../../etc", {}),
        agent.authority.network_ports(specs.ZONE, specs.NETWORK_ID, {}),
    ]
    state = agent.stub.EnsureMetadata(pb.EnsureMetadataRequest(documents=bad))
    assert (list(state.documents), [each.number for each in state.refused]) == ([], list(range(len(bad))))
    assert all(each.problem for each in state.refused)
    for request in ([b"x"] * (MAX_DOCUMENTS + 1), [b"x" * (MAX_DOCUMENT_BYTES + 1)]):
        assert refusal(lambda request=request: send(agent, *request)).code == "agent.bad_request"  # type: ignore[misc]
    assert agent.fake.metadata[me] == before


def test_refused_document_costs_only_itself(agent: AgentUnderTest) -> None:
    me = ensured(agent).subject.id
    good, bad = document(agent, me, {"a": "b"}), document(agent, me, {"a": "c"}, version=2, zone="de-fra-1")
    state = agent.stub.EnsureMetadata(pb.EnsureMetadataRequest(documents=[bad, good]))
    assert [(each.id, each.version) for each in state.documents] == [(me, 1)]
    (refused,) = state.refused
    assert refused.number == 0 and "de-fra-1" in refused.problem
    assert agent.fake.metadata[me].pages[f"{LABELS}/a"] == "b"


def agent_pages(agent: AgentUnderTest, guest_data: pb.GuestData) -> Mapping[str, str]:
    return agent.fake.metadata[ensured(agent, guest_data).subject.id].pages


def ensured(agent: AgentUnderTest, guest_data: pb.GuestData | None = None) -> pb.EnsureInstanceRequest:
    """Ensure an instance with a port."""
    root, port = specs.volume(), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    request = specs.instance(root, port)
    if guest_data is not None:
        request.guest_data.CopyFrom(guest_data)
    agent.stub.EnsureInstance(request)
    return request
