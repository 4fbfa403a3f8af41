"""Database rights of each process.

Migrations alone run as the owner of the schema: no process may change the schema, empty a table, or switch a trigger
off. Commands of a demo and of the tests run as the owner; their processes have these roles, as in an installation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

PREFIX = "andromede_"

# Tables of earlier releases, in installations that were upgraded; a later release drops them.
FORMER = ("axes_*",)
# Credentials: processes that sign no user in do not read them either.
CREDENTIALS = ("signin_*", "identity_apitoken", *FORMER)
# They have the identity documents of instances, which prove to third parties who shows them.
METADATA = "compute_metadatadocument"
# Every audited action writes these: audit entry, request record and event.
RECORDS = ("audit_auditrecord", "audit_evidencerecord", "events_event", "events_head")
PARTITIONS = (
    "metrics_make_partition(text, timestamptz, timestamptz)",
    "metrics_drop_partition(text)",
)

# Written by triggers with the rights of the schema's owner.
HISTORY = ("network_publicaddressuse",)


@dataclass(frozen=True)
class Rights:
    """Rights of a role, as patterns of table names.

    `writes`: tables to write, except those in `kept`. `removes`: tables to delete rows from, without writing. `hidden`:
    tables not to read; all others are readable. `calls`: functions of the schema's owner.
    """

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
            "network_portrulesdocument",
            "network_portrulescopy",
            METADATA,
            "announcers_announcementsdocument",
            "nodes_trustdocument",
            "nodes_receipt",
            "storage_clusters_storagereceipt",
            "audit_checkpoint",
            "audit_merklenode",
            "audit_witness",
            "metrics_*",
            *HISTORY,
        ),
        removes=(  # deleted with their network, group or storage cluster
            "storage_clusters_storagereceipt",
            "network_segment",
            "network_segmentcopy",
            "network_portrulesdocument",
            "network_portrulescopy",
        ),
        hidden=(METADATA,),
    ),
    "stream": Rights(
        writes=(
            *RECORDS,
            "audit_requestrecord",
            "identity_apitoken",
            "signin_session",
        ),
        hidden=(METADATA,),
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
            *HISTORY,
        ),
        hidden=("signin_password", "signin_totp", "signin_passkey", "signin_recoverycode"),
        calls=PARTITIONS,
    ),
    "signer": Rights(
        writes=(
            *RECORDS,
            "placement_decision",  # it decides again
            "placement_policydocument",
            "placement_exemption",  # the number of its uses
            "placement_exemptionuse",
            "placement_permit",
            "network_segment",
            "network_portrulesdocument",
            METADATA,
            "announcers_announcementsdocument",
            "nodes_trustdocument",
            "audit_merklenode",
            "audit_checkpoint",
            "audit_evidenceexport",
        ),
        hidden=CREDENTIALS,
    ),
    "sentinel": Rights(writes=(*RECORDS, "placement_permit"), hidden=(*CREDENTIALS, METADATA)),
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
        kept=("nodes_trustdocument", "nodes_bmc", "network_segment", "network_portrulesdocument", *HISTORY, METADATA),
        hidden=(*CREDENTIALS, METADATA),
        calls=PARTITIONS,
    ),
    "webhooks": Rights(writes=(*RECORDS, "webhooks_*"), hidden=(*CREDENTIALS, METADATA)),
    # Operators' commands; only root starts them.
    "manage": Rights(writes=("*",), kept=HISTORY),
}
