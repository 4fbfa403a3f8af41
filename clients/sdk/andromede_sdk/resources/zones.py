# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Zones(Resource):
    def list(
        self,
        *,
        region: str | None = None,
        sort: str | None = None,
        admissible_for: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Zone]:
        """GET /v1/zones

        `region`: The zones of this region.
        `sort`: One of id, -id.
        `admissible_for`: Only open zones that admit an instance and a volume under all policies of this classification or project. Clauses about other roles (backup, console) are not evaluated.
        """
        return Listing(
            self._scope,
            models.Zone,
            Ask(
                "GET",
                "/v1/zones",
                query={"region": region, "sort": sort, "admissible_for": admissible_for, "limit": page_size},
            ),
        )

    def get(self, zone: str) -> models.Zone:
        """GET /v1/zones/{zone}"""
        return self._scope.one(models.Zone, Ask("GET", "/v1/zones/{zone}", names={"zone": zone}))

    def capacity(self, zone: str, *, flavor: str) -> models.Capacity:
        """GET /v1/zones/{zone}/capacity

        `flavor`: Count the instances of this flavor that fit, under the policies of the credential's project, or without one the platform's.
        """
        return self._scope.one(
            models.Capacity, Ask("GET", "/v1/zones/{zone}/capacity", names={"zone": zone}, query={"flavor": flavor})
        )
