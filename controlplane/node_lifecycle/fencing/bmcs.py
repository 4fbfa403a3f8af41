"""BMC settings of nodes. The password is write-only."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.db import transaction

from andromede_core.documents.messages import Message, message_of
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.encryption import DecryptionFailed, decrypt, encrypt
from controlplane.kernel.errors import CloudError, InvalidRequest
from controlplane.node_lifecycle.fencing import redfish
from controlplane.node_lifecycle.fencing.redfish import Access
from controlplane.nodes.errors import BmcRefused, BmcUnknown
from controlplane.nodes.models import Bmc, Node

PURPOSE = "bmc"
SHA256 = re.compile(r"[0-9a-f]{64}")
SYSTEM_ID = re.compile(r"[A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, repr=False)
class NewBmc:
    """A BMC. `certificate_sha256`: in hex, with colons or without."""

    address: str
    username: str
    password: str
    certificate_sha256: str
    system_id: str = ""


def bmc_get(node: Node) -> Bmc:
    """Return the node's BMC. Raises BmcUnknown."""
    bmc = Bmc.objects.filter(node=node).first()
    if bmc is None:
        raise BmcUnknown(node=node.name)
    return bmc


@transaction.atomic
def bmc_set(actor: Actor, node: Node, new: NewBmc) -> Bmc:
    """Store the BMC without a connection: the first use shows if it is right.

    Raises:
        InvalidRequest: the address is not valid or in no management network, or fingerprint or id are not valid.
    """
    actor.may_operate()
    new = replace(new, certificate_sha256=new.certificate_sha256.replace(":", "").lower())
    _check(new)
    existing = Bmc.objects.select_for_update().filter(node=node).first()
    row = existing or Bmc(node=node)
    row.address, row.username, row.system_id = new.address, new.username, new.system_id
    row.certificate_sha256 = new.certificate_sha256
    row.encrypted_password = encrypt(new.password.encode(), purpose=PURPOSE, row_id=row.pk)
    row.checked_at, row.problem, row.updated_at = None, "", clock.now()
    row.save()
    record(actor, "node.bmc-set", node.pk, name=node.name, address=new.address, username=new.username)
    return row


def _check(new: NewBmc) -> None:
    try:
        redfish.parse_address(new.address)
    except ValueError as exc:
        raise InvalidRequest(field="address", reason=message_of(exc)) from exc
    if not SHA256.fullmatch(new.certificate_sha256):
        reason = Message("it must be the SHA-256 of the certificate: 64 hexadecimal digits.")
        raise InvalidRequest(field="certificate_sha256", reason=reason)
    if not SYSTEM_ID.fullmatch(new.system_id):
        reason = Message("it must be letters, digits, dots, dashes and underscores.")
        raise InvalidRequest(field="system_id", reason=reason)


@transaction.atomic
def bmc_remove(actor: Actor, node: Node) -> None:
    """Remove the BMC, after which the node cannot be switched off from here. Idempotent."""
    actor.may_operate()
    if Bmc.objects.filter(node=node).delete()[0]:
        record(actor, "node.bmc-remove", node.pk, name=node.name)


def power_off(node: Node) -> str:
    """Switch the node off. Raises BmcUnknown, BmcUnreachable, BmcRefused."""
    return _recording(bmc_get(node), redfish.power_off)


def power_state(node: Node) -> str:
    """Return the power state. Raises BmcUnknown, BmcUnreachable, BmcRefused."""
    return _recording(bmc_get(node), redfish.power_state)


def _recording(row: Bmc, call: Callable[[Access], str]) -> str:
    """Record the outcome, with the problem, on the BMC's row."""
    problem = ""
    try:
        return call(_access(row))
    except CloudError as exc:
        problem = exc.reason[:300]
        raise
    finally:
        Bmc.objects.filter(pk=row.pk).update(checked_at=clock.now(), problem=problem)


def _access(row: Bmc) -> Access:
    try:
        password = decrypt(bytes(row.encrypted_password), purpose=PURPOSE, row_id=row.pk)
    except DecryptionFailed as exc:
        raise BmcRefused(reason=Message("its stored password cannot be decrypted; set it again")) from exc
    return Access(row.address, row.username, password.decode(), row.certificate_sha256, row.system_id)
