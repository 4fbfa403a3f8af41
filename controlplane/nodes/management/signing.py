"""Helpers that the key commands share."""

import argparse
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from andromede_core.permits.trust_documents import ANY, Approver, Key, Keyset
from controlplane.identity.actor import Actor
from controlplane.identity.management.base import OperatorCommand, read_bytes
from controlplane.kernel import clock
from controlplane.nodes import keysets, signing_keys, trust_documents
from controlplane.nodes.errors import NoKeyset, ZoneWithoutKey
from controlplane.nodes.keysets import NewKeys
from controlplane.nodes.models import Node


def add_root_key(parser: CommandParser, *, is_required: bool = True) -> None:
    parser.add_argument(
        "--root-key", required=is_required, metavar="FILE", help="path of the root key, needed for this command only"
    )


def add_ca_key(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--ca-key",
        metavar="FILE",
        help="path of the authority's key, if kept elsewhere (-: from stdin); needed for this command only",
    )


def ca_key(options: Mapping[str, Any]) -> bytes | None:
    """Read the file of `--ca-key`; None: the key is beside ca.crt.

    Raises:
        CommandError: the file cannot be read.
    """
    path = options["ca_key"]
    if path is None:
        return None
    return sys.stdin.buffer.read() if path == "-" else read_bytes(path)


def write_certificate(command: OperatorCommand, path: Path | None, certificate: str, *, otherwise: str) -> None:
    """Write the certificate (PEM); None: to standard output. Inside the transaction that records it.

    Raises:
        CommandError: the file cannot be written. `otherwise`: what has not happened then.
    """
    if path is None:
        command.stdout.write(certificate)
        return
    try:
        path.write_text(certificate)
    except OSError as exc:
        raise CommandError(f"Cannot write {path}: {exc.strerror}. {otherwise}") from exc


def add_scope(parser: CommandParser) -> None:
    parser.add_argument("--zones", type=words, default=(ANY,), help="zones for which new keys may sign (default: all)")
    parser.add_argument(
        "--classifications",
        type=words,
        default=(ANY,),
        help="classifications for which new keys may sign (default: all)",
    )


def words(text: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)


@transaction.atomic
def publish(
    actor: Actor,
    root: signing_keys.SigningKey,
    new: NewKeys,
    *,
    approvers: Mapping[str, Approver] = MappingProxyType({}),
    without: Collection[str] = (),
) -> Keyset:
    """Publish the keyset that follows the last one, unless nothing would change.

    `approvers`: officers' keys that are for exemptions from now on, and their persons. `without`: signers' and
    sentinels' keys to leave out.
    """
    before, now = _published(), clock.now()
    void = trust_documents.deny_list().kids | set(without)
    valid = {kid: key for kid, key in before.items() if kid not in void}
    keys = keysets.officer_keys(before, approvers, now=now)
    for role, use in signing_keys.USE_OF.items():
        public = {kid: key for kid, key in signing_keys.public_keys(settings.PKI_DIR, role).items() if kid not in void}
        keys |= keysets.process_keys(valid, public, use, new, now=now)
    return trust_documents.keyset() if keys == before else trust_documents.keyset_publish(actor, root, keys.values())


def to_void(new: NewKeys) -> set[str]:
    """Return the signers' keys whose scope overlaps the new one's: those that an emergency ends.

    Raises:
        ZoneWithoutKey: nodes would have no key for their zone left.
    """
    denied, signers = trust_documents.deny_list().kids, [key for key in _published().values() if key.use == "permit"]
    over = {key.id for key in signers if keysets.overlaps(key, new)}
    left = [key for key in signers if key.id not in over | denied and signing_keys.is_signer_now(key)]
    zones = set(Node.objects.order_by().values_list("zone_id", flat=True).distinct())
    bare = {zone for zone in zones if not keysets.covers(zone, new)}
    bare = {zone for zone in bare if not any(key.covers(zone=zone, classifications=()) for key in left)}
    if bare:
        raise ZoneWithoutKey(zones=", ".join(sorted(bare)))
    return over


def _published() -> dict[str, Key]:
    try:
        return dict(trust_documents.keyset().keys)
    except NoKeyset:
        return {}
