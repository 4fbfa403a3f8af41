"""Permits of a move name the other node; all others name none."""

from dataclasses import replace

import pytest

from andromede_core.documents.parsing import Malformed
from andromede_core.permits.permit import Peer, PermitRejected, parse, with_peer
from andromede_core.policy.clauses import ROLES
from andromede_core.policy.roles import ROLES_OF, TAKING_NOTHING
from tests.unit.placement.permits_made import PERMIT, TRUST, checked, code, signed, with_policies

OTHER = Peer("node-2", "ab" * 32)
MOVE = replace(PERMIT, op="instance.migrate", roles=ROLES_OF["instance.migrate"], peer=OTHER)


def test_a_permit_names_its_peer_and_only_one_of_a_move_has_any() -> None:
    assert MOVE.payload()["peer"] == {"node": "node-2", "certificate_sha256": "ab" * 32}
    assert parse(MOVE.payload()) == MOVE
    assert "peer" not in PERMIT.payload()
    assert parse(PERMIT.payload()).peer is None


def test_a_peer_is_whole_or_malformed() -> None:
    whole = {"node": "node-2", "certificate_sha256": "ab" * 32}
    for malformed in (None, "node-2", {"node": "node-2"}, whole | {"address": "x"}, whole | {"node": 7}):
        with pytest.raises(Malformed, match="peer"):
            parse(PERMIT.payload() | {"peer": malformed})


def test_other_peer_is_refused() -> None:
    with_peer(MOVE, OTHER)
    for other in (replace(OTHER, node="node-3"), replace(OTHER, certificate_sha256="cd" * 32)):
        with pytest.raises(PermitRejected) as caught:
            with_peer(MOVE, other)
        assert caught.value.code == "WRONG_PEER"
    with pytest.raises(PermitRejected, match="names no node"):
        with_peer(PERMIT, OTHER)


def test_signature_covers_the_peer() -> None:
    genuine = signed(MOVE)
    forged = replace(genuine, payload={**genuine.payload, "peer": {"node": "node-3", "certificate_sha256": "ab" * 32}})
    assert checked(genuine, ops=("instance.migrate",)).peer == OTHER
    assert code(forged, ops=("instance.migrate",)) == "BAD_SIGNATURE"


def test_destination_is_checked_like_a_creation_and_a_source_is_not() -> None:
    assert ROLES_OF["instance.migrate"] == ROLES_OF["instance.create"]
    assert set(ROLES_OF["instance.migrate"]) <= set(ROLES)
    assert ROLES_OF["instance.migrate-out"] == ()
    assert "instance.migrate-out" in TAKING_NOTHING


def test_data_may_leave_and_not_enter_an_inadmissible_zone() -> None:
    abroad = [
        {"id": "pol-2", "level": "project", "atoms": [{"id": "z", "op": "in", "attr": "zone.id", "value": ["x"]}]}
    ]
    outgoing = with_policies(abroad, op="instance.migrate-out", roles=(), peer=OTHER)
    assert checked(outgoing, policies=abroad, ops=("instance.migrate-out",)).peer == OTHER
    incoming = with_policies(abroad, op="instance.migrate", peer=OTHER)
    assert code(incoming, TRUST, policies=abroad, ops=("instance.migrate",)) == "POLICY_REFUSES"
