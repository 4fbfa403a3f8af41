"""Agents that are no nodes, announcers and storage agents: the errors of calls to them, the incidents of their rows."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

import grpc

from controlplane.audit import evidence_log
from controlplane.audit.services import record
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.nodes.channels import CHANNEL_OPTIONS

log = logging.getLogger(__name__)

OPTIONS = (*CHANNEL_OPTIONS, ("grpc.max_send_message_length", 16 * 2**20))


class CallFailed(Exception):
    """The call failed. `problem`: `silent`, or `refused` by the agent."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def channel_options(server_name: str) -> tuple[tuple[str, Any], ...]:
    """Return the options of a channel to the agent whose certificate has this DNS name."""
    return (*OPTIONS, ("grpc.ssl_target_name_override", server_name))


def call_failed(name: str, exc: grpc.RpcError) -> CallFailed:
    """Log the error of a call to the agent of this name, and return what it means."""
    code = error_code(exc)
    log.warning("%s: %s %s", name, code, exc.details())
    return CallFailed("refused" if code else "silent")


def error_code(exc: grpc.RpcError) -> str:
    """Return the agent's own code of the error; empty: the agent has not answered."""
    return str(_trailers(exc).get("andromede-code", ""))


def is_retryable(exc: grpc.RpcError) -> bool:
    """Tell if the agent says that the same call may succeed later."""
    return _trailers(exc).get("andromede-retryable") in ("true", b"true")


def _trailers(exc: grpc.RpcError) -> Mapping[str, str | bytes]:
    return dict(exc.trailing_metadata() or ())  # type: ignore[arg-type]  # pairs they are


def reconcile_incidents(
    row: Any, problems: Collection[str], *, among: Collection[str], prefix: str, field: str
) -> None:
    """Keep an incident of the row for each of these problems, and end the others of the kinds `among`.

    `row`: has `incidents`, a name and a zone. `prefix`: of the kinds; `field`: of the row's id in the evidence.
    """
    now, open_incidents = clock.now(), row.incidents.filter(ended_at=None, kind__in=among)
    open_incidents.exclude(kind__in=problems).update(ended_at=now)
    for problem in sorted(problems):
        if not open_incidents.filter(kind=problem).update(observed_at=now):
            open_incident(row, problem, prefix=prefix, field=field)


def open_incident(row: Any, problem: str, *, prefix: str, field: str, **concerned: str) -> None:
    """Open an incident of the row, with audit and evidence. Inside the caller's transaction.

    `concerned`: the `name` of what the incident concerns, if not the row itself.
    """
    incident = row.incidents.create(kind=problem, observed_at=clock.now(), **concerned)
    kind, facts = f"{prefix}-{problem}", {"zone": row.zone_id, **concerned}
    evidence_log.append("incident", {"incident": kind, field: str(row.pk), **facts})
    record(SYSTEM, f"incident.{kind}", row.pk, incident=str(incident.pk), name=row.name, facts=facts)
