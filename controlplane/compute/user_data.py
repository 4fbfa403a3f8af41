"""User data of a guest's first boot, encrypted in the database (kernel/encryption.py).

It may hold passwords and join tokens. The encryption binds it to its instance; the step that sends it to a node
decrypts it.
"""

from typing import Any

from django.db import connection

from controlplane.compute.errors import UserDataUnreadable
from controlplane.compute.models import Instance
from controlplane.kernel import retention
from controlplane.kernel.encryption import DecryptionFailed, decrypt, encrypt

PURPOSE = "user data"
# The columns. The first one has the plain text that the previous release wrote.
USER_DATA = ("user_data", "encrypted_user_data")
NO_USER_DATA: dict[str, Any] = {"user_data": b"", "encrypted_user_data": None}
PORTION = 100  # of 64 KiB at most
# Instances with an operation are skipped: a worker of the previous release may need the plain text.
PLAIN = """
SELECT id FROM compute_instance AS instance
WHERE id > %(after)s AND user_data <> '' AND state <> 'deleted'
AND NOT EXISTS (SELECT FROM operations_operationhold WHERE resource_id = instance.id)
ORDER BY id LIMIT %(portion)s
"""
ENCRYPT = """
UPDATE compute_instance SET sealed_user_data = %s, user_data = '' WHERE id = %s AND user_data = %s
"""
FORGOTTEN = "UPDATE compute_instance SET user_data = '' WHERE state = 'deleted' AND user_data <> ''"


def write(instance: Instance, value: bytes) -> None:
    """Set the attributes; the caller saves them, or copies them to its Rebuild."""
    instance.user_data = b""
    instance.encrypted_user_data = encrypt(value, purpose=PURPOSE, row_id=instance.pk) if value else None


def read(instance: Instance) -> bytes:
    """Decrypt the user data.

    Raises:
        UserDataUnreadable
    """
    if instance.encrypted_user_data is None:
        return bytes(instance.user_data)
    try:
        return decrypt(bytes(instance.encrypted_user_data), purpose=PURPOSE, row_id=instance.pk)
    except DecryptionFailed as exc:
        raise UserDataUnreadable() from exc


def seal_plain() -> int:
    """Encrypt the plain text of the previous release, and erase that of deleted instances. Returns the rows changed."""
    with connection.cursor() as cursor:
        cursor.execute(FORGOTTEN)
        count: int = cursor.rowcount
        for ids in retention.id_batches(PLAIN, {}, portion=PORTION):
            for instance_id, value in Instance.objects.filter(pk__in=ids).values_list("pk", "user_data"):
                ciphertext = encrypt(bytes(value), purpose=PURPOSE, row_id=instance_id)
                cursor.execute(ENCRYPT, [ciphertext, instance_id, bytes(value)])
                count += cursor.rowcount
    return count
