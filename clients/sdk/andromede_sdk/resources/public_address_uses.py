# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class PublicAddressUses(Resource):
    def list(
        self,
        *,
        ip: str | None = None,
        instance: str | None = None,
        at: Moment | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.PublicAddressUse]:
        """GET /v1/projects/{project}/public-address-uses

        `ip`: This address.
        `instance`: The addresses of this instance, by id.
        `at`: In use at this time (RFC 3339).
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.PublicAddressUse,
            Ask(
                "GET",
                "/v1/projects/{project}/public-address-uses",
                query={
                    "ip": ip,
                    "instance": instance,
                    "at": at,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )
