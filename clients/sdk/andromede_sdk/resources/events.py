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

        `after`: The cursor behind which to read; `now`: none of what was. Without it: the oldest that is kept.
        `project`: Only what concerns this project (id or name).
        `kind`: Only these kinds, separated by commas: `instance.active`, or `instance.*` for all of a noun.
        `resource`: Only what happened to the resource with this id; its operations too.
        `wait`: When there is nothing yet, answer once there is, or after so many seconds (0s to 60s).
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

        `after`: As for the list, but without it: `now`. The header Last-Event-ID goes before it.
        `project`: Only what concerns this project (id or name).
        `kind`: Only these kinds, separated by commas: `instance.active`, or `instance.*` for all of a noun.
        `resource`: Only what happened to the resource with this id; its operations too.
        """
        return self._scope.events(
            Ask(
                "GET",
                "/v1/events/stream",
                query={"after": after, "project": project, "kind": kind, "resource": resource},
            )
        )
