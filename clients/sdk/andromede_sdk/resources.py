# Made from docs/reference/openapi.json by `make clients`.
"""The managers: one class per kind of things, one method per operation of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, cast, overload

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource, Scope


class AffinityGroups(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.AffinityGroup]:
        """GET /v1/projects/{project}/affinity-groups

        `name`: The group of this name.
        `created_after`: Only what was created after this moment (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.AffinityGroup,
            Ask(
                "GET",
                "/v1/projects/{project}/affinity-groups",
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
        rule: str,
        is_strict: bool | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.AffinityGroup:
        """POST /v1/projects/{project}/affinity-groups

        `is_strict` false: a wish, not a condition.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.AffinityGroup,
            Ask(
                "POST",
                "/v1/projects/{project}/affinity-groups",
                query={"dry_run": dry_run or None},
                body={"name": name, "rule": rule, "is_strict": is_strict, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, affinity_group: str) -> models.AffinityGroup:
        """GET /v1/projects/{project}/affinity-groups/{affinity_group}"""
        return self._scope.one(
            models.AffinityGroup,
            Ask(
                "GET",
                "/v1/projects/{project}/affinity-groups/{affinity_group}",
                names={"affinity_group": affinity_group},
            ),
        )

    def update(
        self,
        affinity_group: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.AffinityGroup:
        """PATCH /v1/projects/{project}/affinity-groups/{affinity_group}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.AffinityGroup,
            Ask(
                "PATCH",
                "/v1/projects/{project}/affinity-groups/{affinity_group}",
                names={"affinity_group": affinity_group},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, affinity_group: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/affinity-groups/{affinity_group}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/affinity-groups/{affinity_group}",
                    names={"affinity_group": affinity_group},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )


class Attachments(Resource):
    def list(
        self,
        instance: str,
        *,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Attachment]:
        """GET /v1/projects/{project}/instances/{instance}/attachments

        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Attachment,
            Ask(
                "GET",
                "/v1/projects/{project}/instances/{instance}/attachments",
                names={"instance": instance},
                query={"created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        instance: str,
        *,
        volume: str,
        is_read_only: bool | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.AttachmentWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/attachments

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.AttachmentWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/attachments",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"volume": volume, "is_read_only": is_read_only},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def get(self, instance: str, attachment: str) -> models.Attachment:
        """GET /v1/projects/{project}/instances/{instance}/attachments/{attachment}"""
        return self._scope.one(
            models.Attachment,
            Ask(
                "GET",
                "/v1/projects/{project}/instances/{instance}/attachments/{attachment}",
                names={"instance": instance, "attachment": attachment},
            ),
        )

    def delete(
        self, instance: str, attachment: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.AttachmentWithOperation:
        """DELETE /v1/projects/{project}/instances/{instance}/attachments/{attachment}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.AttachmentWithOperation,
            Ask(
                "DELETE",
                "/v1/projects/{project}/instances/{instance}/attachments/{attachment}",
                names={"instance": instance, "attachment": attachment},
                query={"dry_run": dry_run or None},
                if_match=if_match,
            ),
        )


class Audit(Resource):
    def list(
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
        """GET /v1/projects/{project}/audit

        `actor`: What this user asked for.
        `credential`: What was asked for with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: What was about this resource.
        `operation`: What began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this moment (RFC 3339).
        `completed_before`: Completed before this moment (RFC 3339).
        `sort`: One of -completed_at, completed_at.
        """
        return Listing(
            self._scope,
            models.RequestRecord,
            Ask(
                "GET",
                "/v1/projects/{project}/audit",
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

    def deed_list(
        self,
        *,
        actor: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Deed]:
        """GET /v1/projects/{project}/audit/deeds

        `actor`: What this user did.
        `verb`: What was done, such as instance.create.
        `resource`: What was done with this resource.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Deed,
            Ask(
                "GET",
                "/v1/projects/{project}/audit/deeds",
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

    def export(
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
        """GET /v1/projects/{project}/audit/export

        `actor`: What this user asked for.
        `credential`: What was asked for with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: What was about this resource.
        `operation`: What began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this moment (RFC 3339).
        `completed_before`: Completed before this moment (RFC 3339).
        `format`: jsonl: JSON Lines, with all that is needed to check them against the evidence log; csv: a table.
        """
        return self._scope.download(
            Ask(
                "GET",
                "/v1/projects/{project}/audit/export",
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


class Catalogue(Resource):
    def get(self) -> models.Catalogue:
        """GET /v1/catalogue"""
        return self._scope.one(models.Catalogue, Ask("GET", "/v1/catalogue"))


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

        All atoms of the policy, in place of those before. What demands less becomes a proposal, for the given reason.
        `dry_run`: true: say only what would be; nothing is written.
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


class Decisions(Resource):
    def get(self, decision: str) -> models.Decision:
        """GET /v1/projects/{project}/decisions/{decision}"""
        return self._scope.one(
            models.Decision, Ask("GET", "/v1/projects/{project}/decisions/{decision}", names={"decision": decision})
        )


class Declassifications(Resource):
    def propose(
        self,
        organization: str,
        *,
        resource: str,
        reason: str,
        classifications: Sequence[str] | None = None,
        lineage: Sequence[str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Proposal:
        """POST /v1/organizations/{organization}/declassifications

        What the data of one resource is to lose.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/organizations/{organization}/declassifications",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"resource": resource, "classifications": classifications, "lineage": lineage, "reason": reason},
                key=idempotency_key,
            ),
        )


class Drift(Resource):
    def list(
        self,
        *,
        state: str | None = None,
        zone: str | None = None,
        kind: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Compliance]:
        """GET /v1/drift

        `state`: One of compliant, at-risk, drifted, remediating, exempted.
        `zone`: What is in this zone.
        `kind`: One of instance, volume.
        `sort`: One of resource_id, -resource_id.
        """
        return Listing(
            self._scope,
            models.Compliance,
            Ask(
                "GET", "/v1/drift", query={"state": state, "zone": zone, "kind": kind, "sort": sort, "limit": page_size}
            ),
        )


class Events(Resource):
    def list(
        self,
        *,
        after: str | None = None,
        project: str | None = None,
        kind: str | None = None,
        resource: str | None = None,
        wait: str | None = None,
    ) -> models.Events:
        """GET /v1/events

        `after`: The cursor behind which to read; `now`: none of what was. Without it: the oldest that is kept.
        `project`: Only what concerns this project (id or name).
        `kind`: Only these kinds, separated by commas: `instance.active`, or `instance.*` for all of a noun.
        `resource`: Only what happened to the resource with this id; its operations too.
        `wait`: When there is nothing yet, answer once there is, or after so many seconds (0s to 60s).
        """
        return self._scope.one(
            models.Events,
            Ask(
                "GET",
                "/v1/events",
                query={"after": after, "project": project, "kind": kind, "resource": resource, "wait": wait},
            ),
        )

    def stream(
        self,
        *,
        after: str | None = None,
        project: str | None = None,
        kind: str | None = None,
        resource: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """GET /v1/events/stream

        `after`: As for the list, but without it: `now`. The header Last-Event-ID goes before it.
        `project`: Only what concerns this project (id or name).
        `kind`: Only these kinds, separated by commas: `instance.active`, or `instance.*` for all of a noun.
        `resource`: Only what happened to the resource with this id; its operations too.
        """
        return self._scope.events(
            Ask(
                "GET",
                "/v1/events/stream",
                query={"after": after, "project": project, "kind": kind, "resource": resource},
            )
        )


class Evidence(Resource):
    def checkpoint(self) -> str:
        """GET /v1/evidence/checkpoint"""
        return self._scope.text(Ask("GET", "/v1/evidence/checkpoint"))

    def cosign(self, *, tree_size: int, line: str, dry_run: bool = False, idempotency_key: str | None = None) -> None:
        """POST /v1/evidence/cosignatures

        A line of a signed note, by a witness whose key the operators have added.
        `dry_run`: true: say only what would be; nothing is written.
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

        `kind`: One of decision, permit, cosignature, receipt, fact, policy_version, policy_proposal, exemption, drift, erasure, admin_session, key_release, node, trust, incident, mark, audit.
        `resource`: The records of the resource with this id.
        `created_after`: Only what was created after this moment (RFC 3339).
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

        `old`: The size of the checkpoint that the witness has signed last; 0, if it has signed none.
        """
        return self._scope.text(Ask("GET", "/v1/evidence/witness-request", query={"old": old}))


class EvidenceExports(Resource):
    def get(self, export: str) -> models.Export:
        """GET /v1/evidence-exports/{export}"""
        return self._scope.one(models.Export, Ask("GET", "/v1/evidence-exports/{export}", names={"export": export}))

    def file(self, export: str, to: BinaryIO) -> int:
        """GET /v1/evidence-exports/{export}/file"""
        return self._scope.download(Ask("GET", "/v1/evidence-exports/{export}/file", names={"export": export}), to)

    def create(
        self, organization: str, *, from_: Moment, to: Moment, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Export:
        """POST /v1/organizations/{organization}/evidence-exports

        `to` is not within, and has passed.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Export,
            Ask(
                "POST",
                "/v1/organizations/{organization}/evidence-exports",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"from": from_, "to": to},
                key=idempotency_key,
            ),
        )


class Exemptions(Resource):
    def list(
        self,
        *,
        zone: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Exemption]:
        """GET /v1/exemptions

        `zone`: Exemptions for this zone.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Exemption,
            Ask(
                "GET",
                "/v1/exemptions",
                query={"zone": zone, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def request(
        self,
        *,
        decision: str,
        zone: str,
        reason: str,
        hours: int | None = None,
        max_uses: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Exemption:
        """POST /v1/exemptions

        `decision`: the refusal that it is to get around.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Exemption,
            Ask(
                "POST",
                "/v1/exemptions",
                query={"dry_run": dry_run or None},
                body={"decision": decision, "zone": zone, "reason": reason, "hours": hours, "max_uses": max_uses},
                key=idempotency_key,
            ),
        )

    def get(self, exemption: str) -> models.Exemption:
        """GET /v1/exemptions/{exemption}"""
        return self._scope.one(
            models.Exemption, Ask("GET", "/v1/exemptions/{exemption}", names={"exemption": exemption})
        )

    def approve(
        self,
        exemption: str,
        *,
        duty: str,
        key_id: str,
        signature: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Exemption:
        """POST /v1/exemptions/{exemption}/actions/approve

        `signature`: of the bytes of the exemption's `to_sign` for the duty, by your own key, in base64.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Exemption,
            Ask(
                "POST",
                "/v1/exemptions/{exemption}/actions/approve",
                names={"exemption": exemption},
                query={"dry_run": dry_run or None},
                body={"duty": duty, "key_id": key_id, "signature": signature},
                key=idempotency_key,
            ),
        )

    def report(self, *, quarter: str | None = None) -> models.ExemptionReport:
        """GET /v1/exemptions/report

        `quarter`: Such as 2026-Q4; the present one if not given.
        """
        return self._scope.one(models.ExemptionReport, Ask("GET", "/v1/exemptions/report", query={"quarter": quarter}))


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
        `subject_id`: What is stated of this zone, party, set and so on.
        `attribute`: What is stated of this attribute.
        `key_id`: What was signed with this key.
        `created_after`: Only what was created after this moment (RFC 3339).
        `at`: What holds in the world at this moment (RFC 3339).
        `believed_at`: What was believed at this moment (RFC 3339); now when not given.
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

        All are stated, or none.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.FactsStated,
            Ask("POST", "/v1/facts", query={"dry_run": dry_run or None}, body={"facts": facts}, key=idempotency_key),
        )


class Flavors(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.Flavor]:
        """GET /v1/flavors

        `sort`: One of id, -id.
        """
        return Listing(self._scope, models.Flavor, Ask("GET", "/v1/flavors", query={"sort": sort, "limit": page_size}))


class Health(Resource):
    def get(self) -> models.Health:
        """GET /v1/healthz"""
        return self._scope.one(models.Health, Ask("GET", "/v1/healthz"))


class Identities(Resource):
    def list(
        self, *, created_after: Moment | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Identity]:
        """GET /v1/identities

        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Identity,
            Ask("GET", "/v1/identities", query={"created_after": created_after, "sort": sort, "limit": page_size}),
        )

    def unlink(self, identity: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/identities/{identity}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/identities/{identity}",
                    names={"identity": identity},
                    query={"dry_run": dry_run or None},
                )
            ),
        )

    def link(
        self,
        provider: str,
        *,
        state: str,
        code: str,
        binding: str,
        iss: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Identity:
        """POST /v1/openid-providers/{provider}/identities

        `state`, `code` and `iss` (if there is one, RFC 9207) are what the browser came back with, `binding` is that of
        the beginning.
        """
        return self._scope.one(
            models.Identity,
            Ask(
                "POST",
                "/v1/openid-providers/{provider}/identities",
                names={"provider": provider},
                body={"state": state, "code": code, "binding": binding, "iss": iss},
                key=idempotency_key,
            ),
        )


class Images(Resource):
    def drift_list(
        self,
        *,
        state: str | None = None,
        zone: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Compliance]:
        """GET /v1/drift/images

        `state`: One of compliant, at-risk, drifted, remediating, exempted.
        `zone`: What is in this zone.
        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.Compliance,
            Ask("GET", "/v1/drift/images", query={"state": state, "zone": zone, "sort": sort, "limit": page_size}),
        )

    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Image]:
        """GET /v1/projects/{project}/images

        `name`: The image of this name.
        `state`: One of awaiting-upload, importing, verifying, available, error.
        `created_after`: Only what was created after this moment (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Image,
            Ask(
                "GET",
                "/v1/projects/{project}/images",
                query={
                    "name": name,
                    "state": state,
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
        format: str,
        firmware: str | None = None,
        sha256: str | None = None,
        min_memory_mib: int | None = None,
        source_url: str | None = None,
        classifications: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.ImageWithOperation:
        """POST /v1/projects/{project}/images

        Without `source_url` the image waits for its bytes: PUT them to its `file`.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.ImageWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/images",
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "format": format,
                    "firmware": firmware,
                    "sha256": sha256,
                    "min_memory_mib": min_memory_mib,
                    "source_url": source_url,
                    "classifications": classifications,
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def get(self, image: str) -> models.Image:
        """GET /v1/projects/{project}/images/{image}"""
        return self._scope.one(
            models.Image, Ask("GET", "/v1/projects/{project}/images/{image}", names={"image": image})
        )

    def update(
        self,
        image: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Image:
        """PATCH /v1/projects/{project}/images/{image}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Image,
            Ask(
                "PATCH",
                "/v1/projects/{project}/images/{image}",
                names={"image": image},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, image: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/images/{image}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/images/{image}",
                    names={"image": image},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def upload(
        self, image: str, file: BinaryIO, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.ImageWithOperation:
        """PUT /v1/projects/{project}/images/{image}/file

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.upload(
            models.ImageWithOperation,
            Ask(
                "PUT",
                "/v1/projects/{project}/images/{image}/file",
                names={"image": image},
                query={"dry_run": dry_run or None},
                if_match=if_match,
            ),
            file,
        )


class Instances(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Instance]:
        """GET /v1/projects/{project}/instances

        `name`: The instance of this name.
        `state`: One of building, active, stopped, error.
        `zone`: The instances in this zone.
        `created_after`: Only what was created after this moment (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Instance,
            Ask(
                "GET",
                "/v1/projects/{project}/instances",
                query={
                    "name": name,
                    "state": state,
                    "zone": zone,
                    "created_after": created_after,
                    "labels": labels,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    @overload
    def create(
        self,
        *,
        name: str,
        flavor: str,
        image: str,
        networks: Sequence[str] | None = None,
        ssh_keys: Sequence[str] | None = None,
        volumes: Sequence[str] | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        zones: Sequence[str] | None = None,
        affinity_group: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: Literal[False] = False,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation: ...
    @overload
    def create(
        self,
        *,
        name: str,
        flavor: str,
        image: str,
        dry_run: Literal[True],
        networks: Sequence[str] | None = None,
        ssh_keys: Sequence[str] | None = None,
        volumes: Sequence[str] | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        zones: Sequence[str] | None = None,
        affinity_group: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.PlacementSimulation: ...
    @overload
    def create(
        self,
        *,
        name: str,
        flavor: str,
        image: str,
        dry_run: bool,
        networks: Sequence[str] | None = None,
        ssh_keys: Sequence[str] | None = None,
        volumes: Sequence[str] | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        zones: Sequence[str] | None = None,
        affinity_group: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation | models.PlacementSimulation: ...
    def create(
        self,
        *,
        name: str,
        flavor: str,
        image: str,
        networks: Sequence[str] | None = None,
        ssh_keys: Sequence[str] | None = None,
        volumes: Sequence[str] | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        zones: Sequence[str] | None = None,
        affinity_group: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation | models.PlacementSimulation:
        """POST /v1/projects/{project}/instances

        `user_data` goes to the guest's first boot, at most 64 KiB, as text or in base64; no answer shows it. What
        `classifications` and `policy_atoms` demand holds for the instance's data as long as it exists. `host`: on this node
        and no other, for operators. `exemption`: by which it may be created though a policy refuses it, once.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "models.InstanceWithOperation | models.PlacementSimulation",
            self._scope.either(
                {200: models.PlacementSimulation, 201: models.InstanceWithOperation},
                Ask(
                    "POST",
                    "/v1/projects/{project}/instances",
                    query={"dry_run": dry_run or None},
                    body={
                        "name": name,
                        "flavor": flavor,
                        "image": image,
                        "networks": networks,
                        "ssh_keys": ssh_keys,
                        "volumes": volumes,
                        "user_data": user_data,
                        "user_data_base64": user_data_base64,
                        "zones": zones,
                        "affinity_group": affinity_group,
                        "host": host,
                        "exemption": exemption,
                        "classifications": classifications,
                        "policy_atoms": policy_atoms,
                        "labels": labels,
                    },
                    key=idempotency_key,
                ),
            ),
        )

    def get(self, instance: str) -> models.Instance:
        """GET /v1/projects/{project}/instances/{instance}"""
        return self._scope.one(
            models.Instance, Ask("GET", "/v1/projects/{project}/instances/{instance}", names={"instance": instance})
        )

    def update(
        self,
        instance: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Instance:
        """PATCH /v1/projects/{project}/instances/{instance}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Instance,
            Ask(
                "PATCH",
                "/v1/projects/{project}/instances/{instance}",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(
        self, instance: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.InstanceWithOperation | None:
        """DELETE /v1/projects/{project}/instances/{instance}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "models.InstanceWithOperation | None",
            self._scope.either(
                {200: models.InstanceWithOperation, 202: models.InstanceWithOperation, 204: None},
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/instances/{instance}",
                    names={"instance": instance},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                ),
            ),
        )

    def power_off(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/power-off

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/power-off",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def reboot(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/reboot

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/reboot",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def rebuild(
        self,
        instance: str,
        *,
        image: str,
        ssh_keys: Sequence[str] | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/rebuild

        The root disk is made anew from `image`, and all that was on it is erased. Name, addresses, attachments and size
        stay, and the `ssh_keys` and the user data too where none are given. It boots as for the first time: at once if the
        instance is active, else when it is started.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/rebuild",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={
                    "image": image,
                    "ssh_keys": ssh_keys,
                    "user_data": user_data,
                    "user_data_base64": user_data_base64,
                },
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def reset(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/reset

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/reset",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def resize(
        self,
        instance: str,
        *,
        flavor: str,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/resize

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/resize",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"flavor": flavor},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def shutdown(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/shutdown

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/shutdown",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def start(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/start

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/start",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def console_log(self, instance: str, *, max_bytes: int | None = None) -> str:
        """GET /v1/projects/{project}/instances/{instance}/console-log

        `max_bytes`: The last so many bytes; 1048576 at most, and when not given.
        """
        return self._scope.text(
            Ask(
                "GET",
                "/v1/projects/{project}/instances/{instance}/console-log",
                names={"instance": instance},
                query={"max_bytes": max_bytes},
            )
        )

    def placement(self, instance: str) -> models.Decision:
        """GET /v1/projects/{project}/instances/{instance}/placement"""
        return self._scope.one(
            models.Decision,
            Ask("GET", "/v1/projects/{project}/instances/{instance}/placement", names={"instance": instance}),
        )


class Invitations(Resource):
    def accept(self, *, token: str, dry_run: bool = False, idempotency_key: str | None = None) -> models.Member:
        """POST /v1/invitations/actions/accept

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Member,
            Ask(
                "POST",
                "/v1/invitations/actions/accept",
                query={"dry_run": dry_run or None},
                body={"token": token},
                key=idempotency_key,
            ),
        )

    def list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        email: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Invitation]:
        """GET /v1/organizations/{organization}/invitations

        `created_after`: Only what was created after this moment (RFC 3339).
        `email`: Those for this e-mail address.
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Invitation,
            Ask(
                "GET",
                "/v1/organizations/{organization}/invitations",
                names={"organization": organization},
                query={"created_after": created_after, "email": email, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        organization: str,
        *,
        email: str,
        role: str | None = None,
        lifetime_days: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.InvitationWithToken:
        """POST /v1/organizations/{organization}/invitations

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.InvitationWithToken,
            Ask(
                "POST",
                "/v1/organizations/{organization}/invitations",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"email": email, "role": role, "lifetime_days": lifetime_days},
                key=idempotency_key,
            ),
        )

    def revoke(self, organization: str, invitation: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/organizations/{organization}/invitations/{invitation}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/organizations/{organization}/invitations/{invitation}",
                    names={"organization": organization, "invitation": invitation},
                    query={"dry_run": dry_run or None},
                )
            ),
        )


class Jurisdictions(Resource):
    def list(
        self, *, region: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Jurisdiction]:
        """GET /v1/transparency/jurisdictions

        `region`: The zones of this region.
        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.Jurisdiction,
            Ask("GET", "/v1/transparency/jurisdictions", query={"region": region, "sort": sort, "limit": page_size}),
        )


class Limits(Resource):
    def get(self) -> models.Limits:
        """GET /v1/projects/{project}/limits"""
        return self._scope.one(models.Limits, Ask("GET", "/v1/projects/{project}/limits"))


class Me(Resource):
    def get(self) -> models.Me:
        """GET /v1/me"""
        return self._scope.one(models.Me, Ask("GET", "/v1/me"))


class Members(Resource):
    def list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        role: str | None = None,
        email: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Member]:
        """GET /v1/organizations/{organization}/members

        `created_after`: Only what was created after this moment (RFC 3339).
        `role`: One of owner, admin, member, viewer, billing, sovereignty_officer.
        `email`: The member with this e-mail address.
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Member,
            Ask(
                "GET",
                "/v1/organizations/{organization}/members",
                names={"organization": organization},
                query={"created_after": created_after, "role": role, "email": email, "sort": sort, "limit": page_size},
            ),
        )

    def get(self, organization: str, member: str) -> models.Member:
        """GET /v1/organizations/{organization}/members/{member}"""
        return self._scope.one(
            models.Member,
            Ask(
                "GET",
                "/v1/organizations/{organization}/members/{member}",
                names={"organization": organization, "member": member},
            ),
        )

    def update(
        self, organization: str, member: str, *, role: str, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.Member:
        """PATCH /v1/organizations/{organization}/members/{member}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Member,
            Ask(
                "PATCH",
                "/v1/organizations/{organization}/members/{member}",
                names={"organization": organization, "member": member},
                query={"dry_run": dry_run or None},
                body={"role": role},
                if_match=if_match,
            ),
        )

    def remove(
        self, organization: str, member: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> None:
        """DELETE /v1/organizations/{organization}/members/{member}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/organizations/{organization}/members/{member}",
                    names={"organization": organization, "member": member},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )


class Networks(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Network]:
        """GET /v1/projects/{project}/networks

        `name`: The network of this name.
        `created_after`: Only what was created after this moment (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Network,
            Ask(
                "GET",
                "/v1/projects/{project}/networks",
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
        cidr: str,
        dns_servers: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Network:
        """POST /v1/projects/{project}/networks

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Network,
            Ask(
                "POST",
                "/v1/projects/{project}/networks",
                query={"dry_run": dry_run or None},
                body={"name": name, "cidr": cidr, "dns_servers": dns_servers, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, network: str) -> models.Network:
        """GET /v1/projects/{project}/networks/{network}"""
        return self._scope.one(
            models.Network, Ask("GET", "/v1/projects/{project}/networks/{network}", names={"network": network})
        )

    def update(
        self,
        network: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Network:
        """PATCH /v1/projects/{project}/networks/{network}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Network,
            Ask(
                "PATCH",
                "/v1/projects/{project}/networks/{network}",
                names={"network": network},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, network: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/networks/{network}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/networks/{network}",
                    names={"network": network},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )


class Nodes(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Node]:
        """GET /v1/nodes

        `name`: The node of this name.
        `state`: One of enrolled, ready, unreachable.
        `zone`: The nodes of this zone.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of name, -name, created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Node,
            Ask(
                "GET",
                "/v1/nodes",
                query={
                    "name": name,
                    "state": state,
                    "zone": zone,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def get(self, node: str) -> models.Node:
        """GET /v1/nodes/{node}"""
        return self._scope.one(models.Node, Ask("GET", "/v1/nodes/{node}", names={"node": node}))

    def cordon(
        self, node: str, *, reason: str | None = None, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Node:
        """POST /v1/nodes/{node}/actions/cordon

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Node,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/cordon",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def uncordon(self, node: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Node:
        """POST /v1/nodes/{node}/actions/uncordon

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Node,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/uncordon",
                names={"node": node},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def incident_list(
        self,
        node: str,
        *,
        kind: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Incident]:
        """GET /v1/nodes/{node}/incidents

        `kind`: The incidents of this kind.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Incident,
            Ask(
                "GET",
                "/v1/nodes/{node}/incidents",
                names={"node": node},
                query={"kind": kind, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )


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
        `created_after`: Only what was created after this moment (RFC 3339).
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

        `public_key`: PEM, or the base64 of its SubjectPublicKeyInfo; Ed25519, or ECDSA on P-256.
        `dry_run`: true: say only what would be; nothing is written.
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

        `dry_run`: true: say only what would be; nothing is written.
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


class Openapi(Resource):
    def get(self) -> dict[str, Any]:
        """GET /v1/openapi.json"""
        return cast("dict[str, Any]", self._scope.document(Ask("GET", "/v1/openapi.json")))


class Openid(Resource):
    def link_begin(self, provider: str, *, redirect_uri: str, idempotency_key: str | None = None) -> models.Begun:
        """POST /v1/openid-providers/{provider}/links

        `redirect_uri`: where the provider sends the browser afterwards; one of those that the operator has listed.
        """
        return self._scope.one(
            models.Begun,
            Ask(
                "POST",
                "/v1/openid-providers/{provider}/links",
                names={"provider": provider},
                body={"redirect_uri": redirect_uri},
                key=idempotency_key,
            ),
        )

    def session_create(
        self,
        provider: str,
        *,
        state: str,
        code: str,
        binding: str,
        iss: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SessionWithSecret:
        """POST /v1/openid-providers/{provider}/sessions

        `state`, `code` and `iss` (if there is one, RFC 9207) are what the browser came back with, `binding` is that of
        the beginning.
        """
        return self._scope.one(
            models.SessionWithSecret,
            Ask(
                "POST",
                "/v1/openid-providers/{provider}/sessions",
                names={"provider": provider},
                body={"state": state, "code": code, "binding": binding, "iss": iss},
                key=idempotency_key,
            ),
        )

    def sign_in_begin(self, provider: str, *, redirect_uri: str, idempotency_key: str | None = None) -> models.Begun:
        """POST /v1/openid-providers/{provider}/sign-ins

        `redirect_uri`: where the provider sends the browser afterwards; one of those that the operator has listed.
        """
        return self._scope.one(
            models.Begun,
            Ask(
                "POST",
                "/v1/openid-providers/{provider}/sign-ins",
                names={"provider": provider},
                body={"redirect_uri": redirect_uri},
                key=idempotency_key,
            ),
        )


class OpenidProviders(Resource):
    def list(self) -> models.Providers:
        """GET /v1/openid-providers"""
        return self._scope.one(models.Providers, Ask("GET", "/v1/openid-providers"))


class Operations(Resource):
    def list(
        self,
        *,
        resource: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Operation]:
        """GET /v1/projects/{project}/operations

        `resource`: The operations on the resource with this id.
        `state`: One of pending, running, undoing, succeeded, failed, cancelled.
        `kind`: The operations of this kind, such as instance.create.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Operation,
            Ask(
                "GET",
                "/v1/projects/{project}/operations",
                query={
                    "resource": resource,
                    "state": state,
                    "kind": kind,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def get(self, operation: str, *, wait: str | None = None) -> models.Operation:
        """GET /v1/projects/{project}/operations/{operation}

        `wait`: Answer when the operation has ended, or after so many seconds (0s to 60s).
        """
        return self._scope.one(
            models.Operation,
            Ask(
                "GET",
                "/v1/projects/{project}/operations/{operation}",
                names={"operation": operation},
                query={"wait": wait},
            ),
        )

    def cancel(self, operation: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Operation:
        """POST /v1/projects/{project}/operations/{operation}/actions/cancel

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Operation,
            Ask(
                "POST",
                "/v1/projects/{project}/operations/{operation}/actions/cancel",
                names={"operation": operation},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )


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

        `created_after`: Only what was created after this moment (RFC 3339).
        `name`: The organization of this name.
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
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

        `owner`: the e-mail address of a user, who becomes its first member.
        `dry_run`: true: say only what would be; nothing is written.
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

    def get(self, organization: str) -> models.Organization:
        """GET /v1/organizations/{organization}"""
        return self._scope.one(
            models.Organization, Ask("GET", "/v1/organizations/{organization}", names={"organization": organization})
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

        `dry_run`: true: say only what would be; nothing is written.
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

        `dry_run`: true: say only what would be; nothing is written.
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

        `actor`: What this user asked for.
        `credential`: What was asked for with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: What was about this resource.
        `operation`: What began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this moment (RFC 3339).
        `completed_before`: Completed before this moment (RFC 3339).
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

        `actor`: What this user did.
        `verb`: What was done, such as instance.create.
        `resource`: What was done with this resource.
        `created_after`: Only what was created after this moment (RFC 3339).
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

        `actor`: What this user asked for.
        `credential`: What was asked for with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: What was about this resource.
        `operation`: What began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this moment (RFC 3339).
        `completed_before`: Completed before this moment (RFC 3339).
        `format`: jsonl: JSON Lines, with all that is needed to check them against the evidence log; csv: a table.
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

        The id will be the organization's name, a dot, and `name`.
        `dry_run`: true: say only what would be; nothing is written.
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

        All atoms of the policy, in place of those before. What demands less becomes a proposal, for the given reason.
        `dry_run`: true: say only what would be; nothing is written.
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

    def quotas(self, organization: str) -> models.Quotas:
        """GET /v1/organizations/{organization}/quotas"""
        return self._scope.one(
            models.Quotas, Ask("GET", "/v1/organizations/{organization}/quotas", names={"organization": organization})
        )

    def quotas_set(
        self, organization: str, *, limits: models.QuotaLimitsInput, if_match: str | int, dry_run: bool = False
    ) -> models.Quotas:
        """PUT /v1/organizations/{organization}/quotas

        What is not named has the default.
        `dry_run`: true: say only what would be; nothing is written.
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

        `created_after`: Only what was created after this moment (RFC 3339).
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

        `dry_run`: true: say only what would be; nothing is written.
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


class Own(Resource):
    def token_list(
        self,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Token]:
        """GET /v1/tokens

        `created_after`: Only what was created after this moment (RFC 3339).
        `name`: The token of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Token,
            Ask(
                "GET",
                "/v1/tokens",
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def token_create(
        self,
        *,
        name: str,
        role: str | None = None,
        lifetime_days: int | None = None,
        verbs: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        projects: Sequence[str] | None = None,
        is_platform: bool | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.TokenWithSecret:
        """POST /v1/tokens

        `is_platform`: also for your duty for the platform, if you have one.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.TokenWithSecret,
            Ask(
                "POST",
                "/v1/tokens",
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "role": role,
                    "lifetime_days": lifetime_days,
                    "verbs": verbs,
                    "kinds": kinds,
                    "projects": projects,
                    "is_platform": is_platform,
                },
                key=idempotency_key,
            ),
        )

    def token_revoke(self, token: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/tokens/{token}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/tokens/{token}", names={"token": token}, query={"dry_run": dry_run or None})
            ),
        )


class Parties(Resource):
    def list(
        self, *, name: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Party]:
        """GET /v1/parties

        `name`: The party of this name.
        `sort`: One of id, -id.
        """
        return Listing(
            self._scope, models.Party, Ask("GET", "/v1/parties", query={"name": name, "sort": sort, "limit": page_size})
        )

    def get(self, party: str) -> models.Party:
        """GET /v1/parties/{party}"""
        return self._scope.one(models.Party, Ask("GET", "/v1/parties/{party}", names={"party": party}))


class Passkey(Resource):
    def sign_in_challenge(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Challenge:
        """POST /v1/passkey-sessions/actions/challenge

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Challenge,
            Ask(
                "POST",
                "/v1/passkey-sessions/actions/challenge",
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )


class PasskeySessions(Resource):
    def create(
        self, *, ceremony: str, credential: Mapping[str, Any], dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.SessionWithSecret:
        """POST /v1/passkey-sessions

        `credential` is what navigator.credentials has answered, as its toJSON() writes it.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.SessionWithSecret,
            Ask(
                "POST",
                "/v1/passkey-sessions",
                query={"dry_run": dry_run or None},
                body={"ceremony": ceremony, "credential": credential},
                key=idempotency_key,
            ),
        )


class Passkeys(Resource):
    def list(
        self, *, created_after: Moment | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Passkey]:
        """GET /v1/passkeys

        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Passkey,
            Ask("GET", "/v1/passkeys", query={"created_after": created_after, "sort": sort, "limit": page_size}),
        )

    def register(
        self,
        *,
        ceremony: str,
        credential: Mapping[str, Any],
        name: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Passkey:
        """POST /v1/passkeys

        `name`: by which you recognise it.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Passkey,
            Ask(
                "POST",
                "/v1/passkeys",
                query={"dry_run": dry_run or None},
                body={"ceremony": ceremony, "credential": credential, "name": name},
                key=idempotency_key,
            ),
        )

    def remove(self, passkey: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/passkeys/{passkey}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/passkeys/{passkey}", names={"passkey": passkey}, query={"dry_run": dry_run or None})
            ),
        )

    def challenge(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Challenge:
        """POST /v1/passkeys/actions/challenge

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Challenge,
            Ask("POST", "/v1/passkeys/actions/challenge", query={"dry_run": dry_run or None}, key=idempotency_key),
        )


class Password(Resource):
    def change(
        self,
        *,
        new_password: str,
        old_password: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> None:
        """POST /v1/password/actions/change

        `old_password` may be left out by somebody who has none.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "POST",
                    "/v1/password/actions/change",
                    query={"dry_run": dry_run or None},
                    body={"old_password": old_password, "new_password": new_password},
                    key=idempotency_key,
                )
            ),
        )

    def set(self, *, secret: str, new_password: str, dry_run: bool = False, idempotency_key: str | None = None) -> None:
        """POST /v1/password/actions/set

        `secret` is that of a link for a first or a forgotten password.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "POST",
                    "/v1/password/actions/set",
                    query={"dry_run": dry_run or None},
                    body={"secret": secret, "new_password": new_password},
                    key=idempotency_key,
                )
            ),
        )


class PasswordLinks(Resource):
    def create(self, user: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.PasswordLink:
        """POST /v1/users/{user}/password-links

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.PasswordLink,
            Ask(
                "POST",
                "/v1/users/{user}/password-links",
                names={"user": user},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )


class Placement(Resource):
    def simulate(
        self,
        *,
        operation: str,
        project: str | None = None,
        roles: Sequence[str] | None = None,
        vcpus: int | None = None,
        memory_mib: int | None = None,
        disk_gib: int | None = None,
        zones: Sequence[str] | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.PlacementSimulation:
        """POST /v1/placement/simulations

        What would be decided now. `roles`: others than the operation's; `policy_atoms`: clauses on top of those in
        force. `project` is needed when the credential is for none.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.PlacementSimulation,
            Ask(
                "POST",
                "/v1/placement/simulations",
                query={"dry_run": dry_run or None},
                body={
                    "operation": operation,
                    "project": project,
                    "roles": roles,
                    "vcpus": vcpus,
                    "memory_mib": memory_mib,
                    "disk_gib": disk_gib,
                    "zones": zones,
                    "classifications": classifications,
                    "policy_atoms": policy_atoms,
                },
                key=idempotency_key,
            ),
        )


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

        `actor`: What this user asked for.
        `credential`: What was asked for with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: What was about this resource.
        `operation`: What began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this moment (RFC 3339).
        `completed_before`: Completed before this moment (RFC 3339).
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

        `actor`: What this user did.
        `verb`: What was done, such as instance.create.
        `resource`: What was done with this resource.
        `created_after`: Only what was created after this moment (RFC 3339).
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

        `actor`: What this user asked for.
        `credential`: What was asked for with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: What was about this resource.
        `operation`: What began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this moment (RFC 3339).
        `completed_before`: Completed before this moment (RFC 3339).
        `format`: jsonl: JSON Lines, with all that is needed to check them against the evidence log; csv: a table.
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

        All atoms of the policy, in place of those before. What demands less becomes a proposal, for the given reason.
        `dry_run`: true: say only what would be; nothing is written.
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

        Suppose that certificates are withdrawn, that facts are others, or that it is another time (`at`).
        `dry_run`: true: say only what would be; nothing is written.
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

        All atoms of the policy, in place of those before. What demands less becomes a proposal, for the given reason.
        `dry_run`: true: say only what would be; nothing is written.
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
        `created_after`: Only what was created after this moment (RFC 3339).
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

        Whose policy: one of these; none: the platform's.
        `dry_run`: true: say only what would be; nothing is written.
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

        `dry_run`: true: say only what would be; nothing is written.
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

        `dry_run`: true: say only what would be; nothing is written.
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


class Problems(Resource):
    def get(self, code: str) -> models.ProblemPage:
        """GET /v1/problems/{code}"""
        return self._scope.one(models.ProblemPage, Ask("GET", "/v1/problems/{code}", names={"code": code}))


class Projects(Resource):
    def create(
        self,
        organization: str,
        *,
        name: str,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Project:
        """POST /v1/organizations/{organization}/projects

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Project,
            Ask(
                "POST",
                "/v1/organizations/{organization}/projects",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                key=idempotency_key,
            ),
        )

    def list(
        self,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        organization: str | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Project]:
        """GET /v1/projects

        `created_after`: Only what was created after this moment (RFC 3339).
        `name`: The project of this name.
        `organization`: The projects of the organization of this name.
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Project,
            Ask(
                "GET",
                "/v1/projects",
                query={
                    "created_after": created_after,
                    "name": name,
                    "organization": organization,
                    "labels": labels,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def get(self, project: str) -> models.Project:
        """GET /v1/projects/{project}"""
        return self._scope.one(models.Project, Ask("GET", "/v1/projects/{project}", names={"project": project}))

    def update(
        self,
        project: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Project:
        """PATCH /v1/projects/{project}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Project,
            Ask(
                "PATCH",
                "/v1/projects/{project}",
                names={"project": project},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, project: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}",
                    names={"project": project},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )


class QuotaRequests(Resource):
    def list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        state: str | None = None,
        dimension: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.QuotaRequest]:
        """GET /v1/organizations/{organization}/quota-requests

        `created_after`: Only what was created after this moment (RFC 3339).
        `state`: One of pending, approved, refused, withdrawn.
        `dimension`: One of instances, vcpus, memory_mib, volumes, storage_gib, networks, addresses, images, webhooks.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.QuotaRequest,
            Ask(
                "GET",
                "/v1/organizations/{organization}/quota-requests",
                names={"organization": organization},
                query={
                    "created_after": created_after,
                    "state": state,
                    "dimension": dimension,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def create(
        self,
        organization: str,
        *,
        dimension: str,
        limit: int,
        reason: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.QuotaRequest:
        """POST /v1/organizations/{organization}/quota-requests

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "POST",
                "/v1/organizations/{organization}/quota-requests",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"dimension": dimension, "limit": limit, "reason": reason},
                key=idempotency_key,
            ),
        )

    def get(self, organization: str, quota_request: str) -> models.QuotaRequest:
        """GET /v1/organizations/{organization}/quota-requests/{quota_request}"""
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "GET",
                "/v1/organizations/{organization}/quota-requests/{quota_request}",
                names={"organization": organization, "quota_request": quota_request},
            ),
        )

    def approve(
        self,
        organization: str,
        quota_request: str,
        *,
        reason: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.QuotaRequest:
        """POST /v1/organizations/{organization}/quota-requests/{quota_request}/actions/approve

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "POST",
                "/v1/organizations/{organization}/quota-requests/{quota_request}/actions/approve",
                names={"organization": organization, "quota_request": quota_request},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def refuse(
        self,
        organization: str,
        quota_request: str,
        *,
        reason: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.QuotaRequest:
        """POST /v1/organizations/{organization}/quota-requests/{quota_request}/actions/refuse

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "POST",
                "/v1/organizations/{organization}/quota-requests/{quota_request}/actions/refuse",
                names={"organization": organization, "quota_request": quota_request},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def withdraw(
        self, organization: str, quota_request: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.QuotaRequest:
        """POST /v1/organizations/{organization}/quota-requests/{quota_request}/actions/withdraw

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "POST",
                "/v1/organizations/{organization}/quota-requests/{quota_request}/actions/withdraw",
                names={"organization": organization, "quota_request": quota_request},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )


class Quotas(Resource):
    def get(self) -> models.Quotas:
        """GET /v1/projects/{project}/quotas"""
        return self._scope.one(models.Quotas, Ask("GET", "/v1/projects/{project}/quotas"))

    def set(self, *, limits: models.QuotaLimitsInput, if_match: str | int, dry_run: bool = False) -> models.Quotas:
        """PUT /v1/projects/{project}/quotas

        What is not named has the default.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Quotas,
            Ask(
                "PUT",
                "/v1/projects/{project}/quotas",
                query={"dry_run": dry_run or None},
                body={"limits": limits},
                if_match=if_match,
            ),
        )


class Recovery(Resource):
    def codes_replace(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.RecoveryCodes:
        """POST /v1/recovery-codes

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.RecoveryCodes,
            Ask("POST", "/v1/recovery-codes", query={"dry_run": dry_run or None}, key=idempotency_key),
        )


class Regions(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.Region]:
        """GET /v1/regions

        `sort`: One of id, -id.
        """
        return Listing(self._scope, models.Region, Ask("GET", "/v1/regions", query={"sort": sort, "limit": page_size}))


class RemediationPlans(Resource):
    def list(
        self,
        *,
        state: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Plan]:
        """GET /v1/projects/{project}/remediation-plans

        `state`: One of proposed, approved, done, withdrawn.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Plan,
            Ask(
                "GET",
                "/v1/projects/{project}/remediation-plans",
                query={"state": state, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def approve(self, plan: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Plan:
        """POST /v1/projects/{project}/remediation-plans/{plan}/actions/approve

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Plan,
            Ask(
                "POST",
                "/v1/projects/{project}/remediation-plans/{plan}/actions/approve",
                names={"plan": plan},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )


class Resources(Resource):
    def lineage_list(
        self,
        organization: str,
        resource: str,
        *,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Lineage]:
        """GET /v1/organizations/{organization}/resources/{resource}/lineage

        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Lineage,
            Ask(
                "GET",
                "/v1/organizations/{organization}/resources/{resource}/lineage",
                names={"organization": organization, "resource": resource},
                query={"created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def residency(
        self, resource: str, *, from_: Moment | None = None, to: Moment | None = None, role: str | None = None
    ) -> models.Residency:
        """GET /v1/resources/{resource}/residency

        `from_`: From this moment on (RFC 3339).
        `to`: Up to this moment (RFC 3339).
        `role`: Only this reason of holding data: one of compute, storage, image, netedge.
        """
        return self._scope.one(
            models.Residency,
            Ask(
                "GET",
                "/v1/resources/{resource}/residency",
                names={"resource": resource},
                query={"from": from_, "to": to, "role": role},
            ),
        )


class ServiceAccounts(Resource):
    def list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.ServiceAccount]:
        """GET /v1/organizations/{organization}/service-accounts

        `created_after`: Only what was created after this moment (RFC 3339).
        `name`: The service account of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.ServiceAccount,
            Ask(
                "GET",
                "/v1/organizations/{organization}/service-accounts",
                names={"organization": organization},
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        organization: str,
        *,
        name: str,
        grants: Sequence[models.GrantInput] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.ServiceAccount:
        """POST /v1/organizations/{organization}/service-accounts

        `grants`: its roles, one for each project, or one for all of them.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.ServiceAccount,
            Ask(
                "POST",
                "/v1/organizations/{organization}/service-accounts",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"name": name, "grants": grants},
                key=idempotency_key,
            ),
        )

    def get(self, organization: str, service_account: str) -> models.ServiceAccount:
        """GET /v1/organizations/{organization}/service-accounts/{service_account}"""
        return self._scope.one(
            models.ServiceAccount,
            Ask(
                "GET",
                "/v1/organizations/{organization}/service-accounts/{service_account}",
                names={"organization": organization, "service_account": service_account},
            ),
        )

    def update(
        self,
        organization: str,
        service_account: str,
        *,
        name: str | None = None,
        is_disabled: bool | None = None,
        grants: Sequence[models.GrantInput] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.ServiceAccount:
        """PATCH /v1/organizations/{organization}/service-accounts/{service_account}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.ServiceAccount,
            Ask(
                "PATCH",
                "/v1/organizations/{organization}/service-accounts/{service_account}",
                names={"organization": organization, "service_account": service_account},
                query={"dry_run": dry_run or None},
                body={"name": name, "is_disabled": is_disabled, "grants": grants},
                if_match=if_match,
            ),
        )

    def delete(
        self, organization: str, service_account: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> None:
        """DELETE /v1/organizations/{organization}/service-accounts/{service_account}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/organizations/{organization}/service-accounts/{service_account}",
                    names={"organization": organization, "service_account": service_account},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def token_list(
        self,
        organization: str,
        service_account: str,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Token]:
        """GET /v1/organizations/{organization}/service-accounts/{service_account}/tokens

        `created_after`: Only what was created after this moment (RFC 3339).
        `name`: The token of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Token,
            Ask(
                "GET",
                "/v1/organizations/{organization}/service-accounts/{service_account}/tokens",
                names={"organization": organization, "service_account": service_account},
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def token_create(
        self,
        organization: str,
        service_account: str,
        *,
        name: str,
        role: str | None = None,
        lifetime_days: int | None = None,
        verbs: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        projects: Sequence[str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.TokenWithSecret:
        """POST /v1/organizations/{organization}/service-accounts/{service_account}/tokens

        One that is good in several projects. `projects`: in these alone. `role`: no more than this one anywhere.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.TokenWithSecret,
            Ask(
                "POST",
                "/v1/organizations/{organization}/service-accounts/{service_account}/tokens",
                names={"organization": organization, "service_account": service_account},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "role": role,
                    "lifetime_days": lifetime_days,
                    "verbs": verbs,
                    "kinds": kinds,
                    "projects": projects,
                },
                key=idempotency_key,
            ),
        )


class Sessions(Resource):
    def list(
        self, *, created_after: Moment | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Session]:
        """GET /v1/sessions

        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Session,
            Ask("GET", "/v1/sessions", query={"created_after": created_after, "sort": sort, "limit": page_size}),
        )

    def create(
        self,
        *,
        email: str,
        password: str,
        totp: str | None = None,
        recovery_code: str | None = None,
        passkey: models.PasskeyAnswerInput | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.SessionWithSecret:
        """POST /v1/sessions

        With a second factor, if the account has one.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.SessionWithSecret,
            Ask(
                "POST",
                "/v1/sessions",
                query={"dry_run": dry_run or None},
                body={
                    "email": email,
                    "password": password,
                    "totp": totp,
                    "recovery_code": recovery_code,
                    "passkey": passkey,
                },
                key=idempotency_key,
            ),
        )

    def get(self, session: str) -> models.Session:
        """GET /v1/sessions/{session}"""
        return self._scope.one(models.Session, Ask("GET", "/v1/sessions/{session}", names={"session": session}))

    def end(self, session: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/sessions/{session}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/sessions/{session}", names={"session": session}, query={"dry_run": dry_run or None})
            ),
        )

    def end_others(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> None:
        """POST /v1/sessions/actions/end-others

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("POST", "/v1/sessions/actions/end-others", query={"dry_run": dry_run or None}, key=idempotency_key)
            ),
        )

    def verify(
        self,
        *,
        password: str | None = None,
        totp: str | None = None,
        recovery_code: str | None = None,
        passkey: models.PasskeyAnswerInput | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Session:
        """POST /v1/sessions/actions/verify

        A second factor; of somebody who has none, the password.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Session,
            Ask(
                "POST",
                "/v1/sessions/actions/verify",
                query={"dry_run": dry_run or None},
                body={"password": password, "totp": totp, "recovery_code": recovery_code, "passkey": passkey},
                key=idempotency_key,
            ),
        )


class Sets(Resource):
    def list(
        self, *, kind: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.NamedSet]:
        """GET /v1/sets

        `kind`: One of set, scheme_class.
        `sort`: One of name, -name.
        """
        return Listing(
            self._scope, models.NamedSet, Ask("GET", "/v1/sets", query={"kind": kind, "sort": sort, "limit": page_size})
        )


class Sign(Resource):
    def in_methods(self) -> models.Methods:
        """GET /v1/sign-in-methods"""
        return self._scope.one(models.Methods, Ask("GET", "/v1/sign-in-methods"))


class SshKeys(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.SshKey]:
        """GET /v1/projects/{project}/ssh-keys

        `name`: The key of this name.
        `created_after`: Only what was created after this moment (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.SshKey,
            Ask(
                "GET",
                "/v1/projects/{project}/ssh-keys",
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
        public_key: str,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.SshKey:
        """POST /v1/projects/{project}/ssh-keys

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.SshKey,
            Ask(
                "POST",
                "/v1/projects/{project}/ssh-keys",
                query={"dry_run": dry_run or None},
                body={"name": name, "public_key": public_key, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, ssh_key: str) -> models.SshKey:
        """GET /v1/projects/{project}/ssh-keys/{ssh_key}"""
        return self._scope.one(
            models.SshKey, Ask("GET", "/v1/projects/{project}/ssh-keys/{ssh_key}", names={"ssh_key": ssh_key})
        )

    def update(
        self,
        ssh_key: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.SshKey:
        """PATCH /v1/projects/{project}/ssh-keys/{ssh_key}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.SshKey,
            Ask(
                "PATCH",
                "/v1/projects/{project}/ssh-keys/{ssh_key}",
                names={"ssh_key": ssh_key},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, ssh_key: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/ssh-keys/{ssh_key}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/ssh-keys/{ssh_key}",
                    names={"ssh_key": ssh_key},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )


class Terraform(Resource):
    def services(self) -> models.Services:
        """GET /.well-known/terraform.json"""
        return self._scope.one(models.Services, Ask("GET", "/.well-known/terraform.json"))

    def provider_package(
        self, namespace: str, terraform_provider: str, version: str, os: str, arch: str
    ) -> models.ProviderPackage:
        """GET /v1/terraform/providers/{namespace}/{terraform_provider}/{version}/download/{os}/{arch}"""
        return self._scope.one(
            models.ProviderPackage,
            Ask(
                "GET",
                "/v1/terraform/providers/{namespace}/{terraform_provider}/{version}/download/{os}/{arch}",
                names={
                    "namespace": namespace,
                    "terraform_provider": terraform_provider,
                    "version": version,
                    "os": os,
                    "arch": arch,
                },
            ),
        )

    def provider_file(self, namespace: str, terraform_provider: str, version: str, file: str, to: BinaryIO) -> int:
        """GET /v1/terraform/providers/{namespace}/{terraform_provider}/{version}/files/{file}"""
        return self._scope.download(
            Ask(
                "GET",
                "/v1/terraform/providers/{namespace}/{terraform_provider}/{version}/files/{file}",
                names={
                    "namespace": namespace,
                    "terraform_provider": terraform_provider,
                    "version": version,
                    "file": file,
                },
            ),
            to,
        )

    def provider_version_list(self, namespace: str, terraform_provider: str) -> models.ProviderVersions:
        """GET /v1/terraform/providers/{namespace}/{terraform_provider}/versions"""
        return self._scope.one(
            models.ProviderVersions,
            Ask(
                "GET",
                "/v1/terraform/providers/{namespace}/{terraform_provider}/versions",
                names={"namespace": namespace, "terraform_provider": terraform_provider},
            ),
        )


class TerraformStates(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.State]:
        """GET /v1/projects/{project}/terraform-states

        `sort`: One of name, -name.
        """
        return Listing(
            self._scope,
            models.State,
            Ask("GET", "/v1/projects/{project}/terraform-states", query={"sort": sort, "limit": page_size}),
        )

    def read(self, terraform_state: str) -> dict[str, Any]:
        """GET /v1/projects/{project}/terraform-states/{terraform_state}"""
        return cast(
            "dict[str, Any]",
            self._scope.document(
                Ask(
                    "GET",
                    "/v1/projects/{project}/terraform-states/{terraform_state}",
                    names={"terraform_state": terraform_state},
                )
            ),
        )

    def delete(self, terraform_state: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/projects/{project}/terraform-states/{terraform_state}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/terraform-states/{terraform_state}",
                    names={"terraform_state": terraform_state},
                    query={"dry_run": dry_run or None},
                )
            ),
        )

    def lock(
        self,
        terraform_state: str,
        *,
        ID: str,
        Operation: str | None = None,
        Info: str | None = None,
        Who: str | None = None,
        Version: str | None = None,
        Created: str | None = None,
        Path: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.State:
        """POST /v1/projects/{project}/terraform-states/{terraform_state}/actions/lock

        What Terraform says of whoever holds a lock. The names are Terraform's.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.State,
            Ask(
                "POST",
                "/v1/projects/{project}/terraform-states/{terraform_state}/actions/lock",
                names={"terraform_state": terraform_state},
                query={"dry_run": dry_run or None},
                body={
                    "ID": ID,
                    "Operation": Operation,
                    "Info": Info,
                    "Who": Who,
                    "Version": Version,
                    "Created": Created,
                    "Path": Path,
                },
                key=idempotency_key,
            ),
        )

    def unlock(
        self,
        terraform_state: str,
        *,
        ID: str | None = None,
        Operation: str | None = None,
        Info: str | None = None,
        Who: str | None = None,
        Version: str | None = None,
        Created: str | None = None,
        Path: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.State:
        """POST /v1/projects/{project}/terraform-states/{terraform_state}/actions/unlock

        The lock to end. Without an ID it ends whoever's it is, as `terraform force-unlock` wants.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.State,
            Ask(
                "POST",
                "/v1/projects/{project}/terraform-states/{terraform_state}/actions/unlock",
                names={"terraform_state": terraform_state},
                query={"dry_run": dry_run or None},
                body={
                    "ID": ID,
                    "Operation": Operation,
                    "Info": Info,
                    "Who": Who,
                    "Version": Version,
                    "Created": Created,
                    "Path": Path,
                },
                key=idempotency_key,
            ),
        )

    def version_list(
        self,
        terraform_state: str,
        *,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.StateVersion]:
        """GET /v1/projects/{project}/terraform-states/{terraform_state}/versions

        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.StateVersion,
            Ask(
                "GET",
                "/v1/projects/{project}/terraform-states/{terraform_state}/versions",
                names={"terraform_state": terraform_state},
                query={"created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def version_read(self, terraform_state: str, version: str) -> dict[str, Any]:
        """GET /v1/projects/{project}/terraform-states/{terraform_state}/versions/{version}"""
        return cast(
            "dict[str, Any]",
            self._scope.document(
                Ask(
                    "GET",
                    "/v1/projects/{project}/terraform-states/{terraform_state}/versions/{version}",
                    names={"terraform_state": terraform_state, "version": version},
                )
            ),
        )


class Tokens(Resource):
    def list(
        self,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Token]:
        """GET /v1/projects/{project}/tokens

        `created_after`: Only what was created after this moment (RFC 3339).
        `name`: The token of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Token,
            Ask(
                "GET",
                "/v1/projects/{project}/tokens",
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        *,
        name: str,
        role: str | None = None,
        lifetime_days: int | None = None,
        verbs: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.TokenWithSecret:
        """POST /v1/projects/{project}/tokens

        `verbs` and `kinds` limit what it may do to which kinds of resources; without them its role alone does.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.TokenWithSecret,
            Ask(
                "POST",
                "/v1/projects/{project}/tokens",
                query={"dry_run": dry_run or None},
                body={"name": name, "role": role, "lifetime_days": lifetime_days, "verbs": verbs, "kinds": kinds},
                key=idempotency_key,
            ),
        )

    def revoke(self, token: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/projects/{project}/tokens/{token}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/tokens/{token}",
                    names={"token": token},
                    query={"dry_run": dry_run or None},
                )
            ),
        )


class Totp(Resource):
    def enrol(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Totp:
        """POST /v1/totp

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Totp, Ask("POST", "/v1/totp", query={"dry_run": dry_run or None}, key=idempotency_key)
        )

    def remove(self, *, dry_run: bool = False) -> None:
        """DELETE /v1/totp

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast("None", self._scope.document(Ask("DELETE", "/v1/totp", query={"dry_run": dry_run or None})))

    def confirm(self, *, code: str, dry_run: bool = False, idempotency_key: str | None = None) -> models.RecoveryCodes:
        """POST /v1/totp/actions/confirm

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.RecoveryCodes,
            Ask(
                "POST",
                "/v1/totp/actions/confirm",
                query={"dry_run": dry_run or None},
                body={"code": code},
                key=idempotency_key,
            ),
        )


class Transfers(Resource):
    def list(
        self, *, region: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Transfers]:
        """GET /v1/transparency/transfers

        `region`: The zones of this region.
        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.Transfers,
            Ask("GET", "/v1/transparency/transfers", query={"region": region, "sort": sort, "limit": page_size}),
        )


class Users(Resource):
    def sessions_end(self, user: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/users/{user}/sessions

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/users/{user}/sessions", names={"user": user}, query={"dry_run": dry_run or None})
            ),
        )


class VolumeTypes(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.VolumeType]:
        """GET /v1/volume-types

        `sort`: One of id, -id.
        """
        return Listing(
            self._scope, models.VolumeType, Ask("GET", "/v1/volume-types", query={"sort": sort, "limit": page_size})
        )


class Volumes(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Volume]:
        """GET /v1/projects/{project}/volumes

        `name`: The volume of this name.
        `state`: One of building, available, in-use, error.
        `zone`: The volumes in this zone.
        `created_after`: Only what was created after this moment (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Volume,
            Ask(
                "GET",
                "/v1/projects/{project}/volumes",
                query={
                    "name": name,
                    "state": state,
                    "zone": zone,
                    "created_after": created_after,
                    "labels": labels,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    @overload
    def create(
        self,
        *,
        name: str,
        size_gib: int,
        volume_type: str | None = None,
        image: str | None = None,
        zones: Sequence[str] | None = None,
        near_instance: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: Literal[False] = False,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation: ...
    @overload
    def create(
        self,
        *,
        name: str,
        size_gib: int,
        dry_run: Literal[True],
        volume_type: str | None = None,
        image: str | None = None,
        zones: Sequence[str] | None = None,
        near_instance: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.PlacementSimulation: ...
    @overload
    def create(
        self,
        *,
        name: str,
        size_gib: int,
        dry_run: bool,
        volume_type: str | None = None,
        image: str | None = None,
        zones: Sequence[str] | None = None,
        near_instance: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation | models.PlacementSimulation: ...
    def create(
        self,
        *,
        name: str,
        size_gib: int,
        volume_type: str | None = None,
        image: str | None = None,
        zones: Sequence[str] | None = None,
        near_instance: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation | models.PlacementSimulation:
        """POST /v1/projects/{project}/volumes

        `near_instance`: on the node of that instance, so that it can be attached there. What `classifications` and
        `policy_atoms` demand holds for the volume's data as long as it exists. `host`: on this node and no other, for
        operators. `exemption`: by which it may be created though a policy refuses it, once.
        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "models.VolumeWithOperation | models.PlacementSimulation",
            self._scope.either(
                {200: models.PlacementSimulation, 201: models.VolumeWithOperation},
                Ask(
                    "POST",
                    "/v1/projects/{project}/volumes",
                    query={"dry_run": dry_run or None},
                    body={
                        "name": name,
                        "size_gib": size_gib,
                        "volume_type": volume_type,
                        "image": image,
                        "zones": zones,
                        "near_instance": near_instance,
                        "host": host,
                        "exemption": exemption,
                        "classifications": classifications,
                        "policy_atoms": policy_atoms,
                        "labels": labels,
                    },
                    key=idempotency_key,
                ),
            ),
        )

    def get(self, volume: str) -> models.Volume:
        """GET /v1/projects/{project}/volumes/{volume}"""
        return self._scope.one(
            models.Volume, Ask("GET", "/v1/projects/{project}/volumes/{volume}", names={"volume": volume})
        )

    def update(
        self,
        volume: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Volume:
        """PATCH /v1/projects/{project}/volumes/{volume}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Volume,
            Ask(
                "PATCH",
                "/v1/projects/{project}/volumes/{volume}",
                names={"volume": volume},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(
        self, volume: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.VolumeWithOperation | None:
        """DELETE /v1/projects/{project}/volumes/{volume}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "models.VolumeWithOperation | None",
            self._scope.either(
                {200: models.VolumeWithOperation, 202: models.VolumeWithOperation, 204: None},
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/volumes/{volume}",
                    names={"volume": volume},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                ),
            ),
        )

    def grow(
        self,
        volume: str,
        *,
        size_gib: int,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation:
        """POST /v1/projects/{project}/volumes/{volume}/actions/grow

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.VolumeWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/volumes/{volume}/actions/grow",
                names={"volume": volume},
                query={"dry_run": dry_run or None},
                body={"size_gib": size_gib},
                key=idempotency_key,
                if_match=if_match,
            ),
        )


class Webhooks(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Webhook]:
        """GET /v1/projects/{project}/webhooks

        `name`: The webhook of this name.
        `created_after`: Only what was created after this moment (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all must hold.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Webhook,
            Ask(
                "GET",
                "/v1/projects/{project}/webhooks",
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
        url: str,
        kinds: Sequence[str],
        is_enabled: bool | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.WebhookWithSecret:
        """POST /v1/projects/{project}/webhooks

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.WebhookWithSecret,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks",
                query={"dry_run": dry_run or None},
                body={"name": name, "url": url, "kinds": kinds, "is_enabled": is_enabled, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, webhook: str) -> models.Webhook:
        """GET /v1/projects/{project}/webhooks/{webhook}"""
        return self._scope.one(
            models.Webhook, Ask("GET", "/v1/projects/{project}/webhooks/{webhook}", names={"webhook": webhook})
        )

    def update(
        self,
        webhook: str,
        *,
        name: str | None = None,
        url: str | None = None,
        kinds: Sequence[str] | None = None,
        is_enabled: bool | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Webhook:
        """PATCH /v1/projects/{project}/webhooks/{webhook}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Webhook,
            Ask(
                "PATCH",
                "/v1/projects/{project}/webhooks/{webhook}",
                names={"webhook": webhook},
                query={"dry_run": dry_run or None},
                body={"name": name, "url": url, "kinds": kinds, "is_enabled": is_enabled, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, webhook: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/webhooks/{webhook}

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/webhooks/{webhook}",
                    names={"webhook": webhook},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def end_rotation(
        self, webhook: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Webhook:
        """POST /v1/projects/{project}/webhooks/{webhook}/actions/end-rotation

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Webhook,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks/{webhook}/actions/end-rotation",
                names={"webhook": webhook},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def ping(self, webhook: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Delivery:
        """POST /v1/projects/{project}/webhooks/{webhook}/actions/ping

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Delivery,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks/{webhook}/actions/ping",
                names={"webhook": webhook},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def rotate_secret(
        self,
        webhook: str,
        *,
        overlap_hours: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.WebhookWithSecret:
        """POST /v1/projects/{project}/webhooks/{webhook}/actions/rotate-secret

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.WebhookWithSecret,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks/{webhook}/actions/rotate-secret",
                names={"webhook": webhook},
                query={"dry_run": dry_run or None},
                body={"overlap_hours": overlap_hours},
                key=idempotency_key,
            ),
        )

    def delivery_list(
        self,
        webhook: str,
        *,
        state: str | None = None,
        kind: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Delivery]:
        """GET /v1/projects/{project}/webhooks/{webhook}/deliveries

        `state`: One of pending, succeeded, failed.
        `kind`: The deliveries of events of this kind.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Delivery,
            Ask(
                "GET",
                "/v1/projects/{project}/webhooks/{webhook}/deliveries",
                names={"webhook": webhook},
                query={"state": state, "kind": kind, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def delivery(self, webhook: str, delivery: str) -> models.Delivery:
        """GET /v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}"""
        return self._scope.one(
            models.Delivery,
            Ask(
                "GET",
                "/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}",
                names={"webhook": webhook, "delivery": delivery},
            ),
        )

    def delivery_redeliver(
        self, webhook: str, delivery: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Delivery:
        """POST /v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}/actions/redeliver

        `dry_run`: true: say only what would be; nothing is written.
        """
        return self._scope.one(
            models.Delivery,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}/actions/redeliver",
                names={"webhook": webhook, "delivery": delivery},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )


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
        `admissible_for`: The open zones in which an instance and a volume can be made under all that is demanded for this classification or project. Clauses about other roles (backup, console) are not asked.
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

        `flavor`: How many instances of this flavor fit, under the policies of the credential's project, or without one the platform's.
        """
        return self._scope.one(
            models.Capacity, Ask("GET", "/v1/zones/{zone}/capacity", names={"zone": zone}, query={"flavor": flavor})
        )


class Managers:
    """All managers, for one control plane and project."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.affinity_groups = AffinityGroups(scope)
        self.attachments = Attachments(scope)
        self.audit = Audit(scope)
        self.catalogue = Catalogue(scope)
        self.classifications = Classifications(scope)
        self.decisions = Decisions(scope)
        self.declassifications = Declassifications(scope)
        self.drift = Drift(scope)
        self.events = Events(scope)
        self.evidence = Evidence(scope)
        self.evidence_exports = EvidenceExports(scope)
        self.exemptions = Exemptions(scope)
        self.facts = Facts(scope)
        self.flavors = Flavors(scope)
        self.health = Health(scope)
        self.identities = Identities(scope)
        self.images = Images(scope)
        self.instances = Instances(scope)
        self.invitations = Invitations(scope)
        self.jurisdictions = Jurisdictions(scope)
        self.limits = Limits(scope)
        self.me = Me(scope)
        self.members = Members(scope)
        self.networks = Networks(scope)
        self.nodes = Nodes(scope)
        self.officer_keys = OfficerKeys(scope)
        self.openapi = Openapi(scope)
        self.openid = Openid(scope)
        self.openid_providers = OpenidProviders(scope)
        self.operations = Operations(scope)
        self.organizations = Organizations(scope)
        self.own = Own(scope)
        self.parties = Parties(scope)
        self.passkey = Passkey(scope)
        self.passkey_sessions = PasskeySessions(scope)
        self.passkeys = Passkeys(scope)
        self.password = Password(scope)
        self.password_links = PasswordLinks(scope)
        self.placement = Placement(scope)
        self.platform = Platform(scope)
        self.policy = Policy(scope)
        self.policy_proposals = PolicyProposals(scope)
        self.problems = Problems(scope)
        self.projects = Projects(scope)
        self.quota_requests = QuotaRequests(scope)
        self.quotas = Quotas(scope)
        self.recovery = Recovery(scope)
        self.regions = Regions(scope)
        self.remediation_plans = RemediationPlans(scope)
        self.resources = Resources(scope)
        self.service_accounts = ServiceAccounts(scope)
        self.sessions = Sessions(scope)
        self.sets = Sets(scope)
        self.sign = Sign(scope)
        self.ssh_keys = SshKeys(scope)
        self.terraform = Terraform(scope)
        self.terraform_states = TerraformStates(scope)
        self.tokens = Tokens(scope)
        self.totp = Totp(scope)
        self.transfers = Transfers(scope)
        self.users = Users(scope)
        self.volume_types = VolumeTypes(scope)
        self.volumes = Volumes(scope)
        self.webhooks = Webhooks(scope)
        self.zones = Zones(scope)
