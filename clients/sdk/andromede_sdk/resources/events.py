# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Events(Resource):
    def list(
        self,
        *,
        after: str | None = None,
        project: str | None = None,
        kind: str | None = None,
        resource: str | None = None,
        wait: str | None = None,
    ) -> models.Events:
        """GET /v1/events

        `after`: Cursor of the last event read; `now`: no past events. Default: the oldest stored event.
        `project`: Only events of this project (id or name).
        `kind`: Only these kinds, separated by commas: `instance.active`, or `instance.*` for all kinds of a noun.
        `resource`: Only events of the resource with this id, including its operations.
        `wait`: Wait for events if there are none yet, at most for this time (0s to 60s).
        """
        return self._scope.one(
            models.Events,
            Ask(
                "GET",
                "/v1/events",
                query={"after": after, "project": project, "kind": kind, "resource": resource, "wait": wait},
            ),
        )

    def stream(
        self,
        *,
        after: str | None = None,
        project: str | None = None,
        kind: str | None = None,
        resource: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """GET /v1/events/stream

        `after`: The same as for the list, but `now` by default. The header Last-Event-ID takes precedence.
        `project`: Only events of this project (id or name).
        `kind`: Only these kinds, separated by commas: `instance.active`, or `instance.*` for all kinds of a noun.
        `resource`: Only events of the resource with this id, including its operations.
        """
        return self._scope.events(
            Ask(
                "GET",
                "/v1/events/stream",
                query={"after": after, "project": project, "kind": kind, "resource": resource},
            )
        )
