"""People who approve exemptions: accounts, keys, and the keyset with their keys."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from andromede_core.documents.signed import message
from andromede_core.permits.trust_documents import OFFICER_DUTY, Approver
from andromede_core.policy.exemption import KIND
from controlplane.catalog import signing_keys
from controlplane.catalog.officer_keys import NewOfficerKey, officer_key_register
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import User
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes.keysets import NewKeys
from controlplane.nodes.management import signing
from controlplane.nodes.signing_keys import SigningKey
from controlplane.placement import exemptions
from controlplane.placement.exemptions import exemption_approve
from controlplane.placement.models import Exemption

OFFICER, OPERATOR = OFFICER_DUTY, "duty_operator"


@dataclass(frozen=True)
class Person:
    actor: Actor
    key_id: str
    key: Ed25519PrivateKey

    def sign(self, exemption: Exemption, duty: str) -> bytes:
        payload = exemptions.terms_of(exemption).approval_payload(str(self.actor.user_id), duty)
        return self.key.sign(message(KIND, payload))

    def approve(self, exemption: Exemption, duty: str) -> Exemption:
        signature = self.sign(exemption, duty)
        return exemption_approve(self.actor, exemption, duty=duty, key_id=self.key_id, signature=signature)


def person(name: str, *, user_id: UUID | None = None, **fields: object) -> Person:
    """Return a person with a key that is registered and in no keyset yet. `fields`: of the actor."""
    user_id = user_id or User.objects.create(email=f"{name}@example.org").pk
    key = Ed25519PrivateKey.generate()
    since = clock.now() - timedelta(days=1)
    row = officer_key_register(
        SYSTEM, NewOfficerKey(officer=name, public_key=signing_keys.public_part(key), not_before=since, user_id=user_id)
    )
    actor = replace(Actor(user_id, new_id(), None, "member"), **fields)  # type: ignore[arg-type]
    return Person(actor, row.key_id, key)


def agree(root: SigningKey, exemption: Exemption) -> Exemption:
    """Approve by two new people of different roles."""
    owner, name = exemption.project.organization_id, exemption.pk.hex
    officer = person(f"officer-{name}", role=OFFICER, organization_id=owner)
    operator = person(f"operator-{name}", role="operator", is_operator=True)
    appoint(root, {officer: OFFICER, operator: OPERATOR})
    return operator.approve(officer.approve(exemption, OFFICER), OPERATOR)


def appoint(root: SigningKey, people: dict[Person, str]) -> None:
    """Publish a keyset with each person's key for approvals in this role; officers' keys are for their organization."""
    found = {
        each.key_id: Approver(str(each.actor.user_id), duty, str(each.actor.organization_id) if duty == OFFICER else "")
        for each, duty in people.items()
    }
    signing.publish(SYSTEM, root, NewKeys(), approvers=found)
