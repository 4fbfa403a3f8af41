"""The sovereignty officer of a test's cloud, who signs facts with a key of their own."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from scripts.control_plane import OFFICER, Stack


def state(stack: Stack, *statements: Mapping[str, object]) -> None:
    """State facts as of now, unless a statement has its own time; superseded facts stay known for the past."""
    known = stack.var / "known.jsonl"
    known.write_text(stack.manage("export_catalogue", "--signed"))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = json.dumps([{"valid_from": now, "assertion": "certificate", **each} for each in statements])
    key = str(stack.var / "pki" / "officer.key")
    signed = stack.manage("sign_facts", "-", "--known", str(known), "--key", key, "--author", OFFICER, stdin=body)
    stack.manage("state_facts", "-", stdin=signed)


def certificates(stack: Stack, zone: str) -> list[dict[str, Any]]:
    """Return the certificates of a zone, as they are currently known."""
    lines = [json.loads(line)["p"] for line in stack.manage("export_catalogue", "--signed").splitlines()]
    (value,) = [
        each["value"]
        for each in lines
        if (each["subject_id"], each["attribute"], each["valid_to"]) == (zone, "certifications", None)
    ]
    return list(value)
