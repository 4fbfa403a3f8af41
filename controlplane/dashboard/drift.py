"""What is where it may not be, as the API's list of drift says it."""

from typing import Any

from controlplane.dashboard.asking import Api, Refused

MANY = 200
# The states of what is where it may not be; an approved plan moves nothing by itself.
NOT_ADMISSIBLE = ("drifted", "remediating")


def drifted_in(api: Api, project: str, **filters: str) -> list[dict[str, Any]]:
    """What of a project is where it may not be, two requests for all of it; nothing for whoever may not ask that."""
    return [
        each for state in NOT_ADMISSIBLE for each in _asked(api, project=project, state=state, limit=MANY, **filters)
    ]


def drift_of(api: Api, resource: str) -> dict[str, Any] | None:
    """The row of a resource that is where it may not be; None: it may be there, or whoever looks may not ask that."""
    return next((each for each in _asked(api, resource=resource) if each["state"] in NOT_ADMISSIBLE), None)


def _asked(api: Api, **query: Any) -> list[dict[str, Any]]:
    try:
        items: list[dict[str, Any]] = api.get("drift", **query)["items"]
    except Refused as exc:
        if exc.status != 403:
            raise
        return []
    return items
