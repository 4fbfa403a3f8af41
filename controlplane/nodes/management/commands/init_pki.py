from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from controlplane.audit.log_key import create_log_key
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes import pki, signing_keys
from controlplane.nodes.management import signing

PROCESSES = ("worker", "watcher", "web", "stream")


class Command(OperatorCommand):
    help = (
        "Create the certificate authority, the certificates of the control plane's processes, the keys of the permit "
        "signer and of the evidence log, and a root key. Existing files are kept, except certificates that end within "
        "--renew-days."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-root-key",
            action="store_true",
            help="create no root key; the root key is created and kept elsewhere, offline",
        )
        parser.add_argument(
            "--sentinel", action="store_true", help="create a sentinel key too; a sentinel on its own machine is safer"
        )
        parser.add_argument(
            "--renew-days",
            type=int,
            default=0,
            help="renew the certificates of processes that end within so many days (default: those that have ended)",
        )
        authority = parser.add_mutually_exclusive_group()
        authority.add_argument(
            "--authority-only",
            action="store_true",
            help="create ca.key and ca.crt only, on the machine that keeps the authority's key",
        )
        signing.add_ca_key(authority)

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = settings.PKI_DIR
        ca_key = signing.ca_key(options)
        if ca_key is None:
            pki.create_authority(folder)
        if options["authority_only"]:
            self.print_message(
                f"The authority is in {folder}: keep ca.key there, and copy ca.crt to the control plane."
            )
            return
        for process in PROCESSES:
            pki.issue_process(folder, process, ca_key=ca_key, renew_before=timedelta(days=options["renew_days"]))
        signing_keys.create(folder, signing_keys.SIGNER, name=signing_keys.SIGNER)
        if options["sentinel"]:
            signing_keys.create(folder, signing_keys.SENTINEL, name=signing_keys.SENTINEL)
        create_log_key(folder)
        if not options["no_root_key"]:
            signing_keys.create(folder, signing_keys.ROOT, name=signing_keys.ROOT)
        self.print_message(f"The authority, the certificates of {', '.join(PROCESSES)} and the keys are in {folder}.")
