"""Copies of a cloud do not see each other: a test that breaks all it can reach leaves the next one a whole cloud."""

import shutil

import pytest
from django.db import connection

from controlplane.catalog import epochs
from controlplane.signer import trusted_facts
from tests.services.policies import import_all
from tests.workflows.helpers import make_instance
from tests.world import Cloud

known_epochs: list[int] = []  # whose facts the turn before has loaded


@pytest.mark.parametrize("turn", range(2))
def test_a_cloud_is_whole_after_another_was_broken(cloud: Cloud, turn: int) -> None:
    while any(epochs.current() < each for each in known_epochs):
        epochs.advance()
    assert trusted_facts.load("fr-idf-1", epochs.current()).document == b"[]"
    assert make_instance(cloud).state == "active"
    assert cloud.machine.held.charter is not None
    _break(cloud)


def _break(cloud: Cloud) -> None:
    """Break rows, files, the agent's state store, and what this process remembers of the facts."""
    import_all()
    cloud.world.publish_keys()
    assert trusted_facts.load("fr-idf-1", epochs.current()).document != b"[]"
    known_epochs.append(epochs.current())
    cloud.machine.server.node.state_store.execute("DELETE FROM resource")
    cloud.fake.guests.clear()
    shutil.rmtree(cloud.world.folder)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("SET LOCAL session_replication_role = origin")
