# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class AddressSets(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.AddressSet]:
        """GET /v1/projects/{project}/address-sets

        `name`: The address set of this name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.AddressSet,
            Ask(
                "GET",
                "/v1/projects/{project}/address-sets",
                query={
                    "name": name,
                    "created_after": created_after,
                    "labels": labels,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def create(
        self,
        *,
        name: str,
        cidrs: Sequence[str],
        description: str | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.AddressSet:
        """POST /v1/projects/{project}/address-sets

        Ranges of addresses, of one or both families, that rules of security groups name as their peer.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AddressSet,
            Ask(
                "POST",
                "/v1/projects/{project}/address-sets",
                query={"dry_run": dry_run or None},
                body={"name": name, "cidrs": cidrs, "description": description, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, address_set: str) -> models.AddressSet:
        """GET /v1/projects/{project}/address-sets/{address_set}"""
        return self._scope.one(
            models.AddressSet,
            Ask("GET", "/v1/projects/{project}/address-sets/{address_set}", names={"address_set": address_set}),
        )

    def update(
        self,
        address_set: str,
        *,
        name: str | None = None,
        cidrs: Sequence[str] | None = None,
        description: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.AddressSet:
        """PATCH /v1/projects/{project}/address-sets/{address_set}

        Changes of an address set. `cidrs` replace the former ones, in all rules that name the set.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AddressSet,
            Ask(
                "PATCH",
                "/v1/projects/{project}/address-sets/{address_set}",
                names={"address_set": address_set},
                query={"dry_run": dry_run or None},
                body={"name": name, "cidrs": cidrs, "description": description, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, address_set: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/address-sets/{address_set}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/address-sets/{address_set}",
                    names={"address_set": address_set},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )
