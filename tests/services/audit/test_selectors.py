"""Residency from the log: a volume's receipts, the guest's permit that they answer, and its decision."""

import pytest

from controlplane.audit import evidence_log, selectors
from controlplane.audit.models import EvidenceRecord
from controlplane.kernel.ids import new_id


@pytest.mark.django_db
def test_residency_joins_receipts_permits_and_decisions() -> None:
    guest, root, volume, decision, jti = (new_id() for _ in range(5))
    node, hours = str(new_id()), [f"2026-11-24T{hour:02}:00:00Z" for hour in range(5)]
    evidence_log.append(
        "decision", {"decision": str(decision), "admit": True, "resource": str(guest)}, resource_id=guest
    )
    body = {"jti": str(jti), "resource": str(guest), "aud": node, "zone": "fr-1", "decision": str(decision)}
    body |= {"nbf": hours[0], "roles": ["compute"], "op": "instance.create", "volumes": [str(root), str(volume)]}
    evidence_log.append("permit", {"p": body, "kid": "k", "sig": "s"}, resource_id=guest)
    receipt = {"jti": str(jti), "node": node, "zone": "fr-1", "kind": "volume", "resource": str(volume)}
    for hour, event in ((1, "opened"), (3, "closed")):
        evidence_log.append("receipt", {"p": receipt | {"event": event, "at": hours[hour]}}, resource_id=volume)
    (interval,) = selectors.residency_of(volume).intervals
    assert (interval.role, interval.state, interval.is_compliant) == ("storage", "proven", True)
    assert (interval.decision, interval.permit) == (str(decision), str(jti))
    assert interval.open_receipt == str(EvidenceRecord.objects.filter(kind="receipt").order_by("pk")[0].pk)
    assert [each.state for each in selectors.residency_of(guest).intervals] == ["claimed"]
    evidence_log.erase_record(EvidenceRecord.objects.get(kind="permit").pk, reason="law")
    assert not selectors.residency_of(volume).intervals[0].is_compliant


@pytest.mark.django_db
def test_refused_permit_gives_no_residency() -> None:
    guest, volume, jti = (new_id() for _ in range(3))
    node = str(new_id())
    body = {"jti": str(jti), "resource": str(guest), "aud": node, "zone": "fr-1", "decision": str(new_id())}
    body |= {"op": "instance.create", "volumes": [str(volume)]}
    evidence_log.append(
        "permit", {"p": body | {"nbf": "2026-11-24T00:00:00Z", "roles": ["compute"]}}, resource_id=guest
    )
    assert [each.state for each in selectors.residency_of(guest).intervals] == ["claimed"]
    refused = {"jti": str(jti), "node": node, "zone": "fr-1", "kind": "volume", "resource": str(volume)}
    evidence_log.append(
        "receipt", {"p": refused | {"event": "refused", "at": "2026-11-24T00:00:01Z"}}, resource_id=volume
    )
    assert selectors.residency_of(guest).intervals == ()
