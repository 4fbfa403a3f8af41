#!/usr/bin/env python
"""Django's command line: migrations and the commands of the apps."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")  # noqa: TID251
    execute_from_command_line(sys.argv)
