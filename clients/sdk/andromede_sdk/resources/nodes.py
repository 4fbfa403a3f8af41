# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Nodes(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        duty: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Node]:
        """GET /v1/nodes

        `name`: The node of this name.
        `state`: One of enrolled, ready, unreachable.
        `duty`: One of in-service, cordoned, draining, maintenance, fenced, retired.
        `zone`: The nodes of this zone.
        `created_after`: Created after this time (RFC 3339).
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
                    "duty": duty,
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

        `dry_run`: true: only return what would happen; nothing is written.
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

    def drain_begin(
        self,
        node: str,
        *,
        plan: str,
        fallback: str | None = None,
        at_once: int | None = None,
        reason: str | None = None,
        deadline_s: int | None = None,
        convergence: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Drain:
        """POST /v1/nodes/{node}/actions/drain

        A request for a drain.

        `plan`: the digest of the plan to confirm. `at_once`: maximum number of guests that move at a time. `deadline_s`,
        `convergence`: of each migration.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Drain,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/drain",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={
                    "plan": plan,
                    "fallback": fallback,
                    "at_once": at_once,
                    "reason": reason,
                    "deadline_s": deadline_s,
                    "convergence": convergence,
                },
                key=idempotency_key,
            ),
        )

    def fence(
        self, node: str, *, evidence: str, reason: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Fence:
        """POST /v1/nodes/{node}/actions/fence

        A request to fence a node.

        `evidence`: power lets its BMC switch it off; lease relies on its self-fencing; attestation is the operator's own
        statement that it is off and unplugged, and needs a session with a fresh proof of identity.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Fence,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/fence",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={"evidence": evidence, "reason": reason},
                key=idempotency_key,
            ),
        )

    def maintain(
        self, node: str, *, reason: str | None = None, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Node:
        """POST /v1/nodes/{node}/actions/maintain

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Node,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/maintain",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def drain_plan(
        self, node: str, *, fallback: str | None = None, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.DrainPlan:
        """POST /v1/nodes/{node}/actions/plan-drain

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.DrainPlan,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/plan-drain",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={"fallback": fallback},
                key=idempotency_key,
            ),
        )

    def recover_plan(
        self, node: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.RecoveryPlan:
        """POST /v1/nodes/{node}/actions/plan-recover

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.RecoveryPlan,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/plan-recover",
                names={"node": node},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def recover_begin(
        self,
        node: str,
        *,
        plan: str,
        at_once: int | None = None,
        reason: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Drain:
        """POST /v1/nodes/{node}/actions/recover

        A request for a node recovery.

        `plan`: the digest of the plan to confirm. `at_once`: maximum number of evacuations at a time.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Drain,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/recover",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={"plan": plan, "at_once": at_once, "reason": reason},
                key=idempotency_key,
            ),
        )

    def retire(
        self, node: str, *, reason: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Node:
        """POST /v1/nodes/{node}/actions/retire

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Node,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/retire",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def return_(self, node: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Node:
        """POST /v1/nodes/{node}/actions/return

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Node,
            Ask(
                "POST",
                "/v1/nodes/{node}/actions/return",
                names={"node": node},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def uncordon(self, node: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Node:
        """POST /v1/nodes/{node}/actions/uncordon

        `dry_run`: true: only return what would happen; nothing is written.
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

    def bmc(self, node: str) -> models.Bmc:
        """GET /v1/nodes/{node}/bmc"""
        return self._scope.one(models.Bmc, Ask("GET", "/v1/nodes/{node}/bmc", names={"node": node}))

    def bmc_set(
        self,
        node: str,
        *,
        address: str,
        username: str,
        password: str,
        certificate_sha256: str,
        system_id: str | None = None,
        dry_run: bool = False,
    ) -> models.Bmc:
        """PUT /v1/nodes/{node}/bmc

        A BMC.

        `address`: an IP address in a management network of the platform, with a port if that is not 443.
        `certificate_sha256`: of its certificate; no other one is trusted. `system_id`: the node's system, if the BMC has
        several. `password` is never returned.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Bmc,
            Ask(
                "PUT",
                "/v1/nodes/{node}/bmc",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={
                    "address": address,
                    "username": username,
                    "password": password,
                    "certificate_sha256": certificate_sha256,
                    "system_id": system_id,
                },
            ),
        )

    def bmc_delete(self, node: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/nodes/{node}/bmc

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/nodes/{node}/bmc", names={"node": node}, query={"dry_run": dry_run or None})
            ),
        )

    def drain(self, node: str, *, wait: str | None = None) -> models.Drain:
        """GET /v1/nodes/{node}/drain

        `wait`: Respond when the drain has ended or needs an operator, at the latest after this time (0s to 60s).
        """
        return self._scope.one(
            models.Drain, Ask("GET", "/v1/nodes/{node}/drain", names={"node": node}, query={"wait": wait})
        )

    def drain_cancel(self, node: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Drain:
        """POST /v1/nodes/{node}/drain/actions/cancel

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Drain,
            Ask(
                "POST",
                "/v1/nodes/{node}/drain/actions/cancel",
                names={"node": node},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def drain_pause(self, node: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Drain:
        """POST /v1/nodes/{node}/drain/actions/pause

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Drain,
            Ask(
                "POST",
                "/v1/nodes/{node}/drain/actions/pause",
                names={"node": node},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def drain_resume(self, node: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Drain:
        """POST /v1/nodes/{node}/drain/actions/resume

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Drain,
            Ask(
                "POST",
                "/v1/nodes/{node}/drain/actions/resume",
                names={"node": node},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def drain_retry(
        self, node: str, *, fallback: str | None = None, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Drain:
        """POST /v1/nodes/{node}/drain/actions/retry

        A request to retry a drain. `fallback`: a new value from now on.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Drain,
            Ask(
                "POST",
                "/v1/nodes/{node}/drain/actions/retry",
                names={"node": node},
                query={"dry_run": dry_run or None},
                body={"fallback": fallback},
                key=idempotency_key,
            ),
        )

    def fencing(self, node: str) -> models.Fencing:
        """GET /v1/nodes/{node}/fencing"""
        return self._scope.one(models.Fencing, Ask("GET", "/v1/nodes/{node}/fencing", names={"node": node}))

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
        `created_after`: Created after this time (RFC 3339).
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

    def instance_list(
        self,
        node: str,
        *,
        state: str | None = None,
        project: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Guest]:
        """GET /v1/nodes/{node}/instances

        `state`: One of building, active, stopped, error.
        `project`: The instances of projects of this name.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Guest,
            Ask(
                "GET",
                "/v1/nodes/{node}/instances",
                names={"node": node},
                query={
                    "state": state,
                    "project": project,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def metrics(
        self, node: str, *, since: Moment | None = None, until: Moment | None = None, resolution: str | None = None
    ) -> models.Metrics:
        """GET /v1/nodes/{node}/metrics

        `since`: The first moment (RFC 3339); an hour before `until` when not given.
        `until`: Up to this moment; now when not given, and never later.
        `resolution`: How much time a point stands for, such as 30s, 5m or 1h; there are 1000 points at most, and up to 400 when it is not given.
        """
        return self._scope.one(
            models.Metrics,
            Ask(
                "GET",
                "/v1/nodes/{node}/metrics",
                names={"node": node},
                query={"since": since, "until": until, "resolution": resolution},
            ),
        )
