"""The one table that belongs to no app."""

from django.db import models

from controlplane.kernel.db import BaseModel


class IdempotencyRecord(BaseModel):
    """Response to a POST with an Idempotency-Key, for repetitions (kernel/idempotency.py).

    `scope` identifies credential, method, path and key; `request` the content of the request: digests under keys that
    only the holder of the credential can derive. `answer` is encrypted in the same way, since it may contain a secret
    that is shown once.
    """

    scope = models.BinaryField(max_length=32)
    request = models.BinaryField(max_length=32)
    answer = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope"], name="kernel_idempotency_scope_once")]
        indexes = [models.Index(fields=["created_at"])]
