# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Classifications(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.Classification]:
        """GET /v1/classifications

        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.Classification,
            Ask("GET", "/v1/classifications", query={"sort": sort, "limit": page_size}),
        )

    def get(self, classification: str) -> models.Classification:
        """GET /v1/classifications/{classification}"""
        return self._scope.one(
            models.Classification,
            Ask("GET", "/v1/classifications/{classification}", names={"classification": classification}),
        )

    def policy(self, classification: str) -> models.Policy:
        """GET /v1/classifications/{classification}/policy"""
        return self._scope.one(
            models.Policy,
            Ask("GET", "/v1/classifications/{classification}/policy", names={"classification": classification}),
        )

    def policy_set(
        self,
        classification: str,
        *,
        atoms: Sequence[Mapping[str, Any]],
        if_match: str | int,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> models.PolicySet:
        """PUT /v1/classifications/{classification}/policy

        A new version of the policy.

        `atoms` replace all former ones. A change that demands less becomes a proposal, with the given reason.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PolicySet,
            Ask(
                "PUT",
                "/v1/classifications/{classification}/policy",
                names={"classification": classification},
                query={"dry_run": dry_run or None},
                body={"atoms": atoms, "reason": reason},
                if_match=if_match,
            ),
        )

    def policy_undo(
        self, classification: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.PolicySet:
        """POST /v1/classifications/{classification}/policy/actions/undo

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PolicySet,
            Ask(
                "POST",
                "/v1/classifications/{classification}/policy/actions/undo",
                names={"classification": classification},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
