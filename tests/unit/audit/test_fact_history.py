"""Facts of each epoch."""

from datetime import UTC, datetime, timedelta

import pytest

from andromede_core.documents.parsing import Malformed
from andromede_core.documents.signed import Signed
from andromede_core.evidence.fact_history import FactHistory
from andromede_core.facts.statements import Statement

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def signed(territory: str, *, zone: str = "fr-1") -> Signed:
    year = timedelta(days=365)
    values = (NOW - year, None, NOW, NOW + year, "self_declared", "", "Officer One")
    return Signed(Statement("zone", zone, "location.territory", territory, *values).payload(), "k", b"s")  # type: ignore[arg-type]


def stated(fact: str, epoch: object, *supersedes: str) -> dict[str, object]:
    return {"event": "stated", "fact": fact, "epoch": epoch, "supersedes": list(supersedes)}


def territory(history: FactHistory, epoch: int, zone: str = "fr-1") -> object:
    timeline = history.of(epoch).zones[zone].timeline("location.territory")
    return [fact.value for fact in timeline]


def test_fact_holds_from_its_epoch_until_it_is_superseded() -> None:
    history = FactHistory()
    history.record(stated("a", 1), signed("FR"))
    history.record(stated("x", 1), signed("DE", zone="de-1"))
    history.record(stated("b", 3, "a"), signed("RE"))
    history.record({"event": "withdrawn", "fact": "b", "epoch": 5}, None)
    assert [territory(history, epoch) for epoch in (1, 2, 3, 4)] == [["FR"], ["FR"], ["RE"], ["RE"]]
    assert "fr-1" not in history.of(0).zones
    assert "fr-1" not in history.of(5).zones
    assert territory(history, 9, "de-1") == ["DE"]


def test_remaining_part_of_a_superseded_fact_is_stated_anew() -> None:
    history = FactHistory()
    history.record(stated("a", 1), signed("FR"))
    history.record(stated("past", 2, "a"), signed("FR"))
    history.record(stated("present", 2, "a"), signed("RE", zone="fr-2"))
    assert [territory(history, 2), territory(history, 2, "fr-2")] == [["FR"], ["RE"]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (stated("c", 1), "must be a whole number"),
        (stated("b", 3), "stated before"),
        (stated("c", 3, "a"), "was not in force"),
        (stated("c", 3, "nobody"), "was not in force"),
        (stated("c", "3"), "must be a whole number"),
        ({"event": "dreamt", "fact": "c", "epoch": 3}, "must be one of"),
    ],
)
def test_contradictory_statement_is_refused(body: dict[str, object], reason: str) -> None:
    history = FactHistory()
    history.record(stated("a", 1), signed("FR"))
    history.record(stated("b", 2, "a"), signed("RE"))
    with pytest.raises(Malformed, match=reason):
        history.record(body, signed("US"))
