# Made from docs/reference/openapi.json by `make clients`.
"""The managers: one class per kind of things, one method per operation of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Literal, cast, overload

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource, Scope


class AffinityGroups(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.AffinityGroup]:
        """GET /v1/projects/{project}/affinity-groups

        `name`: The group of this name.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.AffinityGroup,
            Ask(
                "GET",
                "/v1/projects/{project}/affinity-groups",
                query={"name": name, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self, *, name: str, rule: str, is_strict: bool | None = None, idempotency_key: str | None = None
    ) -> models.AffinityGroup:
        """POST /v1/projects/{project}/affinity-groups

        `is_strict` false: a wish, not a condition.
        """
        return self._scope.one(
            models.AffinityGroup,
            Ask(
                "POST",
                "/v1/projects/{project}/affinity-groups",
                body={"name": name, "rule": rule, "is_strict": is_strict},
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

    def delete(self, affinity_group: str) -> None:
        """DELETE /v1/projects/{project}/affinity-groups/{affinity_group}"""
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/affinity-groups/{affinity_group}",
                    names={"affinity_group": affinity_group},
                )
            ),
        )


class Attachments(Resource):
    def list(
        self, instance: str, *, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Attachment]:
        """GET /v1/projects/{project}/instances/{instance}/attachments

        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Attachment,
            Ask(
                "GET",
                "/v1/projects/{project}/instances/{instance}/attachments",
                names={"instance": instance},
                query={"sort": sort, "limit": page_size},
            ),
        )

    def create(
        self, instance: str, *, volume: str, is_read_only: bool | None = None, idempotency_key: str | None = None
    ) -> models.AttachmentWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/attachments"""
        return self._scope.one(
            models.AttachmentWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/attachments",
                names={"instance": instance},
                body={"volume": volume, "is_read_only": is_read_only},
                key=idempotency_key,
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

    def delete(self, instance: str, attachment: str) -> models.AttachmentWithOperation:
        """DELETE /v1/projects/{project}/instances/{instance}/attachments/{attachment}"""
        return self._scope.one(
            models.AttachmentWithOperation,
            Ask(
                "DELETE",
                "/v1/projects/{project}/instances/{instance}/attachments/{attachment}",
                names={"instance": instance, "attachment": attachment},
            ),
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
        idempotency_key: str | None = None,
    ) -> models.Proposal:
        """POST /v1/organizations/{organization}/declassifications

        What the data of one resource is to lose.
        """
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/organizations/{organization}/declassifications",
                names={"organization": organization},
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


class Evidence(Resource):
    def checkpoint(self) -> str:
        """GET /v1/evidence/checkpoint"""
        return self._scope.text(Ask("GET", "/v1/evidence/checkpoint"))

    def cosign(self, *, tree_size: int, line: str, idempotency_key: str | None = None) -> None:
        """POST /v1/evidence/cosignatures

        A line of a signed note, by a witness whose key the operators have added.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "POST",
                    "/v1/evidence/cosignatures",
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

        `kind`: One of decision, permit, cosignature, receipt, fact, policy_version, policy_proposal, exemption, drift, erasure, admin_session, key_release, node, trust, incident, mark.
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
        self, organization: str, *, from_: Moment, to: Moment, idempotency_key: str | None = None
    ) -> models.Export:
        """POST /v1/organizations/{organization}/evidence-exports

        `to` is not within, and has passed.
        """
        return self._scope.one(
            models.Export,
            Ask(
                "POST",
                "/v1/organizations/{organization}/evidence-exports",
                names={"organization": organization},
                body={"from": from_, "to": to},
                key=idempotency_key,
            ),
        )


class Exemptions(Resource):
    def list(
        self, *, zone: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Exemption]:
        """GET /v1/exemptions

        `zone`: Exemptions for this zone.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Exemption,
            Ask("GET", "/v1/exemptions", query={"zone": zone, "sort": sort, "limit": page_size}),
        )

    def request(
        self,
        *,
        decision: str,
        zone: str,
        reason: str,
        hours: int | None = None,
        max_uses: int | None = None,
        idempotency_key: str | None = None,
    ) -> models.Exemption:
        """POST /v1/exemptions

        `decision`: the refusal that it is to get around.
        """
        return self._scope.one(
            models.Exemption,
            Ask(
                "POST",
                "/v1/exemptions",
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
        self, exemption: str, *, duty: str, key_id: str, signature: str, idempotency_key: str | None = None
    ) -> models.Exemption:
        """POST /v1/exemptions/{exemption}/actions/approve

        `signature`: of the bytes of the exemption's `to_sign` for the duty, by your own key, in base64.
        """
        return self._scope.one(
            models.Exemption,
            Ask(
                "POST",
                "/v1/exemptions/{exemption}/actions/approve",
                names={"exemption": exemption},
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
                    "at": at,
                    "believed_at": believed_at,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def state(
        self, *, facts: Sequence[models.SignedFactInput], idempotency_key: str | None = None
    ) -> models.FactsStated:
        """POST /v1/facts

        All are stated, or none.
        """
        return self._scope.one(models.FactsStated, Ask("POST", "/v1/facts", body={"facts": facts}, key=idempotency_key))


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
        idempotency_key: str | None = None,
    ) -> models.ImageWithOperation:
        """POST /v1/projects/{project}/images

        Without `source_url` the image waits for its bytes: PUT them to its `file`.
        """
        return self._scope.one(
            models.ImageWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/images",
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
        self, image: str, *, name: str | None = None, labels: Mapping[str, str | None] | None = None
    ) -> models.Image:
        """PATCH /v1/projects/{project}/images/{image}"""
        return self._scope.one(
            models.Image,
            Ask(
                "PATCH",
                "/v1/projects/{project}/images/{image}",
                names={"image": image},
                body={"name": name, "labels": labels},
            ),
        )

    def delete(self, image: str) -> None:
        """DELETE /v1/projects/{project}/images/{image}"""
        return cast(
            "None", self._scope.document(Ask("DELETE", "/v1/projects/{project}/images/{image}", names={"image": image}))
        )

    def upload(self, image: str, file: BinaryIO) -> models.ImageWithOperation:
        """PUT /v1/projects/{project}/images/{image}/file"""
        return self._scope.upload(
            models.ImageWithOperation,
            Ask("PUT", "/v1/projects/{project}/images/{image}/file", names={"image": image}),
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
                {201: models.InstanceWithOperation, 200: models.PlacementSimulation},
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
        self, instance: str, *, name: str | None = None, labels: Mapping[str, str | None] | None = None
    ) -> models.Instance:
        """PATCH /v1/projects/{project}/instances/{instance}"""
        return self._scope.one(
            models.Instance,
            Ask(
                "PATCH",
                "/v1/projects/{project}/instances/{instance}",
                names={"instance": instance},
                body={"name": name, "labels": labels},
            ),
        )

    def delete(self, instance: str) -> models.InstanceWithOperation | None:
        """DELETE /v1/projects/{project}/instances/{instance}"""
        return cast(
            "models.InstanceWithOperation | None",
            self._scope.either(
                {202: models.InstanceWithOperation, 204: None},
                Ask("DELETE", "/v1/projects/{project}/instances/{instance}", names={"instance": instance}),
            ),
        )

    def power_off(self, instance: str, *, idempotency_key: str | None = None) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/power-off"""
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/power-off",
                names={"instance": instance},
                key=idempotency_key,
            ),
        )

    def reboot(self, instance: str, *, idempotency_key: str | None = None) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/reboot"""
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/reboot",
                names={"instance": instance},
                key=idempotency_key,
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
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/rebuild

        The root disk is made anew from `image`, and all that was on it is erased. Name, addresses, attachments and size
        stay, and the `ssh_keys` and the user data too where none are given. It boots as for the first time: at once if the
        instance is active, else when it is started.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/rebuild",
                names={"instance": instance},
                body={
                    "image": image,
                    "ssh_keys": ssh_keys,
                    "user_data": user_data,
                    "user_data_base64": user_data_base64,
                },
                key=idempotency_key,
            ),
        )

    def reset(self, instance: str, *, idempotency_key: str | None = None) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/reset"""
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/reset",
                names={"instance": instance},
                key=idempotency_key,
            ),
        )

    def resize(self, instance: str, *, flavor: str, idempotency_key: str | None = None) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/resize"""
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/resize",
                names={"instance": instance},
                body={"flavor": flavor},
                key=idempotency_key,
            ),
        )

    def shutdown(self, instance: str, *, idempotency_key: str | None = None) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/shutdown"""
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/shutdown",
                names={"instance": instance},
                key=idempotency_key,
            ),
        )

    def start(self, instance: str, *, idempotency_key: str | None = None) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/start"""
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/start",
                names={"instance": instance},
                key=idempotency_key,
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
        idempotency_key: str | None = None,
    ) -> models.Network:
        """POST /v1/projects/{project}/networks"""
        return self._scope.one(
            models.Network,
            Ask(
                "POST",
                "/v1/projects/{project}/networks",
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
        self, network: str, *, name: str | None = None, labels: Mapping[str, str | None] | None = None
    ) -> models.Network:
        """PATCH /v1/projects/{project}/networks/{network}"""
        return self._scope.one(
            models.Network,
            Ask(
                "PATCH",
                "/v1/projects/{project}/networks/{network}",
                names={"network": network},
                body={"name": name, "labels": labels},
            ),
        )

    def delete(self, network: str) -> None:
        """DELETE /v1/projects/{project}/networks/{network}"""
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/projects/{project}/networks/{network}", names={"network": network})
            ),
        )


class Nodes(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        zone: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Node]:
        """GET /v1/nodes

        `name`: The node of this name.
        `state`: One of enrolled, ready, unreachable.
        `zone`: The nodes of this zone.
        `sort`: One of name, -name, created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Node,
            Ask(
                "GET", "/v1/nodes", query={"name": name, "state": state, "zone": zone, "sort": sort, "limit": page_size}
            ),
        )

    def get(self, node: str) -> models.Node:
        """GET /v1/nodes/{node}"""
        return self._scope.one(models.Node, Ask("GET", "/v1/nodes/{node}", names={"node": node}))

    def cordon(self, node: str, *, reason: str | None = None, idempotency_key: str | None = None) -> models.Node:
        """POST /v1/nodes/{node}/actions/cordon"""
        return self._scope.one(
            models.Node,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/cordon",
                names={"node": node},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def uncordon(self, node: str, *, idempotency_key: str | None = None) -> models.Node:
        """POST /v1/nodes/{node}/actions/uncordon"""
        return self._scope.one(
            models.Node, Ask("POST", "/v1/nodes/{node}/actions/uncordon", names={"node": node}, key=idempotency_key)
        )

    def incident_list(
        self, node: str, *, kind: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Incident]:
        """GET /v1/nodes/{node}/incidents

        `kind`: The incidents of this kind.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Incident,
            Ask(
                "GET",
                "/v1/nodes/{node}/incidents",
                names={"node": node},
                query={"kind": kind, "sort": sort, "limit": page_size},
            ),
        )


class OfficerKeys(Resource):
    def list(
        self, *, officer: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.OfficerKey]:
        """GET /v1/officer-keys

        `officer`: The keys of this officer.
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.OfficerKey,
            Ask("GET", "/v1/officer-keys", query={"officer": officer, "sort": sort, "limit": page_size}),
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
        idempotency_key: str | None = None,
    ) -> models.OfficerKey:
        """POST /v1/officer-keys

        `public_key`: PEM, or the base64 of its SubjectPublicKeyInfo; Ed25519, or ECDSA on P-256.
        """
        return self._scope.one(
            models.OfficerKey,
            Ask(
                "POST",
                "/v1/officer-keys",
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

    def revoke(self, officer_key: str) -> None:
        """DELETE /v1/officer-keys/{officer_key}"""
        return cast(
            "None",
            self._scope.document(Ask("DELETE", "/v1/officer-keys/{officer_key}", names={"officer_key": officer_key})),
        )


class Openapi(Resource):
    def get(self) -> dict[str, Any]:
        """GET /v1/openapi.json"""
        return cast("dict[str, Any]", self._scope.document(Ask("GET", "/v1/openapi.json")))


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

        `wait`: Answer when the operation has ended, or after so many seconds (1s to 60s).
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

    def cancel(self, operation: str, *, idempotency_key: str | None = None) -> models.Operation:
        """POST /v1/projects/{project}/operations/{operation}/actions/cancel"""
        return self._scope.one(
            models.Operation,
            Ask(
                "POST",
                "/v1/projects/{project}/operations/{operation}/actions/cancel",
                names={"operation": operation},
                key=idempotency_key,
            ),
        )


class Organizations(Resource):
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
        idempotency_key: str | None = None,
    ) -> models.Classification:
        """POST /v1/organizations/{organization}/classifications

        The id will be the organization's name, a dot, and `name`.
        """
        return self._scope.one(
            models.Classification,
            Ask(
                "POST",
                "/v1/organizations/{organization}/classifications",
                names={"organization": organization},
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
        idempotency_key: str | None = None,
    ) -> models.PlacementSimulation:
        """POST /v1/placement/simulations

        What would be decided now. `roles`: others than the operation's; `policy_atoms`: clauses on top of those in
        force. `project` is needed when the credential is for none.
        """
        return self._scope.one(
            models.PlacementSimulation,
            Ask(
                "POST",
                "/v1/placement/simulations",
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
        idempotency_key: str | None = None,
    ) -> models.Simulation:
        """POST /v1/policy/simulate

        Suppose that certificates are withdrawn, that facts are others, or that it is another time (`at`).
        """
        return self._scope.one(
            models.Simulation,
            Ask(
                "POST",
                "/v1/policy/simulate",
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
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Proposal]:
        """GET /v1/policy-proposals

        `state`: One of proposed, approved, applied, withdrawn.
        `level`: platform, organization, project or classification.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Proposal,
            Ask(
                "GET", "/v1/policy-proposals", query={"state": state, "level": level, "sort": sort, "limit": page_size}
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
        idempotency_key: str | None = None,
    ) -> models.Proposal:
        """POST /v1/policy-proposals

        Whose policy: one of these; none: the platform's.
        """
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/policy-proposals",
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

    def approve(self, proposal: str, *, idempotency_key: str | None = None) -> models.Proposal:
        """POST /v1/policy-proposals/{proposal}/actions/approve"""
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/policy-proposals/{proposal}/actions/approve",
                names={"proposal": proposal},
                key=idempotency_key,
            ),
        )

    def withdraw(self, proposal: str, *, idempotency_key: str | None = None) -> models.Proposal:
        """POST /v1/policy-proposals/{proposal}/actions/withdraw"""
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/policy-proposals/{proposal}/actions/withdraw",
                names={"proposal": proposal},
                key=idempotency_key,
            ),
        )


class Projects(Resource):
    def list(
        self, *, name: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Project]:
        """GET /v1/projects

        `name`: The project of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Project,
            Ask("GET", "/v1/projects", query={"name": name, "sort": sort, "limit": page_size}),
        )

    def get(self, project: str) -> models.Project:
        """GET /v1/projects/{project}"""
        return self._scope.one(models.Project, Ask("GET", "/v1/projects/{project}", names={"project": project}))


class Regions(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.Region]:
        """GET /v1/regions

        `sort`: One of id, -id.
        """
        return Listing(self._scope, models.Region, Ask("GET", "/v1/regions", query={"sort": sort, "limit": page_size}))


class RemediationPlans(Resource):
    def list(
        self, *, state: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Plan]:
        """GET /v1/projects/{project}/remediation-plans

        `state`: One of proposed, approved, done, withdrawn.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Plan,
            Ask(
                "GET",
                "/v1/projects/{project}/remediation-plans",
                query={"state": state, "sort": sort, "limit": page_size},
            ),
        )

    def approve(self, plan: str, *, idempotency_key: str | None = None) -> models.Plan:
        """POST /v1/projects/{project}/remediation-plans/{plan}/actions/approve"""
        return self._scope.one(
            models.Plan,
            Ask(
                "POST",
                "/v1/projects/{project}/remediation-plans/{plan}/actions/approve",
                names={"plan": plan},
                key=idempotency_key,
            ),
        )


class Resources(Resource):
    def lineage_list(
        self, organization: str, resource: str, *, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Lineage]:
        """GET /v1/organizations/{organization}/resources/{resource}/lineage

        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Lineage,
            Ask(
                "GET",
                "/v1/organizations/{organization}/resources/{resource}/lineage",
                names={"organization": organization, "resource": resource},
                query={"sort": sort, "limit": page_size},
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


class SshKeys(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.SshKey]:
        """GET /v1/projects/{project}/ssh-keys

        `name`: The key of this name.
        `created_after`: Only what was created after this moment (RFC 3339).
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.SshKey,
            Ask(
                "GET",
                "/v1/projects/{project}/ssh-keys",
                query={"name": name, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def create(self, *, name: str, public_key: str, idempotency_key: str | None = None) -> models.SshKey:
        """POST /v1/projects/{project}/ssh-keys"""
        return self._scope.one(
            models.SshKey,
            Ask(
                "POST",
                "/v1/projects/{project}/ssh-keys",
                body={"name": name, "public_key": public_key},
                key=idempotency_key,
            ),
        )

    def get(self, ssh_key: str) -> models.SshKey:
        """GET /v1/projects/{project}/ssh-keys/{ssh_key}"""
        return self._scope.one(
            models.SshKey, Ask("GET", "/v1/projects/{project}/ssh-keys/{ssh_key}", names={"ssh_key": ssh_key})
        )

    def delete(self, ssh_key: str) -> None:
        """DELETE /v1/projects/{project}/ssh-keys/{ssh_key}"""
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/projects/{project}/ssh-keys/{ssh_key}", names={"ssh_key": ssh_key})
            ),
        )


class Tokens(Resource):
    def list(
        self, *, name: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Token]:
        """GET /v1/projects/{project}/tokens

        `name`: The token of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Token,
            Ask("GET", "/v1/projects/{project}/tokens", query={"name": name, "sort": sort, "limit": page_size}),
        )

    def create(
        self,
        *,
        name: str,
        role: str | None = None,
        lifetime_days: int | None = None,
        idempotency_key: str | None = None,
    ) -> models.TokenWithSecret:
        """POST /v1/projects/{project}/tokens"""
        return self._scope.one(
            models.TokenWithSecret,
            Ask(
                "POST",
                "/v1/projects/{project}/tokens",
                body={"name": name, "role": role, "lifetime_days": lifetime_days},
                key=idempotency_key,
            ),
        )

    def revoke(self, token: str) -> None:
        """DELETE /v1/projects/{project}/tokens/{token}"""
        return cast(
            "None", self._scope.document(Ask("DELETE", "/v1/projects/{project}/tokens/{token}", names={"token": token}))
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
                {201: models.VolumeWithOperation, 200: models.PlacementSimulation},
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
        self, volume: str, *, name: str | None = None, labels: Mapping[str, str | None] | None = None
    ) -> models.Volume:
        """PATCH /v1/projects/{project}/volumes/{volume}"""
        return self._scope.one(
            models.Volume,
            Ask(
                "PATCH",
                "/v1/projects/{project}/volumes/{volume}",
                names={"volume": volume},
                body={"name": name, "labels": labels},
            ),
        )

    def delete(self, volume: str) -> models.VolumeWithOperation | None:
        """DELETE /v1/projects/{project}/volumes/{volume}"""
        return cast(
            "models.VolumeWithOperation | None",
            self._scope.either(
                {202: models.VolumeWithOperation, 204: None},
                Ask("DELETE", "/v1/projects/{project}/volumes/{volume}", names={"volume": volume}),
            ),
        )

    def grow(self, volume: str, *, size_gib: int, idempotency_key: str | None = None) -> models.VolumeWithOperation:
        """POST /v1/projects/{project}/volumes/{volume}/actions/grow"""
        return self._scope.one(
            models.VolumeWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/volumes/{volume}/actions/grow",
                names={"volume": volume},
                body={"size_gib": size_gib},
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

    def capacity(self, zone: str, *, flavor: str | None = None) -> models.Capacity:
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
        self.catalogue = Catalogue(scope)
        self.classifications = Classifications(scope)
        self.decisions = Decisions(scope)
        self.declassifications = Declassifications(scope)
        self.drift = Drift(scope)
        self.evidence = Evidence(scope)
        self.evidence_exports = EvidenceExports(scope)
        self.exemptions = Exemptions(scope)
        self.facts = Facts(scope)
        self.flavors = Flavors(scope)
        self.health = Health(scope)
        self.images = Images(scope)
        self.instances = Instances(scope)
        self.jurisdictions = Jurisdictions(scope)
        self.limits = Limits(scope)
        self.networks = Networks(scope)
        self.nodes = Nodes(scope)
        self.officer_keys = OfficerKeys(scope)
        self.openapi = Openapi(scope)
        self.operations = Operations(scope)
        self.organizations = Organizations(scope)
        self.parties = Parties(scope)
        self.placement = Placement(scope)
        self.platform = Platform(scope)
        self.policy = Policy(scope)
        self.policy_proposals = PolicyProposals(scope)
        self.projects = Projects(scope)
        self.regions = Regions(scope)
        self.remediation_plans = RemediationPlans(scope)
        self.resources = Resources(scope)
        self.sets = Sets(scope)
        self.ssh_keys = SshKeys(scope)
        self.tokens = Tokens(scope)
        self.transfers = Transfers(scope)
        self.volume_types = VolumeTypes(scope)
        self.volumes = Volumes(scope)
        self.zones = Zones(scope)
