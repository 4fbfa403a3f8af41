# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Reachability(Resource):
    def check(
        self,
        *,
        source: models.ReachabilityEndInput,
        target: models.ReachabilityEndInput,
        protocol: str | None = None,
        port: int | None = None,
        family: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Reachability:
        """POST /v1/projects/{project}/reachability

        Does traffic from `source` reach `target`?

        `protocol` any: all traffic; icmp: echo requests (ping). `port`: required for tcp and udp. `family`: that of a given
        address, else IPv4 if both ends have it.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Reachability,
            Ask(
                "POST",
                "/v1/projects/{project}/reachability",
                query={"dry_run": dry_run or None},
                body={"source": source, "target": target, "protocol": protocol, "port": port, "family": family},
                key=idempotency_key,
            ),
        )
