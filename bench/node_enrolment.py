"""Enrol nodes that one process of agents.node.fleet serves, in the environment of a stack.

python -m bench.node_enrolment FOLDER FIRST_PORT COUNT ZONE
"""

import sys
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings


def enrol(folder: Path, first_port: int, count: int, zone: str) -> None:
    from agents.node import enrol as node
    from controlplane.catalog.models import Zone
    from controlplane.identity.actor import SYSTEM
    from controlplane.nodes import signing_keys, trust_documents
    from controlplane.nodes.services import node_enrol

    pki: Path = settings.PKI_DIR
    root_key = signing_keys.load(pki / "root.key", signing_keys.ROOT)
    ca, root = (pki / "ca.crt").read_bytes(), (pki / "root.pub").read_bytes()
    where = Zone.objects.get(pk=zone)
    for number in range(count):
        name = f"{folder.name}-{number:04}"
        row, certificate = node_enrol(
            SYSTEM,
            name=name,
            zone=where,
            address=f"127.0.0.1:{first_port + number}",
            request_pem=node.request(folder / name, name).encode(),
        )
        seen = trust_documents.CharterRequest(("*",), f"BENCH-{name}", timedelta(days=365), ("alice", "bruno"))
        trust_documents.charter_sign(SYSTEM, root_key, row, seen)
        node.install(folder / name, certificate=certificate.encode(), ca=ca, root=root)


if __name__ == "__main__":
    django.setup()
    enrol(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
