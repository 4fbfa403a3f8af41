"""Clauses about a resource that stays where it is, and their results as documents."""

from collections.abc import Iterable

from andromede_core.policy.evaluation import ClauseResult

STANDING_OPERATION = {"instance": "instance.start", "volume": "volume.create", "snapshot": "snapshot.create"}


def failed_clauses(results: Iterable[ClauseResult]) -> list[dict[str, str]]:
    """Return the clauses that do not hold, as documents."""
    return [
        {
            "level": result.ref.level,
            "policy": result.ref.policy,
            "atom": result.ref.clause,
            "code": result.code,
            "detail": result.detail,
        }
        for result in results
        if result.result != "T"
    ]
