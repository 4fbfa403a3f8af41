"""Drifted resources, from the API's drift list."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from controlplane.dashboard.api_client import Api, ApiError

MANY = 200
# States of drift; an approved plan moves nothing by itself.
NOT_ADMISSIBLE = ("drifted", "remediating")


def list_drifted(api: Api, project: str, *, most: int | None = None, **filters: str) -> list[dict[str, Any]]:
    """Return at most `most` drifted resources of a project; none without the right to list them. Sends two requests,
    and one more for each MANY resources."""
    drifts = (each for state in NOT_ADMISSIBLE for each in _list_drift(api, project=project, state=state, **filters))
    return list(islice(drifts, most))


def find_drift(api: Api, resource: str) -> dict[str, Any] | None:
    """Return the drift of a resource; None if it has none or the user may not list drift."""
    return next((each for each in _list_drift(api, resource=resource) if each["state"] in NOT_ADMISSIBLE), None)


def read_resource_names(api: Api, resources: Collection[str]) -> dict[str, str]:
    """Return the names of placed resources by id, without those that the user may not see."""
    names: dict[str, str] = {}
    for each in _list_drift(api) if resources else ():
        if each["resource_id"] in resources:
            names[each["resource_id"]] = each["name"]
        if len(names) == len(resources):
            break
    return names


def _list_drift(api: Api, **query: str) -> Iterator[dict[str, Any]]:
    page_token: str | None = ""
    while page_token is not None:
        try:
            page = api.get("drift", **query, limit=MANY, page_token=page_token)
        except ApiError as exc:
            if exc.status != 403:
                raise
            return
        yield from page["items"]
        page_token = page["next_page_token"]
