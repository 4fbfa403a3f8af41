# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from andromede_sdk import models
from andromede_sdk.resource import Ask, Moment, Resource


class Policy(Resource):
    def simulate(
        self,
        *,
        lost_certificates: Sequence[models.LostInput] | None = None,
        changes: Sequence[models.ChangeInput] | None = None,
        at: Moment | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Simulation:
        """POST /v1/policy/simulate

        Assumptions of a simulation: withdrawn certificates, other facts, or another time (`at`).
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Simulation,
            Ask(
                "POST",
                "/v1/policy/simulate",
                query={"dry_run": dry_run or None},
                body={"lost_certificates": lost_certificates, "changes": changes, "at": at},
                key=idempotency_key,
            ),
        )

    def get(self) -> models.Policy:
        """GET /v1/projects/{project}/policy"""
        return self._scope.one(models.Policy, Ask("GET", "/v1/projects/{project}/policy"))

    def set(
        self,
        *,
        atoms: Sequence[Mapping[str, Any]],
        if_match: str | int,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> models.PolicySet:
        """PUT /v1/projects/{project}/policy

        A new version of the policy.

        `atoms` replace all former ones. A change that demands less becomes a proposal, with the given reason.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PolicySet,
            Ask(
                "PUT",
                "/v1/projects/{project}/policy",
                query={"dry_run": dry_run or None},
                body={"atoms": atoms, "reason": reason},
                if_match=if_match,
            ),
        )

    def undo(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.PolicySet:
        """POST /v1/projects/{project}/policy/actions/undo

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PolicySet,
            Ask(
                "POST",
                "/v1/projects/{project}/policy/actions/undo",
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
