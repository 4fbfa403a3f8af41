# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Resources(Resource):
    def lineage_list(
        self,
        organization: str,
        resource: str,
        *,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Lineage]:
        """GET /v1/organizations/{organization}/resources/{resource}/lineage

        `created_after`: Created after this time (RFC 3339).
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Lineage,
            Ask(
                "GET",
                "/v1/organizations/{organization}/resources/{resource}/lineage",
                names={"organization": organization, "resource": resource},
                query={"created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def residency(
        self, resource: str, *, from_: Moment | None = None, to: Moment | None = None, role: str | None = None
    ) -> models.Residency:
        """GET /v1/resources/{resource}/residency

        `from_`: Beginning of the period (RFC 3339).
        `to`: End of the period (RFC 3339).
        `role`: Only intervals of this role: one of compute, storage, snapshot, image, netedge, trash.
        """
        return self._scope.one(
            models.Residency,
            Ask(
                "GET",
                "/v1/resources/{resource}/residency",
                names={"resource": resource},
                query={"from": from_, "to": to, "role": role},
            ),
        )
