#!/usr/bin/env python
"""Django's command line: migrations and the commands of the apps."""

import os
import sys

from django.core.management import execute_from_command_line

LIMITS = {
    "watch_nodes": {"STATEMENT": "30", "LOCK": "2", "IDLE_TRANSACTION": "60"},
}
UNLIMITED = {"STATEMENT": "0", "LOCK": "0", "IDLE_TRANSACTION": "0"}

if __name__ == "__main__":
    for limit, seconds in LIMITS.get("".join(sys.argv[1:2]), UNLIMITED).items():
        os.environ.setdefault(f"ANDROMEDE_DB_{limit}_LIMIT_S", seconds)  # noqa: TID251
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")  # noqa: TID251
    execute_from_command_line(sys.argv)
