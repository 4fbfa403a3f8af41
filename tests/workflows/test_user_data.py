"""User data is encrypted in the database, delivered to the guest as sent, and deleted with it."""

from importlib import import_module
from unittest.mock import patch

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from pytest_django import Settings

from controlplane.compute import user_data
from controlplane.compute.errors import UserDataUnreadable
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_delete
from controlplane.operations.models import ResourceLock
from tests.workflows.helpers import ask_instance, done, fresh, make_instance
from tests.world import Cloud

pytestmark = pytest.mark.django_db
SECRET = b"#cloud-config\n# join-token: hunter2\n"
migration = import_module("controlplane.compute.migrations.0010_sealed_user_data")


def columns(instance: Instance) -> tuple[bytes, bytes | None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_data, sealed_user_data FROM compute_instance WHERE id = %s", [instance.pk])
        plain, ciphertext = cursor.fetchone()
    return bytes(plain), None if ciphertext is None else bytes(ciphertext)


def write_plain(*instances: Instance) -> None:
    """Write plain user data, as the previous release did."""
    Instance.objects.filter(pk__in=[each.pk for each in instances]).update(user_data=SECRET, encrypted_user_data=None)


def test_user_data_is_encrypted_in_the_database_and_plain_in_the_guest(cloud: Cloud) -> None:
    instance = make_instance(cloud, user_data=SECRET)
    plain, ciphertext = columns(instance)
    assert plain == b"" and ciphertext is not None and b"hunter2" not in ciphertext
    assert cloud.fake.seeds[instance.pk]["user-data"] == SECRET
    other = make_instance(cloud, "other")
    assert columns(other) == (b"", None)
    other.encrypted_user_data = ciphertext
    with pytest.raises(UserDataUnreadable):
        user_data.read(other)


def test_plain_user_data_of_an_older_release_is_read_and_encrypted(cloud: Cloud) -> None:
    ours = [ask_instance(cloud, f"web-{number}")[0] for number in range(3)]
    busy, gone = ours[0], make_instance(cloud, "gone")
    write_plain(*ours, gone)
    Instance.objects.filter(pk=gone.pk).update(state="deleted", node=None)
    ResourceLock.objects.exclude(resource_id=busy.pk).delete()
    with patch.object(user_data, "PORTION", 1):
        assert user_data.seal_plain() == 3
    assert columns(busy) == (SECRET, None) and columns(gone) == (b"", None)
    for each in ours[1:]:
        plain, ciphertext = columns(each)
        assert plain == b"" and ciphertext is not None and b"hunter2" not in ciphertext
    assert all(user_data.read(fresh(each)) == SECRET for each in ours)
    ResourceLock.objects.all().delete()
    assert (user_data.seal_plain(), user_data.seal_plain()) == (1, 0)


def test_reverse_migration_decrypts_user_data(cloud: Cloud) -> None:
    instance = make_instance(cloud, user_data=SECRET)
    before = MigrationLoader(connection).project_state([("compute", "0010_sealed_user_data")])
    migration.open_all(before.apps, None)
    assert columns(instance) == (SECRET, None)


def test_user_data_is_deleted_with_the_instance(cloud: Cloud) -> None:
    instance = make_instance(cloud, user_data=SECRET)
    done(instance_delete(cloud.tenant.actor, instance))
    assert columns(instance) == (b"", None)


def test_user_data_is_readable_under_a_new_secret_key(cloud: Cloud, settings: Settings) -> None:
    instance = make_instance(cloud, user_data=SECRET)
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    with pytest.raises(UserDataUnreadable):
        user_data.read(fresh(instance))
    settings.SECRET_KEY_FALLBACKS = [before]
    assert user_data.read(fresh(instance)) == SECRET
