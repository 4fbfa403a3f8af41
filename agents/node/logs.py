"""Logs one JSON object a line on stderr. Tenant data never goes in: no user data, no keys, no console."""

import logging
import sys

from telemetry.logs import Lines, set_process_fields


def configure(level: str, *, process: str = "agent") -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    set_process_fields(process=process)
