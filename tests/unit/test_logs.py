"""Fields of a log line."""

import json
import logging
from datetime import datetime
from typing import Any

import pytest

from telemetry import logs
from telemetry.logs import Lines, log_context, outgoing_metadata, received


def line(message: str, *args: object, **more: Any) -> dict[str, Any]:
    record = logging.getLogger("some.where").makeRecord("some.where", logging.INFO, "f", 1, message, args, None, **more)
    written = Lines().format(record)
    assert "\n" not in written
    parsed: dict[str, Any] = json.loads(written)
    return parsed


def test_line_has_time_level_logger_and_message() -> None:
    parsed = line("%s of\n%s", 1, 2)
    assert datetime.fromisoformat(parsed.pop("time")).tzinfo is not None
    assert parsed == {"level": "info", "logger": "some.where", "message": "1 of\n2"}


def test_context_fields_are_logged_inside_their_block_only() -> None:
    with log_context(request_id="r-1", operation_id=""):
        with log_context(resource_id="i-1"):
            assert {"request_id": "r-1", "resource_id": "i-1"}.items() <= line("x").items()
        assert "resource_id" not in line("x")
        assert "operation_id" not in line("x")
    assert "request_id" not in line("x")


def test_facts_are_added_and_replace_no_field() -> None:
    with log_context(request_id="r-1"):
        parsed = line("x", extra={"facts": {"ms": 3, "message": "forged", "request_id": "forged"}})
    assert (parsed["ms"], parsed["message"], parsed["request_id"]) == (3, "x", "r-1")
    assert "facts" not in parsed


def test_the_process_is_in_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "process_fields", {})
    logs.set_process_fields(process="signer")
    assert line("x")["process"] == "signer"


def test_valid_metadata_is_received_and_invalid_is_dropped() -> None:
    with log_context(request_id="r-1", operation_id="o-1", resource_id="i-1"):
        assert received(dict(outgoing_metadata())) == {"request_id": "r-1", "operation_id": "o-1"}
    assert "request_id" not in received({"andromede-request-id": "r" * 65})
