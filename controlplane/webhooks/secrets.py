"""Secrets of webhooks: made here, kept sealed, and opened only to sign."""

import secrets
from base64 import b64encode
from datetime import datetime
from uuid import UUID

from standardwebhooks import Webhook as Signer

from controlplane.kernel.sealing import Unreadable, seal, unseal
from controlplane.webhooks.models import Webhook

PURPOSE = "webhook secrets"
SECRET_BYTES = 32


def create(webhook_id: UUID) -> tuple[str, bytes]:
    """A new secret of this webhook as its owner gets it, and as it is kept."""
    secret = "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return secret, seal(secret.encode(), purpose=PURPOSE, row_id=webhook_id)


def signature(webhook: Webhook, *, message_id: str, at: datetime, body: str) -> str | None:
    """What Standard Webhooks wants in webhook-signature: one for each secret that is good at that time. None: one
    cannot be opened, because SECRET_KEY is another."""
    sealed = [webhook.secret]
    if webhook.previous_secret and webhook.previous_ends_at is not None and webhook.previous_ends_at > at:
        sealed.append(webhook.previous_secret)
    try:
        opened = [unseal(bytes(each), purpose=PURPOSE, row_id=webhook.pk).decode() for each in sealed]
    except Unreadable:
        return None
    return " ".join(Signer(each).sign(msg_id=message_id, timestamp=at, data=body) for each in opened)
