"""The facts epoch: one number that grows with all inputs of policy evaluation."""

from django.db import connection

from controlplane.catalog.models import FactsEpoch

ADVANCE = """
INSERT INTO catalog_factsepoch (id, value) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET value = catalog_factsepoch.value + 1 RETURNING value
"""


def advance() -> int:
    """Begin the next epoch, in the caller's transaction: until its end, nothing is committed that depends on facts."""
    with connection.cursor() as cursor:
        cursor.execute(ADVANCE)
        (value,) = cursor.fetchone()
    return int(value)


def current() -> int:
    return FactsEpoch.objects.values_list("value", flat=True).get(pk=1)
