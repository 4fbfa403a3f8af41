"""The one table that belongs to no app."""

from django.db import models

from controlplane.kernel.db import BaseModel


class IdempotencyRecord(BaseModel):
    """What was answered to a POST with an Idempotency-Key, for whoever repeats it (kernel/idempotency.py).

    `scope` is the credential, method, path and key, `request` what was asked: digests under keys that only who presents
    the credential can derive. `answer` is sealed in the same way, since it may hold a secret that is shown once.
    """

    scope = models.BinaryField(max_length=32)
    request = models.BinaryField(max_length=32)
    answer = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope"], name="kernel_idempotency_scope_once")]
        indexes = [models.Index(fields=["created_at"])]
