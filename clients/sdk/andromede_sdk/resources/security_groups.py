# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class SecurityGroups(Resource):
    def of_instance(self, instance: str) -> models.InstanceSecurityGroups:
        """GET /v1/projects/{project}/instances/{instance}/security-groups"""
        return self._scope.one(
            models.InstanceSecurityGroups,
            Ask("GET", "/v1/projects/{project}/instances/{instance}/security-groups", names={"instance": instance}),
        )

    def of_instance_set(
        self, instance: str, *, security_groups: Sequence[str], dry_run: bool = False
    ) -> models.InstanceSecurityGroups:
        """PUT /v1/projects/{project}/instances/{instance}/security-groups

        The security groups of all ports of an instance, in place of those that they have.

        An empty list: nothing passes.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceSecurityGroups,
            Ask(
                "PUT",
                "/v1/projects/{project}/instances/{instance}/security-groups",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"security_groups": security_groups},
            ),
        )

    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.SecurityGroup]:
        """GET /v1/projects/{project}/security-groups

        `name`: The security group of this name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.SecurityGroup,
            Ask(
                "GET",
                "/v1/projects/{project}/security-groups",
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
        description: str | None = None,
        selector: str | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.SecurityGroup:
        """POST /v1/projects/{project}/security-groups

        A security group.

        `selector`: a selector of labels, as `env=prod,app in (a,b)`. The ports that it selects are in the group, from their
        creation on. The labels of a port are those of its instance and its own, which count where both have a key.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SecurityGroup,
            Ask(
                "POST",
                "/v1/projects/{project}/security-groups",
                query={"dry_run": dry_run or None},
                body={"name": name, "description": description, "selector": selector, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, security_group: str) -> models.SecurityGroup:
        """GET /v1/projects/{project}/security-groups/{security_group}"""
        return self._scope.one(
            models.SecurityGroup,
            Ask(
                "GET",
                "/v1/projects/{project}/security-groups/{security_group}",
                names={"security_group": security_group},
            ),
        )

    def update(
        self,
        security_group: str,
        *,
        name: str | None = None,
        description: str | None = None,
        selector: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.SecurityGroup:
        """PATCH /v1/projects/{project}/security-groups/{security_group}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SecurityGroup,
            Ask(
                "PATCH",
                "/v1/projects/{project}/security-groups/{security_group}",
                names={"security_group": security_group},
                query={"dry_run": dry_run or None},
                body={"name": name, "description": description, "selector": selector, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, security_group: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/security-groups/{security_group}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/security-groups/{security_group}",
                    names={"security_group": security_group},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def rule_list(
        self,
        security_group: str,
        *,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.SecurityGroupRule]:
        """GET /v1/projects/{project}/security-groups/{security_group}/rules

        `created_after`: Created after this time (RFC 3339).
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.SecurityGroupRule,
            Ask(
                "GET",
                "/v1/projects/{project}/security-groups/{security_group}/rules",
                names={"security_group": security_group},
                query={"created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def rule_create(
        self,
        security_group: str,
        *,
        direction: str,
        family: str | None = None,
        protocol: str | None = None,
        first_port: int | None = None,
        last_port: int | None = None,
        icmp_type: int | None = None,
        icmp_code: int | None = None,
        cidrs: Sequence[str] | None = None,
        peer_group: str | None = None,
        address_set: str | None = None,
        is_logged: bool | None = None,
        description: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.SecurityGroupRule:
        """POST /v1/projects/{project}/security-groups/{security_group}/rules

        A rule that allows traffic; answers to allowed traffic are always allowed.

        `direction`: in or out, seen from the port. `protocol`: any, tcp, udp, icmp or icmpv6. `first_port` and `last_port`:
        of tcp and udp; without them all, and without `last_port` one. `icmp_type` and `icmp_code`: without them all. The
        peer is in one of the ranges `cidrs`, in the group `peer_group` and the same network, or in the ranges of
        `address_set` that are of the `family`; without these, any. `is_logged`: the node logs the first packet of each
        connection, at a limited rate.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SecurityGroupRule,
            Ask(
                "POST",
                "/v1/projects/{project}/security-groups/{security_group}/rules",
                names={"security_group": security_group},
                query={"dry_run": dry_run or None},
                body={
                    "direction": direction,
                    "family": family,
                    "protocol": protocol,
                    "first_port": first_port,
                    "last_port": last_port,
                    "icmp_type": icmp_type,
                    "icmp_code": icmp_code,
                    "cidrs": cidrs,
                    "peer_group": peer_group,
                    "address_set": address_set,
                    "is_logged": is_logged,
                    "description": description,
                },
                key=idempotency_key,
            ),
        )

    def rule(self, security_group: str, rule: str) -> models.SecurityGroupRule:
        """GET /v1/projects/{project}/security-groups/{security_group}/rules/{rule}"""
        return self._scope.one(
            models.SecurityGroupRule,
            Ask(
                "GET",
                "/v1/projects/{project}/security-groups/{security_group}/rules/{rule}",
                names={"security_group": security_group, "rule": rule},
            ),
        )

    def rule_delete(self, security_group: str, rule: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/projects/{project}/security-groups/{security_group}/rules/{rule}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/security-groups/{security_group}/rules/{rule}",
                    names={"security_group": security_group, "rule": rule},
                    query={"dry_run": dry_run or None},
                )
            ),
        )
