from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import transaction

from controlplane.catalog.selectors import zone_get
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand, read_bytes
from controlplane.nodes.management import signing
from controlplane.storage_clusters.errors import StorageClusterNotFound
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.selectors import storage_cluster_get
from controlplane.storage_clusters.services import storage_cluster_certify, storage_cluster_create


class Command(OperatorCommand):
    help = "Sign the certificate request of a cluster's storage agent, and print or write its certificate."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("cluster", help="name or id of the storage cluster")
        parser.add_argument("--zone", help="zone of a new storage cluster, which is created")
        parser.add_argument("--address", help="HOST:PORT of a new storage cluster's agent")
        parser.add_argument("--csr", required=True, help="path of the agent's certificate request, PEM")
        parser.add_argument("--out", type=Path, help="path of the certificate to write; default: standard output")
        signing.add_ca_key(parser)

    # One transaction around all, so that an agent whose certificate could not be written has none.
    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        cluster = _cluster(options["cluster"], options["zone"], options["address"])
        request = read_bytes(options["csr"])
        certificate = storage_cluster_certify(SYSTEM, cluster, request_pem=request, ca_key=signing.ca_key(options))
        self.print_message(
            f"The storage agent of {cluster.name} needs this certificate and {Path(settings.PKI_DIR) / 'ca.crt'}."
        )
        signing.write_certificate(self, options["out"], certificate, otherwise="No certificate was issued.")


def _cluster(ref: str, zone: str | None, address: str | None) -> StorageCluster:
    """Return the storage cluster. It is created if there is none and its zone and address are given."""
    try:
        return storage_cluster_get(SYSTEM, ref)
    except StorageClusterNotFound:
        if zone is None or address is None:
            raise
        return storage_cluster_create(SYSTEM, name=ref, zone=zone_get(zone), address=address)
