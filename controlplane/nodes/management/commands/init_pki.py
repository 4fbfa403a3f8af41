from typing import Any

from django.conf import settings

from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes import pki

PROCESSES = ("worker", "watcher", "web")


class Command(OperatorCommand):
    help = "Make the authority and the certificates of the control plane's processes, unless they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        pki.create_authority(settings.PKI_DIR)
        for process in PROCESSES:
            pki.issue_process(settings.PKI_DIR, process)
        self.say(f"The certificates of the authority and of {', '.join(PROCESSES)} are in {settings.PKI_DIR}.")
