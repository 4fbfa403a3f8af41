"""What each process may read and write in the database. The owner of the schema is another role, as which migrations
run alone: no process may change the schema, empty a table, or switch a trigger off.

Commands of a demo and of the tests run as the owner; their processes have these roles, as installed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

PREFIX = "andromede_"

# Proofs of who somebody is; whoever signs nobody in does not read them either.
CREDENTIALS = ("signin_*", "identity_apitoken", "axes_*")
# What each deed and each news of it leaves behind.
RECORDS = ("audit_auditrecord", "audit_evidencerecord", "events_event", "events_head")
PARTITIONS = (
    "metrics_make_partition(text, timestamptz, timestamptz)",
    "metrics_drop_partition(text)",
)


@dataclass(frozen=True)
class Rights:
    """Patterns of the names of tables. `writes`: but for what is `kept` from it. `removes`: whose rows it deletes, and
    does not write. `hidden`: not even read; all else is. `calls`: functions of the owner's."""

    writes: tuple[str, ...]
    kept: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()

    def may_read(self, table: str) -> bool:
        return self.may_write(table) or not self._is_in(table, self.hidden)

    def may_write(self, table: str) -> bool:
        return self._is_in(table, self.writes) and not self._is_in(table, self.kept)

    def may_delete(self, table: str) -> bool:
        return self.may_write(table) or self._is_in(table, self.removes)

    @staticmethod
    def names(pattern: str, table: str) -> bool:
        return fnmatchcase(table, pattern)

    def _is_in(self, table: str, patterns: tuple[str, ...]) -> bool:
        return any(self.names(pattern, table) for pattern in patterns)


ROLES: Mapping[str, Rights] = {
    "web": Rights(
        writes=("*",),
        kept=(
            "placement_permit",
            "network_segment",
            "network_segmentcopy",
            "nodes_trustdocument",
            "nodes_receipt",
            "audit_checkpoint",
            "audit_merklenode",
            "audit_witness",
            "metrics_*",
        ),
        removes=("network_segment", "network_segmentcopy"),  # with their network
    ),
    "stream": Rights(
        writes=(
            *RECORDS,
            "audit_requestrecord",
            "identity_apitoken",
            "signin_session",
        )
    ),
    "worker": Rights(
        writes=("*",),
        kept=(
            "nodes_trustdocument",
            "catalog_fact",
            "catalog_officerkey",
            "audit_checkpoint",
            "audit_merklenode",
            "audit_cosignature",
            "audit_witness",
            "identity_user",
            "identity_apitoken",
            "signin_password",
            "signin_totp",
            "signin_passkey",
            "signin_recoverycode",
        ),
        hidden=("signin_password", "signin_totp", "signin_passkey", "signin_recoverycode"),
        calls=PARTITIONS,
    ),
    "signer": Rights(
        writes=(
            *RECORDS,
            "placement_permit",
            "network_segment",
            "nodes_trustdocument",
            "audit_merklenode",
            "audit_checkpoint",
            "audit_evidenceexport",
        ),
        hidden=CREDENTIALS,
    ),
    "sentinel": Rights(writes=(*RECORDS, "placement_permit"), hidden=CREDENTIALS),
    "watcher": Rights(
        writes=(
            *RECORDS,
            "nodes_*",
            "metrics_*",
            "compute_*",
            "network_*",
            "storage_*",
            "compliance_*",
            "operations_*",
        ),
        kept=("nodes_trustdocument", "nodes_bmc", "network_segment"),
        hidden=CREDENTIALS,
        calls=PARTITIONS,
    ),
    "webhooks": Rights(writes=(*RECORDS, "webhooks_*"), hidden=CREDENTIALS),
    # Operators' commands: root alone starts them.
    "manage": Rights(writes=("*",)),
}
