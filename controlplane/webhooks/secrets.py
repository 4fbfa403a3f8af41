"""Secrets of webhooks: made here, kept sealed, and opened only to sign."""

import secrets
from base64 import b64encode
from datetime import datetime

from standardwebhooks import Webhook as Signer

from controlplane.kernel import sealing
from controlplane.webhooks.models import Webhook

PURPOSE = "webhook secrets"
SECRET_BYTES = 32


def create() -> tuple[str, str]:
    """A new secret as its owner gets it, and as it is kept."""
    secret = "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return secret, sealing.seal(secret.encode(), purpose=PURPOSE)


def signature(webhook: Webhook, *, message_id: str, at: datetime, body: str) -> str | None:
    """What Standard Webhooks wants in webhook-signature: one for each secret that is good at that time. None: the
    secret cannot be opened, because SECRET_KEY is another."""
    sealed = [webhook.secret]
    if webhook.previous_secret and webhook.previous_ends_at is not None and webhook.previous_ends_at > at:
        sealed.append(webhook.previous_secret)
    opened = [sealing.unseal(each, purpose=PURPOSE) for each in sealed]
    if opened[0] is None:
        return None
    good = [each.decode() for each in opened if each is not None]
    return " ".join(Signer(each).sign(msg_id=message_id, timestamp=at, data=body) for each in good)
