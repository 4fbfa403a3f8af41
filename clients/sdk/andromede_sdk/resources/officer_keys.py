# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class OfficerKeys(Resource):
    def list(
        self,
        *,
        officer: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.OfficerKey]:
        """GET /v1/officer-keys

        `officer`: The keys of this officer.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.OfficerKey,
            Ask(
                "GET",
                "/v1/officer-keys",
                query={"officer": officer, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        *,
        officer: str,
        public_key: str,
        key_id: str | None = None,
        user_id: str | None = None,
        not_before: Moment | None = None,
        not_after: Moment | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.OfficerKey:
        """POST /v1/officer-keys

        An officer's key. `public_key`: PEM, or the base64 of its SubjectPublicKeyInfo; Ed25519, or ECDSA on P-256.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.OfficerKey,
            Ask(
                "POST",
                "/v1/officer-keys",
                query={"dry_run": dry_run or None},
                body={
                    "officer": officer,
                    "public_key": public_key,
                    "key_id": key_id,
                    "user_id": user_id,
                    "not_before": not_before,
                    "not_after": not_after,
                },
                key=idempotency_key,
            ),
        )

    def revoke(self, officer_key: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/officer-keys/{officer_key}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/officer-keys/{officer_key}",
                    names={"officer_key": officer_key},
                    query={"dry_run": dry_run or None},
                )
            ),
        )
