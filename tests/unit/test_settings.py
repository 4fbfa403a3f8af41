"""Settings that must not be what they may be told to be."""

import ast
import subprocess
import sys

import pytest


def start(shown: str = "POLICY_COOLING_HOURS", **variables: str) -> subprocess.CompletedProcess[str]:
    """Begin as every process does, and print the setting `shown`."""
    environment = {"ANDROMEDE_SECRET_KEY": "x", **{f"ANDROMEDE_{name}": value for name, value in variables.items()}}
    program = f"from controlplane.config import settings; print(settings.{shown})"
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("hours", ["23", "0", "-1"])
def test_cooling_period_cannot_be_shortened(hours: str) -> None:
    refused = start(POLICY_COOLING_HOURS=hours)
    assert refused.returncode != 0
    assert f"ANDROMEDE_POLICY_COOLING_HOURS must be 24 or more, not {hours}." in refused.stderr


def test_trial_may_shorten_the_cooling_period_but_not_below_zero() -> None:
    assert start(POLICY_COOLING_HOURS="48").stdout == "48\n"
    assert start(POLICY_COOLING_HOURS="0", IS_SHORT_COOLING_ALLOWED="true").stdout == "0\n"
    assert start(POLICY_COOLING_HOURS="-1", IS_SHORT_COOLING_ALLOWED="true").returncode != 0


def test_request_records_are_kept_for_six_months_at_least() -> None:
    assert start(AUDIT_RETENTION_DAYS="184").returncode == 0
    assert "ANDROMEDE_AUDIT_RETENTION_DAYS must be 184 or more, not 183." in start(AUDIT_RETENTION_DAYS="183").stderr


def test_invalid_address_or_format_stops_the_process() -> None:
    assert start(OBSERVE_LISTEN="127.0.0.1:9100", LOG_FORMAT="json").returncode == 0
    assert "ANDROMEDE_OBSERVE_LISTEN: an address is written ADDRESS:PORT" in start(OBSERVE_LISTEN="9100").stderr
    assert start(OBSERVE_LISTEN="worker=127.0.0.1:9102,transfer=[::1]:9108").returncode == 0
    assert "ANDROMEDE_OBSERVE_LISTEN: an address is" in start(OBSERVE_LISTEN="worker=127.0.0.1:9102,9108").stderr
    assert "ANDROMEDE_LOG_FORMAT must be one of text, json, not 'xml'." in start(LOG_FORMAT="xml").stderr


def test_metrics_interval_must_divide_a_minute() -> None:
    assert start(METRICS_INTERVAL_S="15").returncode == start(METRICS_INTERVAL_S="0").returncode == 0
    refused = start(METRICS_INTERVAL_S="45")
    assert refused.returncode != 0
    assert "ANDROMEDE_METRICS_INTERVAL_S must divide 60, which 45 does not." in refused.stderr


@pytest.mark.parametrize(("process", "limits"), [("web", ["20s", "5s", "30s"]), ("worker", ["600s", "60s", "300s"])])
def test_database_timeout_of_a_request_is_shorter_than_of_a_step(process: str, limits: list[str]) -> None:
    options = ast.literal_eval(start("DB_OPTIONS", PROCESS=process).stdout)
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    assert [options[name] for name in names] == limits
