from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from andromede_core.permits.trust_documents import DenyList
from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes import signing_keys, trust_documents
from controlplane.nodes.management import signing
from controlplane.nodes.selectors import node_get


class Command(OperatorCommand):
    help = "Revoke permits irreversibly, by jti, resource, signer key or node."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--jti", action="append", default=[])
        parser.add_argument("--resource", action="append", default=[], help="id of a resource")
        parser.add_argument("--kid", action="append", default=[], help="id of a signer's key")
        parser.add_argument("--node", action="append", default=[], help="name or id of a node")
        signing.add_root_key(parser, is_required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        names = {
            "jtis": options["jti"],
            "resources": options["resource"],
            "kids": options["kid"],
            "nodes": [str(node_get(SYSTEM, node).pk) for node in options["node"]],
        }
        if not any(names.values()):
            raise CommandError("Nothing to deny: pass --jti, --resource, --kid or --node.")
        before = trust_documents.deny_list()
        without = DenyList(before.version, kids=before.kids | set(names["kids"]))
        root = options["root_key"]
        key = (
            signing_keys.load(Path(root), signing_keys.ROOT)
            if root
            else signing_keys.denying_key(trust_documents.keyset(), without)
        )
        self.print_message(f"Deny list {trust_documents.deny(SYSTEM, key, **names).version} is sent to all nodes.")
