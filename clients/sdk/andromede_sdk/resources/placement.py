# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


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

        A placement request to simulate.

        `roles`: other than the operation's; `policy_atoms`: additional clauses. `project` is required when the credential
        is for none.
        `dry_run`: true: only return what would happen; nothing is written.
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
