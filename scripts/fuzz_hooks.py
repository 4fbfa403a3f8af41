"""Hooks that Schemathesis calls around every request of `make fuzz` (scripts/fuzz.py)."""

import atexit
import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

TALLY = "ANDROMEDE_FUZZ_TALLY"  # the file that the counts go to
PLACES = "ANDROMEDE_FUZZ_PLACES"  # JSON: parameter of a path → one that there is
RULED = "ANDROMEDE_FUZZ_RULED"  # the same, for requests that make rules for others
DOOMED = "ANDROMEDE_FUZZ_DOOMED"  # the same, for those that delete
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOBODY = "01890000-0000-7000-8000-000000000000"
IF_MATCH = "If-Match"
WAIT = "1s"
RULES = re.compile(r"/(policy|quotas|actions/cordon)$")
NAME_MAX = 63
CREATED = (201, 202)

places = json.loads(os.environ.get(PLACES, "{}"))
ruled = json.loads(os.environ.get(RULED, "{}"))
doomed = json.loads(os.environ.get(DOOMED, "{}"))
created_ids: set[str] = set()  # ids of what this caller has created
named: Counter[str] = Counter()
requests: Counter[tuple[str, str, str]] = Counter()
findings: Counter[tuple[str, str, str]] = Counter()
signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts in the background inherits that it is ignored


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Make valid requests effective, and independent of other requests.

    Paths name existing resources, rules are made where they affect no other caller, a caller deletes only its own or
    expendable resources, and names are new. No request waits long.
    """
    if re.fullmatch("[0-9]+s?", str((case.query or {}).get("wait"))):
        case.query["wait"] = WAIT
    if case.path_parameters:
        case.path_parameters = {name: _part(case, name, value) for name, value in case.path_parameters.items()}
    if case.method.upper() == "PUT" and case.operation.path == "/v1/platform/policy":
        case.query = {**(case.query or {}), "dry_run": "true"}
    if _phase(case) == TestPhase.STATEFUL:
        _shorten(case)
    if case.method.upper() == "POST" and isinstance(case.body, dict) and isinstance(case.body.get("name"), str):
        case.body = {**case.body, "name": _new(case.body["name"])}


def _new(name: str) -> str:
    named[name] += 1
    if named[name] == 1 or len(name) > NAME_MAX:
        return name
    end = f"-{named[name]}"
    return name[: NAME_MAX - len(end)] + end


def _shorten(case: Any) -> None:
    """Drop optional members of a chained request, since they could cause a refusal.

    A chain tests the use of one answer in another request; the other phases test optional members.
    """
    if not _is_wrong(case, ParameterLocation.QUERY):
        required = {each.name for each in case.operation.query if each.is_required}
        case.query = {name: value for name, value in (case.query or {}).items() if name in required}
    if case.headers and IF_MATCH in case.headers and not _is_wrong(case, ParameterLocation.HEADER):
        del case.headers[IF_MATCH]
        if any(each.name == IF_MATCH and each.is_required for each in case.operation.headers):
            case.headers[IF_MATCH] = "*"
    if case.method.upper() == "POST" and isinstance(case.body, dict) and not _is_wrong(case, ParameterLocation.BODY):
        required = set(next(iter(case.operation.body)).raw_schema.get("required", ()))
        case.body = {name: value for name, value in case.body.items() if name in required}


def _is_wrong(case: Any, where: ParameterLocation) -> bool:
    part = case.meta.components.get(where) if case.meta is not None else None
    return part is not None and part.mode is GenerationMode.NEGATIVE


def _part(case: Any, name: str, value: Any) -> Any:
    method, path = case.method.upper(), case.operation.path
    if _is_wrong(case, ParameterLocation.PATH):
        return value
    is_subject = path.endswith((f"{{{name}}}", f"{{{name}}}/sessions"))
    if is_subject and (method == "DELETE" or name == "member"):
        return value if value in created_ids else doomed.get(name, NOBODY)
    if method in ("PUT", "POST") and RULES.search(path):
        return ruled.get(name, places.get(name, value))
    return value if _is_chained(case, value) else places.get(name, value)


def _is_chained(case: Any, value: Any) -> bool:
    """Return whether the value may come from the answer of another request."""
    return _phase(case) == TestPhase.STATEFUL and UUID.fullmatch(str(value)) is not None


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    requests[_kind(case, response)] += 1
    if case.method.upper() == "POST" and response.status_code in CREATED:
        created_ids.add(str(response.json().get("id")))


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep all failures, counted by phase, which the report does not do."""
    findings[_kind(case, response)] += 1
    return True


def _kind(case: Any, response: Any) -> tuple[str, str, str]:
    return _phase(case), case.operation.label, str(response.status_code)


def _phase(case: Any) -> str:
    return str(case.meta.phase.name.value) if case.meta is not None else "other"


@atexit.register
def save() -> None:
    if TALLY in os.environ:
        tally = [
            {"phase": kind[0], "operation": kind[1], "status": kind[2], "requests": count, "findings": findings[kind]}
            for kind, count in requests.items()
        ]
        Path(os.environ[TALLY]).write_text(json.dumps(tally))
