# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Evidence(Resource):
    def checkpoint(self) -> str:
        """GET /v1/evidence/checkpoint"""
        return self._scope.text(Ask("GET", "/v1/evidence/checkpoint"))

    def cosign(self, *, tree_size: int, line: str, dry_run: bool = False, idempotency_key: str | None = None) -> None:
        """POST /v1/evidence/cosignatures

        A cosignature: a line of a signed note, by a witness whose key the operators have added.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "POST",
                    "/v1/evidence/cosignatures",
                    query={"dry_run": dry_run or None},
                    body={"tree_size": tree_size, "line": line},
                    key=idempotency_key,
                )
            ),
        )

    def list(
        self,
        *,
        kind: str | None = None,
        resource: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Record]:
        """GET /v1/evidence/records

        `kind`: One of decision, permit, cosignature, receipt, copy, fact, policy_version, policy_proposal, exemption, drift, erasure, admin_session, key_release, node, trust, incident, mark, audit.
        `resource`: The records of the resource with this id.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Record,
            Ask(
                "GET",
                "/v1/evidence/records",
                query={
                    "kind": kind,
                    "resource": resource,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def proof(self, record: str) -> models.Proof:
        """GET /v1/evidence/records/{record}/proof"""
        return self._scope.one(
            models.Proof, Ask("GET", "/v1/evidence/records/{record}/proof", names={"record": record})
        )

    def witness_request(self, *, old: int | None = None) -> str:
        """GET /v1/evidence/witness-request

        `old`: The size of the log checkpoint that the witness signed last; 0 if there is none.
        """
        return self._scope.text(Ask("GET", "/v1/evidence/witness-request", query={"old": old}))
