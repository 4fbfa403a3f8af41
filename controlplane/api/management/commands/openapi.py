from typing import Any

from django.core.management.base import BaseCommand

from controlplane.api.schema import document


class Command(BaseCommand):
    help = "Print the OpenAPI document."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(document())
