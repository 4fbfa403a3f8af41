# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Platform(Resource):
    def audit_list(
        self,
        *,
        actor: str | None = None,
        credential: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        outcome: str | None = None,
        completed_after: Moment | None = None,
        completed_before: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.RequestRecord]:
        """GET /v1/audit

        `actor`: Requests of this user.
        `credential`: Requests with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: Requests about this resource.
        `operation`: The request that began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this time (RFC 3339).
        `completed_before`: Completed before this time (RFC 3339).
        `sort`: One of -completed_at, completed_at.
        """
        return Listing(
            self._scope,
            models.RequestRecord,
            Ask(
                "GET",
                "/v1/audit",
                query={
                    "actor": actor,
                    "credential": credential,
                    "verb": verb,
                    "resource": resource,
                    "operation": operation,
                    "request_id": request_id,
                    "outcome": outcome,
                    "completed_after": completed_after,
                    "completed_before": completed_before,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def audit_deed_list(
        self,
        *,
        actor: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Deed]:
        """GET /v1/audit/deeds

        `actor`: Actions of this user.
        `verb`: The action, such as instance.create.
        `resource`: Actions on this resource.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Deed,
            Ask(
                "GET",
                "/v1/audit/deeds",
                query={
                    "actor": actor,
                    "verb": verb,
                    "resource": resource,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def audit_export(
        self,
        to: BinaryIO,
        *,
        actor: str | None = None,
        credential: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        outcome: str | None = None,
        completed_after: Moment | None = None,
        completed_before: Moment | None = None,
        format: str | None = None,
    ) -> int:
        """GET /v1/audit/export

        `actor`: Requests of this user.
        `credential`: Requests with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: Requests about this resource.
        `operation`: The request that began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this time (RFC 3339).
        `completed_before`: Completed before this time (RFC 3339).
        `format`: jsonl: JSON Lines, with everything needed to verify them against the evidence log; csv: a table.
        """
        return self._scope.download(
            Ask(
                "GET",
                "/v1/audit/export",
                query={
                    "actor": actor,
                    "credential": credential,
                    "verb": verb,
                    "resource": resource,
                    "operation": operation,
                    "request_id": request_id,
                    "outcome": outcome,
                    "completed_after": completed_after,
                    "completed_before": completed_before,
                    "format": format,
                },
            ),
            to,
        )

    def operation_list(
        self,
        *,
        resource: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        created_after: Moment | None = None,
        project: str | None = None,
        stuck: bool = False,
        organization: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.PlatformOperation]:
        """GET /v1/operations

        `resource`: The operations on the resource with this id.
        `state`: One of pending, running, undoing, succeeded, failed, cancelled.
        `kind`: The operations of this kind, such as instance.create.
        `created_after`: Created after this time (RFC 3339).
        `project`: The operations of the project with this id.
        `stuck`: true: running operations that cannot end by themselves; false: all others.
        `organization`: The operations of the organization with this id.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.PlatformOperation,
            Ask(
                "GET",
                "/v1/operations",
                query={
                    "resource": resource,
                    "state": state,
                    "kind": kind,
                    "created_after": created_after,
                    "project": project,
                    "stuck": stuck,
                    "organization": organization,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def operation(self, operation: str, *, wait: str | None = None) -> models.PlatformOperation:
        """GET /v1/operations/{operation}

        `wait`: Respond when the operation has ended, at the latest after this time (0s to 60s).
        """
        return self._scope.one(
            models.PlatformOperation,
            Ask("GET", "/v1/operations/{operation}", names={"operation": operation}, query={"wait": wait}),
        )

    def policy(self) -> models.Policy:
        """GET /v1/platform/policy"""
        return self._scope.one(models.Policy, Ask("GET", "/v1/platform/policy"))

    def policy_set(
        self,
        *,
        atoms: Sequence[Mapping[str, Any]],
        if_match: str | int,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> models.PolicySet:
        """PUT /v1/platform/policy

        A new version of the policy.

        `atoms` replace all former ones. A change that demands less becomes a proposal, with the given reason.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PolicySet,
            Ask(
                "PUT",
                "/v1/platform/policy",
                query={"dry_run": dry_run or None},
                body={"atoms": atoms, "reason": reason},
                if_match=if_match,
            ),
        )

    def policy_undo(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.PolicySet:
        """POST /v1/platform/policy/actions/undo

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PolicySet,
            Ask("POST", "/v1/platform/policy/actions/undo", query={"dry_run": dry_run or None}, key=idempotency_key),
        )

    def token_list(
        self,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Token]:
        """GET /v1/platform/tokens

        `created_after`: Created after this time (RFC 3339).
        `name`: The token of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Token,
            Ask(
                "GET",
                "/v1/platform/tokens",
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def token_revoke(self, token: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/platform/tokens/{token}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/platform/tokens/{token}", names={"token": token}, query={"dry_run": dry_run or None})
            ),
        )

    def public_address_use_list(
        self,
        *,
        ip: str | None = None,
        instance: str | None = None,
        at: Moment | None = None,
        created_after: Moment | None = None,
        project: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.PublicAddressUse]:
        """GET /v1/public-address-uses

        `ip`: This address.
        `instance`: The addresses of this instance, by id.
        `at`: In use at this time (RFC 3339).
        `created_after`: Created after this time (RFC 3339).
        `project`: The uses of this project, by id.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.PublicAddressUse,
            Ask(
                "GET",
                "/v1/public-address-uses",
                query={
                    "ip": ip,
                    "instance": instance,
                    "at": at,
                    "created_after": created_after,
                    "project": project,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def public_address_list(
        self,
        *,
        name: str | None = None,
        ip: str | None = None,
        pool: str | None = None,
        port: str | None = None,
        network: str | None = None,
        instance: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        project: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.HeldPublicAddress]:
        """GET /v1/public-addresses

        `name`: The address of this name.
        `ip`: This address.
        `pool`: The addresses of this pool, by id or name.
        `port`: The addresses of this port, by id or name.
        `network`: The egress addresses of this network, by id or name.
        `instance`: The addresses of this instance's ports, by id or name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `project`: The addresses of this project, by id.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.HeldPublicAddress,
            Ask(
                "GET",
                "/v1/public-addresses",
                query={
                    "name": name,
                    "ip": ip,
                    "pool": pool,
                    "port": port,
                    "network": network,
                    "instance": instance,
                    "created_after": created_after,
                    "labels": labels,
                    "project": project,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )
