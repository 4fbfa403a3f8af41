from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from controlplane.audit.log_key import create_log_key
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes import keys, pki

PROCESSES = ("worker", "watcher", "web", "stream")


class Command(OperatorCommand):
    help = (
        "Make the authority and the certificates of the control plane's processes, the keys of the permit signer and "
        "of the evidence log, and a root key, unless they are there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-root-key", action="store_true", help="the root key is made and kept elsewhere, offline"
        )
        parser.add_argument(
            "--sentinel", action="store_true", help="a key for a sentinel too; better is one on a machine of its own"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.PKI_DIR
        pki.create_authority(folder)
        for process in PROCESSES:
            pki.issue_process(folder, process)
        keys.create(folder, keys.SIGNER, name=keys.SIGNER)
        if options["sentinel"]:
            keys.create(folder, keys.SENTINEL, name=keys.SENTINEL)
        create_log_key(folder)
        if not options["no_root_key"]:
            keys.create(folder, keys.ROOT, name=keys.ROOT)
        self.say(f"The authority, the certificates of {', '.join(PROCESSES)} and the keys are in {folder}.")
