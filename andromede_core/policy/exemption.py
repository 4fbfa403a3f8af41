"""Exemptions (break-glass): two people of different roles waive clauses for resources, an operation, a zone and hours.

Pure, standard library only: nodes check both signatures themselves.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_choice, as_count, as_instant, as_list, as_object, as_rfc3339, as_text
from andromede_core.documents.signed import BadDocument, Signed, from_envelope
from andromede_core.permits.trust_documents import DUTIES, OFFICER_DUTY, Approver, Keyring

KIND = "approval"  # of the document that each of the two signs
LONGEST = timedelta(hours=72)
NEVER_WAIVED_FOR = frozenset({"dr", "classified"})  # data for which no exemption in software is possible
USUAL = timedelta(hours=4)
TERMS = ("id", "resources", "op", "zone", "waived", "reason", "requested_by", "not_before", "expires_at", "max_uses")


class NotApproved(Exception):
    """The exemption is not valid for the action.

    `code`: NOT_APPROVED, SAME_PERSON, REVOKED_KEY, EXEMPTION_OVER, NEVER_EXEMPTED or NOT_EXEMPTED.
    """

    def __init__(self, code: str, reason: Message) -> None:
        self.code, self.reason = code, reason
        super().__init__(f"{code}: {reason}")


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval: the person, the duty and the key; the signature is over `Terms.approval_payload`."""

    approver: str
    duty: str
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of an exemption. `waived`: clauses as policy/clause; `requested_by`, like approvers: a user's id."""

    id: str
    resources: tuple[str, ...]
    op: str
    zone: str
    waived: tuple[str, ...]
    reason: str
    requested_by: str
    not_before: datetime
    expires_at: datetime
    max_uses: int

    def payload(self) -> dict[str, object]:
        return {
            "id": self.id,
            "resources": list(self.resources),
            "op": self.op,
            "zone": self.zone,
            "waived": list(self.waived),
            "reason": self.reason,
            "requested_by": self.requested_by,
            "not_before": as_rfc3339(self.not_before),
            "expires_at": as_rfc3339(self.expires_at),
            "max_uses": self.max_uses,
        }

    def approval_payload(self, approver: str, duty: str) -> dict[str, object]:
        """Return the payload that an approver signs: all the terms, and the approver's duty."""
        return {"terms": self.payload(), "approver": approver, "duty": duty}


@dataclass(frozen=True, slots=True)
class Exemption:
    terms: Terms
    approvals: tuple[Approval, ...]

    def payload(self) -> dict[str, object]:
        signed = [
            Signed({"approver": each.approver, "duty": each.duty}, each.key_id, each.signature)
            for each in self.approvals
        ]
        return {"terms": self.terms.payload(), "approvals": [each.envelope() for each in signed]}


@dataclass(frozen=True, slots=True)
class Occasion:
    """The action under an exemption.

    `organization`: the owner of the resource's data; `classifications`: the current ones of the data, whatever they
    were when the exemption was requested.
    """

    resource: str
    op: str
    zone: str
    organization: str
    classifications: tuple[str, ...]


def check(exemption: Exemption, occasion: Occasion, *, now: datetime, keyring: Keyring) -> None:
    """Check an exemption for an action.

    Raises:
        NotApproved: the exemption is for another action or time, or lacks the agreement of two people of different
            duties of whom neither requested it.
    """
    terms, approvals = exemption.terms, exemption.approvals
    if (occasion.op, occasion.zone) != (terms.op, terms.zone) or occasion.resource not in terms.resources:
        raise NotApproved("NOT_EXEMPTED", Message("exemption {id} is for something else", id=terms.id))
    if never := never_waived(occasion.classifications):
        known = ", ".join(never)
        raise NotApproved("NEVER_EXEMPTED", Message("data classified {known} allows none in software", known=known))
    if not terms.not_before <= now < terms.expires_at or terms.expires_at - terms.not_before > LONGEST:
        raise NotApproved("EXEMPTION_OVER", Message("exemption {id} does not hold at this time", id=terms.id))
    if sorted(each.duty for each in approvals) != sorted(DUTIES):
        raise NotApproved("NOT_APPROVED", Message("exemption {id} needs one approval of each duty", id=terms.id))
    people = {each.approver for each in approvals}
    if len(people) != len(approvals) or len({each.key_id for each in approvals}) != len(approvals):
        raise NotApproved("SAME_PERSON", Message("exemption {id} was approved by one person twice", id=terms.id))
    if terms.requested_by in people:
        raise NotApproved("SAME_PERSON", Message("exemption {id} was approved by its requester", id=terms.id))
    for approval in approvals:
        check_approval(terms, approval, organization=occasion.organization, keyring=keyring)


def never_waived(classifications: Collection[str]) -> list[str]:
    """Return the clauses that allow no exemption."""
    return sorted(NEVER_WAIVED_FOR.intersection(classifications))


def check_approval(terms: Terms, approval: Approval, *, organization: str, keyring: Keyring) -> None:
    """Verify an approval by the keyset, which neither the signer nor an operator of the control plane can make.

    Raises:
        NotApproved: the key is not this person's for this duty and organization, or the signature is wrong.
    """
    if approval.key_id in keyring.denied:
        raise NotApproved(
            "REVOKED_KEY", Message("an approval is signed by {key_id}, which was revoked", key_id=approval.key_id)
        )
    key = keyring.keyset.keys.get(approval.key_id)
    side = organization if approval.duty == OFFICER_DUTY else ""
    if key is None or key.approver != Approver(approval.approver, approval.duty, side):
        raise NotApproved(
            "NOT_APPROVED",
            Message(
                "key {key_id} is not this person's for the duty {duty}", key_id=approval.key_id, duty=approval.duty
            ),
        )
    if not key.not_before <= terms.not_before < key.not_after:
        raise NotApproved(
            "NOT_APPROVED",
            Message("key {key} was not valid when exemption {id} was requested", key=key.id, id=terms.id),
        )
    signed = Signed(terms.approval_payload(approval.approver, approval.duty), approval.key_id, approval.signature)
    try:
        signed.check(KIND, keyring.verifier(key))
    except BadDocument as exc:
        raise NotApproved(
            "NOT_APPROVED", Message("the signature of {approver} is not valid", approver=approval.approver)
        ) from exc


def parse(value: object, at: str) -> Exemption:
    """Parse an exemption: terms and approvals.

    Raises:
        Malformed: with the field.
    """
    body = as_object(value, at, required=("terms", "approvals"))
    approvals = [_approval(item, f"{at}.approvals[{n}]") for n, item in enumerate(as_list(body["approvals"], at))]
    return Exemption(parse_terms(body["terms"], f"{at}.terms"), tuple(approvals))


def parse_terms(value: object, at: str) -> Terms:
    body = as_object(value, at, required=TERMS)
    texts = {name: as_text(body[name], f"{at}.{name}", limit=500) for name in ("id", "op", "zone", "reason")}
    return Terms(
        **texts,
        requested_by=as_text(body["requested_by"], f"{at}.requested_by"),
        resources=_texts(body["resources"], f"{at}.resources"),
        waived=_texts(body["waived"], f"{at}.waived"),
        not_before=as_instant(body["not_before"], f"{at}.not_before"),
        expires_at=as_instant(body["expires_at"], f"{at}.expires_at"),
        max_uses=as_count(body["max_uses"], f"{at}.max_uses", minimum=1, maximum=100),
    )


def _texts(value: object, at: str) -> tuple[str, ...]:
    return tuple(as_text(item, f"{at}[{n}]") for n, item in enumerate(as_list(value, at)))


def _approval(item: object, at: str) -> Approval:
    signed = from_envelope(item)
    body: Mapping[str, object] = as_object(dict(signed.payload), f"{at}.p", required=("approver", "duty"))
    return Approval(
        approver=as_text(body["approver"], f"{at}.p.approver"),
        duty=as_choice(body["duty"], f"{at}.p.duty", among=DUTIES),
        key_id=signed.key_id,
        signature=signed.signature,
    )
