"""SSH keys and affinity groups: rows without a resource on nodes."""

import base64
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_ssh_public_key, ssh_key_fingerprint
from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.compute.errors import (
    SshKeyInvalid,
    SshKeyNameTaken,
)
from controlplane.compute.models import SshKey
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.identity.row_locks import lock_project
from controlplane.kernel import count_limits
from controlplane.kernel.db import edit, raise_on_violation
from controlplane.kernel.names import check_labels, check_name

KEY_MAX_CHARACTERS = 8192


KEY_TYPES = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")


@transaction.atomic
def ssh_key_create(
    actor: Actor, project: Project, *, name: str, public_key: str, labels: Mapping[str, str] | None = None
) -> SshKey:
    """Store a public key. Its comment is dropped: it would reach guests, and often names people and hosts.

    Raises:
        SshKeyInvalid, SshKeyNameTaken, InvalidLabels, ProjectNotFound, CountExhausted.
    """
    actor.may_write()
    lock_project(project)
    count_limits.require_below_limit("ssh_keys", SshKey.objects.filter(project=project))
    checked_labels = check_labels(dict(labels or {}))
    key, fingerprint = parse_ssh_key(public_key)
    with raise_on_violation("compute_ssh_key_name_taken", SshKeyNameTaken(field="name", name=name)):
        row = SshKey.objects.create(
            project=project, name=check_name(name), labels=checked_labels, public_key=key, fingerprint=fingerprint
        )
    record(actor, "ssh_key.create", row.pk, project_id=project.pk, name=name, fingerprint=fingerprint)
    return row


def parse_ssh_key(text: str) -> tuple[str, str]:
    """Return the key as "type base64", and its SHA256 fingerprint as OpenSSH prints it."""
    words = text.strip().split()
    if len(text) > KEY_MAX_CHARACTERS or "\n" in text.strip() or len(words) < 2:
        raise SshKeyInvalid(
            field="public_key", reason=Message("it must be one line: type, base64 and an optional comment")
        )
    if words[0] not in KEY_TYPES:
        raise SshKeyInvalid(
            field="public_key", reason=Message("its type must be one of {known}", known=", ".join(KEY_TYPES))
        )
    try:
        key = load_ssh_public_key(" ".join(words[:2]).encode())
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise SshKeyInvalid(field="public_key", reason=Message("its base64 part does not hold such a key")) from exc
    digest = base64.b64encode(ssh_key_fingerprint(key, hashes.SHA256())).decode().rstrip("=")
    return " ".join(words[:2]), f"SHA256:{digest}"


@transaction.atomic
def ssh_key_update(actor: Actor, key: SshKey, *, name: str, labels: dict[str, str]) -> SshKey:
    """Change the key's name and labels. Raises SshKeyNameTaken, InvalidName, InvalidLabels."""
    actor.may_write()
    with raise_on_violation("compute_ssh_key_name_taken", SshKeyNameTaken(field="name", name=name)):
        edit(key, name=name, labels=labels)
    record(actor, "ssh_key.update", key.pk, project_id=key.project_id, name=name)
    return key


@transaction.atomic
def ssh_key_delete(actor: Actor, key: SshKey) -> None:
    """Delete the key. Instances that were created with it keep accepting it."""
    actor.may_write()
    record(actor, "ssh_key.delete", key.pk, project_id=key.project_id, name=key.name)
    key.delete()
