# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class PolicyProposals(Resource):
    def list(
        self,
        *,
        state: str | None = None,
        level: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Proposal]:
        """GET /v1/policy-proposals

        `state`: One of proposed, approved, applied, withdrawn.
        `level`: platform, organization, project or classification.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Proposal,
            Ask(
                "GET",
                "/v1/policy-proposals",
                query={
                    "state": state,
                    "level": level,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def create(
        self,
        *,
        atoms: Sequence[Mapping[str, Any]],
        reason: str,
        organization: str | None = None,
        project: str | None = None,
        classification: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Proposal:
        """POST /v1/policy-proposals

        A new proposal. At most one policy owner; without an owner, the platform's policy.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/policy-proposals",
                query={"dry_run": dry_run or None},
                body={
                    "organization": organization,
                    "project": project,
                    "classification": classification,
                    "atoms": atoms,
                    "reason": reason,
                },
                key=idempotency_key,
            ),
        )

    def get(self, proposal: str) -> models.Proposal:
        """GET /v1/policy-proposals/{proposal}"""
        return self._scope.one(
            models.Proposal, Ask("GET", "/v1/policy-proposals/{proposal}", names={"proposal": proposal})
        )

    def approve(self, proposal: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Proposal:
        """POST /v1/policy-proposals/{proposal}/actions/approve

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/policy-proposals/{proposal}/actions/approve",
                names={"proposal": proposal},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def withdraw(self, proposal: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Proposal:
        """POST /v1/policy-proposals/{proposal}/actions/withdraw

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/policy-proposals/{proposal}/actions/withdraw",
                names={"proposal": proposal},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
