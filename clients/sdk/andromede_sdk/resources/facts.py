# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Sequence

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Facts(Resource):
    def list(
        self,
        *,
        subject_kind: str | None = None,
        subject_id: str | None = None,
        attribute: str | None = None,
        key_id: str | None = None,
        created_after: Moment | None = None,
        at: Moment | None = None,
        believed_at: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Fact]:
        """GET /v1/facts

        `subject_kind`: One of zone, party, set, scheme_class, region, node, pool.
        `subject_id`: Facts about this zone, party, set and so on.
        `attribute`: Facts about this attribute.
        `key_id`: Facts signed with this key.
        `created_after`: Created after this time (RFC 3339).
        `at`: Facts valid at this time (RFC 3339).
        `believed_at`: Facts that counted at this time (RFC 3339); now by default.
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Fact,
            Ask(
                "GET",
                "/v1/facts",
                query={
                    "subject_kind": subject_kind,
                    "subject_id": subject_id,
                    "attribute": attribute,
                    "key_id": key_id,
                    "created_after": created_after,
                    "at": at,
                    "believed_at": believed_at,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def state(
        self, *, facts: Sequence[models.SignedFactInput], dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.FactsStated:
        """POST /v1/facts

        Signed facts. All are recorded, or none.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.FactsStated,
            Ask("POST", "/v1/facts", query={"dry_run": dry_run or None}, body={"facts": facts}, key=idempotency_key),
        )
