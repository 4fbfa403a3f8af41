"""What Schemathesis calls around every request of `make fuzz` (scripts/fuzz.py)."""

import atexit
import json
import os
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

COUNTS = "ANDROMEDE_FUZZ_COUNTS"  # the file that the counts go to
PLACES = "ANDROMEDE_FUZZ_PLACES"  # JSON: parameter of a path → one that there is
OWN = "ANDROMEDE_FUZZ_OWN"  # JSON: ids of those who ask
UNTIL = "ANDROMEDE_FUZZ_UNTIL"  # seconds since the epoch
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOBODY = "01890000-0000-7000-8000-000000000000"
WAIT = "1s"

places = json.loads(os.environ.get(PLACES, "{}"))
own = frozenset(json.loads(os.environ.get(OWN, "[]")))
until = float(os.environ.get(UNTIL, "inf"))
counts: Counter[str] = Counter()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Paths lead somewhere, unless they are meant to be wrong; nobody ends their own rights; and nothing waits long."""
    if re.fullmatch("[0-9]+s?", str((case.query or {}).get("wait"))):
        case.query["wait"] = WAIT
    if case.path_parameters:
        case.path_parameters = {name: _part(case, name, value) for name, value in case.path_parameters.items()}


def _part(case: Any, name: str, value: Any) -> Any:
    made = case.meta.components.get(ParameterLocation.PATH) if case.meta is not None else None
    is_wrong = made is not None and made.mode is GenerationMode.NEGATIVE
    if name in places and not is_wrong and not UUID.fullmatch(str(value)):
        value = places[name]
    is_subject = case.operation.path.endswith((f"{{{name}}}", f"{{{name}}}/sessions"))
    is_end = case.method.upper() == "DELETE" or name == "member"
    return NOBODY if is_subject and is_end and value in own else value


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    counts[f"{case.operation.label} {response.status_code}"] += 1
    if time.time() > until:
        os.kill(os.getpid(), signal.SIGINT)  # what was found until now is reported


@atexit.register
def save() -> None:
    if COUNTS in os.environ:
        Path(os.environ[COUNTS]).write_text(json.dumps(counts))
