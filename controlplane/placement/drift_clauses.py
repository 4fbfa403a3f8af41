"""What is asked about something that stays where it is, and how the answer is told."""

from collections.abc import Iterable

from andromede_core.policy.evaluation import ClauseResult

STANDING_OPERATION = {"instance": "instance.start", "volume": "volume.create"}


def failed_clauses(results: Iterable[ClauseResult]) -> list[dict[str, str]]:
    """As documents, those that do not hold."""
    return [
        {
            "level": result.ref.level,
            "policy": result.ref.policy,
            "atom": result.ref.atom,
            "code": result.code,
            "detail": result.detail,
        }
        for result in results
        if result.result != "T"
    ]
