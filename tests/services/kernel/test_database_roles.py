"""Database rights of each process's role, whatever its code requests."""

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

from controlplane.kernel.database_roles import FORMER, ROLES
from tests.roles import as_role

pytestmark = pytest.mark.django_db

# Nothing that one process may do for all.
NOBODY = (
    "CREATE TABLE made_up (id int)",
    "ALTER TABLE audit_auditrecord DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_append_only ON audit_auditrecord",
    "TRUNCATE audit_auditrecord",
    "TRUNCATE identity_user CASCADE",
    "DELETE FROM django_migrations",
    "CREATE ROLE made_up",
)


def refusal(role: str, statement: str) -> str:
    """Return PostgreSQL's error for the role, or an empty string."""
    try:
        with as_role(role), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except ProgrammingError as exc:
        return str(exc)
    return ""


@pytest.mark.parametrize("role", ROLES)
def test_no_role_changes_the_schema_or_truncates_a_table(role: str) -> None:
    for statement in NOBODY:
        error = refusal(role, statement)
        assert "permission denied" in error or "must be owner" in error, statement


@pytest.mark.parametrize(
    ("role", "table"),
    [
        ("web", "placement_permit"),
        ("web", "network_segment"),
        ("web", "compute_metadatadocument"),
        ("web", "nodes_trustdocument"),
        ("web", "nodes_receipt"),
        ("web", "storage_clusters_storagereceipt"),
        ("web", "audit_checkpoint"),
        ("stream", "placement_permit"),
        ("stream", "identity_membership"),
        ("stream", "signin_password"),
        ("worker", "nodes_trustdocument"),
        ("worker", "catalog_fact"),
        ("worker", "signin_password"),
        ("signer", "catalog_fact"),
        ("signer", "identity_membership"),
        ("sentinel", "placement_decision"),
        ("sentinel", "catalog_fact"),
        ("watcher", "placement_permit"),
        ("watcher", "identity_apitoken"),
        ("webhooks", "placement_permit"),
        ("webhooks", "compute_instance"),
    ],
)
def test_role_cannot_write_tables_of_other_processes(role: str, table: str) -> None:
    statements = [f"INSERT INTO {table} DEFAULT VALUES", f"UPDATE {table} SET id = id", f"DELETE FROM {table}"]
    for statement in statements[: 2 if table in ROLES[role].removes else 3]:
        assert f"permission denied for table {table}" in refusal(role, statement)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("verb", ["INSERT INTO {} DEFAULT VALUES", "UPDATE {} SET ended_at = NULL", "DELETE FROM {}"])
def test_no_role_writes_the_history_of_public_addresses(role: str, verb: str) -> None:
    assert "permission denied for table" in refusal(role, verb.format("network_publicaddressuse"))


@pytest.mark.parametrize("function", ["network_publicaddress_use", "network_port_public_use"])
def test_no_role_writes_history_by_a_trigger_of_its_own(function: str) -> None:
    """The table would be one of its own, with rows of its choice."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE forged (id uuid, port_id uuid)")
        cursor.execute("ALTER TABLE forged OWNER TO andromede_web")
    trigger = f"CREATE TRIGGER forge BEFORE UPDATE ON forged FOR EACH ROW EXECUTE FUNCTION {function}()"
    assert f"permission denied for function {function}" in refusal("web", trigger)


@pytest.mark.parametrize("role", ["signer", "sentinel", "watcher", "webhooks"])
@pytest.mark.parametrize(
    "table", ["signin_password", "signin_totp", "signin_session", "signin_failurecount", "identity_apitoken"]
)
def test_role_without_sign_in_cannot_read_credentials(role: str, table: str) -> None:
    assert f"permission denied for table {table}" in refusal(role, f"SELECT * FROM {table}")


@pytest.mark.parametrize("role", ["web", "stream", "sentinel", "watcher", "webhooks"])
def test_only_signer_and_sender_read_identity_documents(role: str) -> None:
    statement = "SELECT * FROM compute_metadatadocument"
    assert "permission denied for table compute_metadatadocument" in refusal(role, statement)
    assert refusal("signer", statement) == refusal("worker", statement) == ""


@pytest.mark.parametrize("role", ["signer", "sentinel", "watcher", "webhooks"])
def test_role_without_sign_in_cannot_read_former_credentials(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE axes_accessattempt (id int)")
    call_command("grant_database_roles")
    assert "permission denied" in refusal(role, "SELECT * FROM axes_accessattempt")
    assert refusal("web", "SELECT * FROM axes_accessattempt") == ""


def test_metrics_roles_create_and_drop_partitions_through_functions() -> None:
    make = "SELECT metrics_make_partition('{}', '2026-01-01', '2026-01-02')"
    for role in ("watcher", "worker"):
        assert refusal(role, make.format("metrics_minute")) == ""
        assert refusal(role, make.format("metrics_port_minute")) == ""
        assert "must be owner" in refusal(role, "DROP TABLE metrics_minute")
        assert refusal(role, "SELECT metrics_drop_partition('metrics_minute_2026010100')") == ""
    assert "permission denied for function" in refusal("web", make.format("metrics_minute"))


@pytest.mark.parametrize("table", ["identity_user", "metrics_rollup"])
def test_partition_functions_touch_no_other_tables(table: str) -> None:
    assert refusal("worker", f"SELECT metrics_drop_partition('{table}')") == ""
    assert table in connection.introspection.table_names()
    created = f"SELECT metrics_make_partition('{table}', '2026-01-01', '2026-01-02')"
    assert "has no partitions" in refusal("worker", created)


def test_each_pattern_of_the_roles_matches_a_table() -> None:
    tables = connection.introspection.table_names()
    for name, rights in ROLES.items():
        for pattern in {*rights.writes, *rights.kept, *rights.removes, *rights.hidden} - {*FORMER}:
            assert any(rights.names(pattern, table) for table in tables), (name, pattern)


def test_rights_are_granted_idempotently(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("grant_database_roles")
    with connection.cursor() as cursor:
        cursor.execute("REVOKE SELECT ON identity_user FROM andromede_web")
    call_command("grant_database_roles")
    call_command("grant_database_roles")
    assert capsys.readouterr().out.split("\n")[1:] == ["changed", "up to date", ""]
