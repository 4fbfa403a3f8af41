"""Alarm of an almost full connection tracking table."""

from pathlib import Path

from agents.node.adapters.network.connections import ConnectionTable


def table(folder: Path, count: int, most: int = 1000) -> None:
    (folder / "nf_conntrack_count").write_text(f"{count}\n")
    (folder / "nf_conntrack_max").write_text(f"{most}\n")


def test_alarm_starts_at_80_percent_and_ends_below_70(tmp_path: Path) -> None:
    connections = ConnectionTable(tmp_path)
    problems = []
    for count in (799, 800, 1000, 700, 699, 799):
        table(tmp_path, count)
        problems.append(connections.problem())
    assert [bool(problem) for problem in problems] == [False, True, True, True, False, False]
    assert len({problem for problem in problems if problem}) == 1, "other words would be another incident"
    assert "1000 entries" in problems[1]


def test_empty_table_raises_no_alarm(tmp_path: Path) -> None:
    assert ConnectionTable(tmp_path).problem() == ""
    table(tmp_path, 0, most=0)
    assert ConnectionTable(tmp_path).problem() == ""
