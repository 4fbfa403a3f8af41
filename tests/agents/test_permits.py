"""Permits that an agent must not take, on a running agent over mutual TLS; and those that it must."""

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from uuid import UUID

import pytest

from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from andromede_core.documents.canonical import dumps
from andromede_core.permits.permit import Contents, Limits
from andromede_core.permits.trust_documents import OFFICER_DUTY, Approver
from andromede_core.policy.exemption import Approval, Exemption, Terms
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, image_stream, refusal
from tests.agents.permit_checks import accepted, code_of, permit_code, permitted, refused
from tests.permits import IN_FRANCE, SigningKey, now

IN_GERMANY = [IN_FRANCE[0] | {"atoms": [{"id": "loc", "op": "in", "attr": "location.territory", "value": ["DE"]}]}]


def reworked(permit: pb.Permit, change: Callable[[dict[str, object]], None]) -> pb.Permit:
    """Other contents under the old signature, in canonical form."""
    body = json.loads(permit.document)
    change(body)
    return pb.Permit(document=dumps(body), policies=permit.policies)


# ---- whom and what it is for


def test_matching_permit_is_accepted(agent: AgentUnderTest) -> None:
    accepted(agent)


def test_call_without_a_permit_is_refused(agent: AgentUnderTest) -> None:
    requests = {
        "EnsureVolume": specs.volume(),
        "EnsurePort": specs.port(),
        "EnsureInstance": specs.instance(specs.volume()),
        "EnsureAttachment": specs.attachment(specs.instance(specs.volume()), specs.volume()),
    }
    for call, request in requests.items():
        error = refusal(lambda call=call, request=request: getattr(agent.stub.bare, call)(request))
        assert permit_code(error) == "missing"
    parts = image_stream(specs.image_header(b"x" * 512), b"x" * 512)
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureImage(parts))) == "missing"
    assert agent.fake.is_clean() and not agent.fake.images


def test_permit_for_another_node_is_refused(agent: AgentUnderTest) -> None:
    assert refused(agent, node=specs.new_id()) == "wrong_node"
    assert refused(agent, zone="us-va-1") == "wrong_zone"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["p"].update(aud="01980000-0000-7000-8000-00000000a002"),
        lambda body: body["p"].update(zone="us-va-1"),
        lambda body: body["p"]["limits"].update(disk_gib=10**6),
        lambda body: body["p"].update(exp="2099-01-01T00:00:00Z"),
        lambda body: body.update(sig=base64.b64encode(b"\0" * 64).decode()),
        lambda body: body.update(sig=""),
    ],
    ids=["node", "zone", "limits", "expiry", "signature", "no-signature"],
)
def test_an_altered_permit_is_refused(agent: AgentUnderTest, change: Callable[[dict[str, object]], None]) -> None:
    request = specs.volume()
    request.permit.CopyFrom(reworked(agent.stub.permit_for(request), change))
    assert code_of(agent, request) == "bad_signature"


def test_signature_by_another_key_is_refused(agent: AgentUnderTest) -> None:
    assert refused(agent, by=SigningKey.ed25519("signer-1")) == "bad_signature"
    assert refused(agent, by=SigningKey.ed25519("signer-2")) == "unknown_key"
    assert refused(agent, by=agent.authority.officer) == "unknown_key"


def test_a_document_of_another_kind_is_no_permit(agent: AgentUnderTest) -> None:
    request = specs.volume()
    permit = agent.stub.permit_for(request)
    payload = json.loads(permit.document)["p"]
    request.permit.document = agent.authority.signer.document("receipt", payload)
    request.permit.policies = permit.policies
    assert code_of(agent, request) == "bad_signature"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        b'{"kid":"signer-1","p":{},"sig":"","x":1}',
        b'{"kid":"signer-1","kid":"signer-1","p":{},"sig":""}',
        b'{"kid":"signer-1","p":{"v":NaN},"sig":""}',
        b'{"kid":"signer-1","p":{},"sig":"*"}',
    ],
)
def test_malformed_document_is_refused(agent: AgentUnderTest, document: bytes) -> None:
    request = specs.volume()
    request.permit.document = document
    assert code_of(agent, request) == "malformed"


def test_noncanonical_json_is_refused(agent: AgentUnderTest) -> None:
    request = permitted(agent, specs.volume())
    body = json.loads(request.permit.document)
    for text in (
        json.dumps(body),
        json.dumps(body, indent=1),
        json.dumps(body, sort_keys=True, separators=(", ", ":")),
    ):
        request.permit.document = text.encode()
        assert code_of(agent, request) == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.update(friend="yes"),
        lambda p: p.pop("exemption"),
        lambda p: p.update(v=2),
        lambda p: p.update(gen="1"),
        lambda p: p["limits"].update(gpus=1),
        lambda p: p.update(nbf="2026-11-24"),
        lambda p: p.update(roles=["king"]),
    ],
    ids=["unknown", "missing", "version", "type", "unknown-limit", "date-only", "role"],
)
def test_signed_document_with_unknown_fields_is_refused(
    agent: AgentUnderTest, change: Callable[[dict[str, object]], None]
) -> None:
    request = specs.volume()
    permit = agent.stub.permit_for(request)
    payload = json.loads(permit.document)["p"]
    change(payload)
    request.permit.document = agent.authority.signer.document("permit", payload)
    request.permit.policies = permit.policies
    assert code_of(agent, request) == "malformed"


@pytest.mark.parametrize("op", ["instance.start", "volume.attach", "instance.evacuate", "console.read", "anything"])
def test_an_operation_allows_its_own_calls_only(agent: AgentUnderTest, op: str) -> None:
    assert refused(agent, op=op) == "wrong_operation"


def test_a_resize_does_not_start_a_guest_and_a_start_does_not_resize_one(agent: AgentUnderTest) -> None:
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    for power, op in ((pb.POWER_RUNNING, "instance.resize"), (pb.POWER_OFF, "instance.start")):
        spec = specs.instance(root, power=power)
        spec.permit.CopyFrom(agent.stub.permit_for(spec, op))
        assert permit_code(refusal(lambda spec=spec: agent.stub.bare.EnsureInstance(spec))) == "wrong_operation"
    assert not agent.fake.guests


def test_a_rebuild_makes_a_disk_and_a_guest_and_no_port_or_attachment(agent: AgentUnderTest) -> None:
    root = specs.volume()
    off = specs.instance(root, power=pb.POWER_OFF)
    guest = specs.instance(root, resource_id=off.subject.id, generation=2)
    for call, spec in (("EnsureVolume", root), ("EnsureInstance", off), ("EnsureInstance", guest)):
        spec.permit.CopyFrom(agent.stub.permit_for(spec, "instance.rebuild"))
        getattr(agent.stub.bare, call)(spec)
    data = specs.volume()
    agent.stub.EnsureVolume(data)
    for call, spec in (("EnsurePort", specs.port()), ("EnsureAttachment", specs.attachment(guest, data))):
        spec.permit.CopyFrom(agent.stub.permit_for(spec, "instance.rebuild"))
        error = refusal(lambda call=call, spec=spec: getattr(agent.stub.bare, call)(spec))
        assert permit_code(error) == "wrong_operation"


# ---- what it lists


def test_only_listed_resources_may_be_created(agent: AgentUnderTest) -> None:
    assert refused(agent, contents=Contents()) == "wrong_resource"
    assert refused(agent, contents=Contents(volumes=(specs.new_id(),))) == "wrong_resource"


def test_all_resources_of_a_call_must_be_listed(agent: AgentUnderTest) -> None:
    image = "a" * 64
    volume = specs.volume(image=image)
    own = (volume.subject.id,)
    assert code_of(agent, permitted(agent, volume, contents=Contents(volumes=own))) == "not_listed"
    assert code_of(agent, permitted(agent, volume, contents=Contents(volumes=own, images=("b" * 64,)))) == "not_listed"

    spec = specs.instance(specs.volume(), specs.port())
    own = (spec.subject.id,)
    for contents in (
        Contents(instances=own, nics=tuple(spec.port_ids)),
        Contents(instances=own, volumes=(spec.root_volume_id,)),
    ):
        spec.permit.CopyFrom(agent.stub.permit_for(spec, contents=contents))
        assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(spec))) == "not_listed"

    plug = specs.attachment(spec, specs.volume())
    own = (plug.subject.id,)
    for contents in (
        Contents(attachments=own, volumes=(plug.volume_id,)),
        Contents(attachments=own, instances=(plug.instance_id,)),
    ):
        plug.permit.CopyFrom(agent.stub.permit_for(plug, contents=contents))
        assert permit_code(refusal(lambda: agent.stub.bare.EnsureAttachment(plug))) == "not_listed"
    assert agent.fake.is_clean()


@pytest.mark.parametrize(
    ("field", "value"),
    [("mac", "52:54:00:00:00:99"), ("ip", "10.10.0.99"), ("network", "019abc00-0000-7000-8000-000000000000")],
)
def test_network_card_must_match_its_permit(agent: AgentUnderTest, field: str, value: str) -> None:
    port = agent.stub.permitted(specs.port())
    other = deepcopy(port)
    if field == "network":
        other.network.id = value
    else:
        setattr(other, field, value)
    assert permit_code(refusal(lambda: agent.stub.bare.EnsurePort(other))) == "not_listed"
    assert not agent.fake.ports
    agent.stub.bare.EnsurePort(port)


def test_a_guest_does_not_start_with_a_volume_that_its_permit_does_not_list(agent: AgentUnderTest) -> None:
    """A volume that was plugged in while the guest was off is opened by the start."""
    root, data = specs.volume(), specs.volume()
    spec = specs.instance(root, power=pb.POWER_OFF)
    agent.stub.EnsureVolume(root)
    agent.stub.EnsureVolume(data)
    agent.stub.EnsureInstance(spec)
    plug = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(plug)

    start = specs.next_generation(spec, power=pb.POWER_RUNNING)
    own = {"instances": (start.subject.id,), "volumes": (root.subject.id,)}
    start.permit.CopyFrom(agent.stub.permit_for(start, contents=Contents(**own)))
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(start))) == "not_listed"
    own["attachments"] = (plug.subject.id,)
    start.permit.CopyFrom(agent.stub.permit_for(start, contents=Contents(**own)))
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(start))) == "not_listed"
    assert agent.fake.guests[UUID(spec.subject.id)].starts == 0
    start.ClearField("permit")
    assert agent.stub.EnsureInstance(start).power == pb.POWER_RUNNING


def test_sizes_above_the_permit_are_refused(agent: AgentUnderTest) -> None:
    one_gib = Limits(vcpus=1, memory_mib=128, disk_gib=1)
    assert code_of(agent, permitted(agent, specs.volume(size_mib=1025), limits=one_gib)) == "over_limit"
    agent.stub.bare.EnsureVolume(permitted(agent, specs.volume(size_mib=1024), limits=one_gib))

    root = specs.volume()
    agent.stub.EnsureVolume(root)
    for sizes in ({"vcpus": 2}, {"memory_mib": 129}):
        spec = specs.instance(root, **sizes)
        spec.permit.CopyFrom(agent.stub.permit_for(spec, limits=one_gib))
        assert permit_code(refusal(lambda spec=spec: agent.stub.bare.EnsureInstance(spec))) == "over_limit"


def test_a_guest_belongs_to_the_project_of_its_permit(agent: AgentUnderTest) -> None:
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    spec = specs.instance(root)
    spec.permit.CopyFrom(agent.stub.permit_for(spec, project=specs.new_id()))
    assert permit_code(refusal(lambda: agent.stub.bare.EnsureInstance(spec))) == "wrong_project"


# ---- policies


def test_the_node_evaluates_the_policies_itself(agent: AgentUnderTest) -> None:
    """Also when the signer's key is in the wrong hands: what it signs is not what is believed."""
    assert refused(agent, policies=IN_GERMANY) == "policy_refuses"


def test_policies_cannot_be_swapped(agent: AgentUnderTest) -> None:
    request = permitted(agent, specs.volume(), policies=IN_GERMANY)
    for policies in (dumps(IN_FRANCE), dumps([])):
        request.permit.policies = policies
        assert code_of(agent, request) == "policy_mismatch"
    for nonsense in (b"", b"[", b"[" * 100_000, b"[ ]"):
        request.permit.policies = nonsense
        assert code_of(agent, request) == "malformed"


def test_policies_that_do_not_type_check_are_refused(agent: AgentUnderTest) -> None:
    assert refused(agent, policies=[{"id": "x", "level": "organization", "atoms": [{"id": "a", "op": "like"}]}]) == (
        "malformed"
    )
    assert refused(agent, policies={"id": "x"}) == "malformed"


def test_permit_with_too_few_roles_does_not_skip_clauses(agent: AgentUnderTest) -> None:
    for_storage = [IN_GERMANY[0] | {"atoms": [IN_GERMANY[0]["atoms"][0] | {"roles": ["storage"]}]}]
    assert refused(agent, policies=for_storage, roles=()) == "policy_refuses"


def test_two_people_waive_a_clause_and_one_does_not(agent: AgentUnderTest) -> None:
    sovereignty, duty = SigningKey.ed25519("approver-1"), SigningKey.p256("approver-2")
    officers = [(sovereignty, "sovereignty_officer", "bruno"), (duty, "duty_operator", "chloe")]
    keys = [agent.authority.signer.entry("permit"), agent.authority.officer.entry("facts")]
    organization = specs.new_id()
    keys += [
        sovereignty.entry("approval", approver=Approver("bruno", OFFICER_DUTY, organization)),
        duty.entry("approval", approver=Approver("chloe", "duty_operator")),
    ]
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=agent.authority.keyset(2, keys)))
    waivable = [IN_GERMANY[0] | {"atoms": [IN_GERMANY[0]["atoms"][0] | {"waivable": True}]}]
    request = specs.volume()
    terms = Terms(
        id=specs.new_id(),
        resources=(request.subject.id,),
        op="volume.create",
        zone=specs.ZONE,
        waived=("france/loc",),
        reason="a storm",
        requested_by="alice",
        not_before=now() - timedelta(minutes=1),
        expires_at=now() + timedelta(hours=4),
        max_uses=1,
    )
    approvals = []
    for key, office, name in officers:
        text = signed.message("approval", terms.approval_payload(name, office))
        approvals.append(Approval(name, office, key.id, key.sign(text)))
    one = Exemption(terms, (approvals[0],))
    both = Exemption(terms, tuple(approvals))

    def code(request: pb.EnsureVolumeRequest, **changes: object) -> str:
        return code_of(agent, permitted(agent, request, **({"organization": organization} | changes)))

    assert code(request, policies=waivable) == "policy_refuses"
    assert code(request, policies=waivable, exemption=one) == "not_approved"
    assert code(request, policies=waivable, exemption=both, organization=specs.new_id()) == "not_approved"
    assert code(request, policies=IN_GERMANY, exemption=both) == "policy_refuses"
    agent.stub.bare.EnsureVolume(
        permitted(agent, request, policies=waivable, exemption=both, organization=organization)
    )
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(deny=agent.authority.deny(1, kids=[duty.id])))
    assert code(specs.volume(), policies=waivable, exemption=both, resource=request.subject.id) == "revoked_key"


def test_unknown_fact_refuses(agent: AgentUnderTest) -> None:
    agent.authority.zone_facts.clear()
    agent.authority.epoch += 1
    agent.learn()
    assert refused(agent) == "policy_refuses"


# ---- keys and charters


def test_key_is_valid_only_within_its_scope(agent: AgentUnderTest) -> None:
    elsewhere, limited = SigningKey.ed25519("signer-de"), SigningKey.ed25519("signer-limited")
    keys = [
        agent.authority.signer.entry("permit"),
        agent.authority.officer.entry("facts"),
        elsewhere.entry("permit", zones=frozenset({"de-rhein-1"})),
        limited.entry("permit", classifications=frozenset({"public", "eu"})),
    ]
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=agent.authority.keyset(2, keys)))
    assert refused(agent, by=elsewhere) == "out_of_scope"
    assert refused(agent, by=limited, classifications=("eu", "hds")) == "out_of_scope"
    accepted(agent, by=limited, classifications=("eu",))


def test_key_is_valid_only_during_its_interval(agent: AgentUnderTest) -> None:
    past, future = SigningKey.ed25519("signer-past"), SigningKey.ed25519("signer-future")
    keys = [
        agent.authority.signer.entry("permit"),
        agent.authority.officer.entry("facts"),
        past.entry("permit", not_after=now() - timedelta(minutes=1)),
        future.entry("permit", not_before=now() + timedelta(minutes=1)),
    ]
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=agent.authority.keyset(2, keys)))
    assert refused(agent, by=past) == "unknown_key"
    assert refused(agent, by=future) == "unknown_key"


def test_ecdsa_permit_is_accepted_and_a_key_has_one_algorithm(agent: AgentUnderTest) -> None:
    p256, confused = SigningKey.p256("signer-p256"), SigningKey.p256("signer-confused")
    lying = confused.entry("permit")
    keys = [
        agent.authority.signer.entry("permit"),
        agent.authority.officer.entry("facts"),
        p256.entry("permit"),
        type(lying)(**{name: getattr(lying, name) for name in lying.__slots__} | {"algorithm": "Ed25519"}),
    ]
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=agent.authority.keyset(2, keys)))
    accepted(agent, by=p256)
    assert refused(agent, by=confused) == "bad_signature"


def test_rotated_key_is_refused(agent: AgentUnderTest) -> None:
    successor = SigningKey.ed25519("signer-2")
    both = [agent.authority.signer.entry("permit"), successor.entry("permit"), agent.authority.officer.entry("facts")]
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=agent.authority.keyset(2, both)))
    accepted(agent)
    accepted(agent, by=successor)
    old, agent.authority.signer = agent.authority.signer, successor
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=agent.authority.keyset(3, both[1:])))
    facts = agent.authority.facts(specs.ZONE)
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(floor=agent.authority.floor(specs.ZONE, facts), facts=facts))
    assert refused(agent, by=old) == "unknown_key"
    accepted(agent)


@pytest.mark.parametrize(
    ("denied", "code"),
    [
        ({"kids": ["signer-1"]}, "revoked_key"),
        ({"jtis": ["01980000-0000-7000-8000-0000000000d1"]}, "revoked"),
        ({"resources": ["01980000-0000-7000-8000-0000000000d2"]}, "revoked"),
        ({"nodes": [str(specs.NODE_ID)]}, "revoked"),
    ],
)
def test_denied_permit_stays_void_after_a_restart(
    agent: AgentUnderTest, denied: dict[str, list[str]], code: str
) -> None:
    if "kids" not in denied:
        accepted(agent)
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(deny=agent.authority.deny(1, by=agent.authority.root, **denied)))
    agent.restart()
    ids = {"jti": "01980000-0000-7000-8000-0000000000d1", "resource": "01980000-0000-7000-8000-0000000000d2"}
    assert refused(agent, **ids) == code


def test_charter_limits_the_classifications_of_a_node(agent: AgentUnderTest) -> None:
    charter = agent.authority.charter(specs.NODE_ID, specs.ZONE, version=2, classifications=frozenset({"eu", "snc"}))
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(charter=charter))
    assert refused(agent, classifications=("eu", "dr")) == "not_cleared"
    accepted(agent, classifications=("snc",))


def test_expired_or_missing_charter_refuses_all_permits(fresh: AgentUnderTest) -> None:
    trust = fresh.authority.trust(specs.NODE_ID, specs.ZONE)
    trust.ClearField("charter")
    fresh.stub.EnsureTrust(trust)
    assert refused(fresh) == "no_charter"
    over = fresh.authority.charter(specs.NODE_ID, specs.ZONE, valid_to=now() - timedelta(seconds=1))
    fresh.stub.EnsureTrust(pb.EnsureTrustRequest(charter=over))
    assert refused(fresh) == "no_charter"


def test_node_without_trust_documents_refuses_all_permits(fresh: AgentUnderTest) -> None:
    assert refused(fresh) == "unknown_key"
    assert fresh.stub.EnsureTrust(pb.EnsureTrustRequest()) == pb.TrustState(is_clock_kept=True)
