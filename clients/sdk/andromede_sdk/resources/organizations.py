# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Organizations(Resource):
    def list(
        self,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Organization]:
        """GET /v1/organizations

        `created_after`: Created after this time (RFC 3339).
        `name`: The organization of this name.
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Organization,
            Ask(
                "GET",
                "/v1/organizations",
                query={
                    "created_after": created_after,
                    "name": name,
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
        labels: Mapping[str, str] | None = None,
        owner: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Organization:
        """POST /v1/organizations

        A new organization. `owner`: the e-mail address of a user, who becomes its first member.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Organization,
            Ask(
                "POST",
                "/v1/organizations",
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels, "owner": owner},
                key=idempotency_key,
            ),
        )

    def get(self, organization: str) -> models.OrganizationWithPermissions:
        """GET /v1/organizations/{organization}"""
        return self._scope.one(
            models.OrganizationWithPermissions,
            Ask("GET", "/v1/organizations/{organization}", names={"organization": organization}),
        )

    def update(
        self,
        organization: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Organization:
        """PATCH /v1/organizations/{organization}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Organization,
            Ask(
                "PATCH",
                "/v1/organizations/{organization}",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, organization: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/organizations/{organization}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/organizations/{organization}",
                    names={"organization": organization},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def audit_list(
        self,
        organization: str,
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
        """GET /v1/organizations/{organization}/audit

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
                "/v1/organizations/{organization}/audit",
                names={"organization": organization},
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
        organization: str,
        *,
        actor: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Deed]:
        """GET /v1/organizations/{organization}/audit/deeds

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
                "/v1/organizations/{organization}/audit/deeds",
                names={"organization": organization},
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
        organization: str,
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
        """GET /v1/organizations/{organization}/audit/export

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
                "/v1/organizations/{organization}/audit/export",
                names={"organization": organization},
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

    def classification_list(
        self, organization: str, *, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Classification]:
        """GET /v1/organizations/{organization}/classifications

        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.Classification,
            Ask(
                "GET",
                "/v1/organizations/{organization}/classifications",
                names={"organization": organization},
                query={"sort": sort, "limit": page_size},
            ),
        )

    def classification_create(
        self,
        organization: str,
        *,
        name: str,
        title: str,
        title_fr: str,
        atoms: Sequence[Mapping[str, Any]],
        description: str | None = None,
        description_fr: str | None = None,
        drift_action: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Classification:
        """POST /v1/organizations/{organization}/classifications

        A new classification. Its id will be the organization's name, a dot, and `name`.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Classification,
            Ask(
                "POST",
                "/v1/organizations/{organization}/classifications",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "title": title,
                    "title_fr": title_fr,
                    "description": description,
                    "description_fr": description_fr,
                    "drift_action": drift_action,
                    "atoms": atoms,
                },
                key=idempotency_key,
            ),
        )

    def limits(self, organization: str) -> models.OrganizationLimits:
        """GET /v1/organizations/{organization}/limits"""
        return self._scope.one(
            models.OrganizationLimits,
            Ask("GET", "/v1/organizations/{organization}/limits", names={"organization": organization}),
        )

    def policy(self, organization: str) -> models.Policy:
        """GET /v1/organizations/{organization}/policy"""
        return self._scope.one(
            models.Policy, Ask("GET", "/v1/organizations/{organization}/policy", names={"organization": organization})
        )

    def policy_set(
        self,
        organization: str,
        *,
        atoms: Sequence[Mapping[str, Any]],
        if_match: str | int,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> models.PolicySet:
        """PUT /v1/organizations/{organization}/policy

        A new version of the policy.

        `atoms` replace all former ones. A change that demands less becomes a proposal, with the given reason.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PolicySet,
            Ask(
                "PUT",
                "/v1/organizations/{organization}/policy",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"atoms": atoms, "reason": reason},
                if_match=if_match,
            ),
        )

    def policy_undo(
        self, organization: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.PolicySet:
        """POST /v1/organizations/{organization}/policy/actions/undo

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PolicySet,
            Ask(
                "POST",
                "/v1/organizations/{organization}/policy/actions/undo",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def quotas(self, organization: str) -> models.Quotas:
        """GET /v1/organizations/{organization}/quotas"""
        return self._scope.one(
            models.Quotas, Ask("GET", "/v1/organizations/{organization}/quotas", names={"organization": organization})
        )

    def quotas_set(
        self, organization: str, *, limits: models.QuotaLimitsInput, if_match: str | int, dry_run: bool = False
    ) -> models.Quotas:
        """PUT /v1/organizations/{organization}/quotas

        Quotas to set. Dimensions that are not named get the default.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Quotas,
            Ask(
                "PUT",
                "/v1/organizations/{organization}/quotas",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"limits": limits},
                if_match=if_match,
            ),
        )

    def token_list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Token]:
        """GET /v1/organizations/{organization}/tokens

        `created_after`: Created after this time (RFC 3339).
        `name`: The token of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Token,
            Ask(
                "GET",
                "/v1/organizations/{organization}/tokens",
                names={"organization": organization},
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def token_revoke(self, organization: str, token: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/organizations/{organization}/tokens/{token}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/organizations/{organization}/tokens/{token}",
                    names={"organization": organization, "token": token},
                    query={"dry_run": dry_run or None},
                )
            ),
        )
