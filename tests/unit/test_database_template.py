"""The cluster that others copy: made once, made anew after the schema has changed, and never in place of another."""

from pathlib import Path

import pytest

from scripts import database_template


@pytest.fixture
def created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the content of the one file of each cluster that is made."""
    clusters: list[str] = []

    def make() -> None:
        clusters.append(f"cluster {len(clusters)}")
        (database_template.VAR / "pg").mkdir(parents=True, exist_ok=True)
        (database_template.VAR / "pg" / "PG_VERSION").write_text(clusters[-1])

    monkeypatch.setattr(database_template, "VAR", tmp_path / "prepared")
    monkeypatch.setattr(database_template, "make_cluster", make)
    return clusters


def content(var: Path) -> str:
    database_template.copy_cluster_into(var)
    return (var / "pg" / "PG_VERSION").read_text()


def test_template_is_made_once_and_copied(created: list[str], tmp_path: Path) -> None:
    assert [content(tmp_path / name) for name in ("a", "b")] == ["cluster 0", "cluster 0"]
    assert created == ["cluster 0"]


def test_template_is_remade_after_a_schema_change(
    created: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert content(tmp_path / "a") == "cluster 0"
    monkeypatch.setattr(database_template, "schema_digest", lambda: "other migrations")
    assert [content(tmp_path / name) for name in ("a", "b")] == ["cluster 0", "cluster 1"]


def test_migration_changes_the_schema_digest(tmp_path: Path) -> None:
    before = database_template.schema_digest(tmp_path)
    migration = tmp_path / "nodes" / "migrations" / "0001_first.py"
    migration.parent.mkdir(parents=True)
    migration.write_text("operations = []")
    first = database_template.schema_digest(tmp_path)
    migration.write_text("operations = [1]")
    assert len({before, first, database_template.schema_digest(tmp_path)}) == 3
