# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Drift(Resource):
    def list(
        self,
        *,
        state: str | None = None,
        zone: str | None = None,
        kind: str | None = None,
        project: str | None = None,
        resource: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Compliance]:
        """GET /v1/drift

        `state`: One of compliant, at-risk, drifted, remediating, exempted.
        `zone`: Resources in this zone.
        `kind`: One of instance, volume, snapshot.
        `project`: Resources of the project with this id.
        `resource`: The resource with this id.
        `sort`: One of resource_id, -resource_id.
        """
        return Listing(
            self._scope,
            models.Compliance,
            Ask(
                "GET",
                "/v1/drift",
                query={
                    "state": state,
                    "zone": zone,
                    "kind": kind,
                    "project": project,
                    "resource": resource,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )
