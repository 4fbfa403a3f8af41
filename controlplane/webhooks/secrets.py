"""Secrets of webhooks: created and encrypted here, and decrypted only to sign."""

import secrets
from base64 import b64encode
from datetime import datetime
from uuid import UUID

from standardwebhooks import Webhook as Signer

from controlplane.kernel.encryption import DecryptionFailed, decrypt, encrypt
from controlplane.webhooks.models import Webhook

PURPOSE = "webhook secrets"
SECRET_BYTES = 32


def create(webhook_id: UUID) -> tuple[str, bytes]:
    """Return a new secret of this webhook in plain text for its owner, and encrypted for the database."""
    secret = "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return secret, encrypt(secret.encode(), purpose=PURPOSE, row_id=webhook_id)


def signature(webhook: Webhook, *, message_id: str, at: datetime, body: str) -> str | None:
    """Return the header webhook-signature (Standard Webhooks): one signature for each secret that is valid at that
    time.

    None: the present secret cannot be decrypted, because SECRET_KEY is another.
    """
    secret, previous = _opened(webhook, webhook.secret), None
    if webhook.previous_secret and webhook.previous_ends_at is not None and webhook.previous_ends_at > at:
        previous = _opened(webhook, webhook.previous_secret)
    if secret is None:
        return None
    good = [each for each in (secret, previous) if each is not None]
    return " ".join(Signer(each).sign(msg_id=message_id, timestamp=at, data=body) for each in good)


def _opened(webhook: Webhook, ciphertext: bytes | memoryview) -> str | None:
    try:
        return decrypt(bytes(ciphertext), purpose=PURPOSE, row_id=webhook.pk).decode()
    except DecryptionFailed:
        return None
