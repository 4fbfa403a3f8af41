"""Certificates of a zone against a clause: the one that satisfies it, or the best one. Standard library only."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from andromede_core.documents.parsing import as_rfc3339, instant
from andromede_core.facts.world import Horizon, shifted
from andromede_core.policy.clauses import Certified

# Reasons in the order of the checks: the later the first failure, the better the certificate.
PROGRESS = (
    "CERT_MISSING",
    "CERT_VERSION",
    "CERT_LEVEL",
    "CERT_SCOPE",
    "CERT_NOT_YET_VALID",
    "CERT_EXPIRED",
    "CERT_SUSPENDED",
    "CERT_WITHDRAWN",
    "CERT_EXPIRING",
    "OK",
)

Certificate = Mapping[str, object]


def best_certificate(
    demand: Certified, schemes: Collection[str], certificates: Iterable[Certificate], horizon: Horizon
) -> tuple[str, str]:
    """Return the result code of the certificate that meets most of the clause, and a text about it."""
    best = ("CERT_MISSING", demand.scheme)
    for certificate in certificates:
        if certificate["scheme"] in schemes:
            progress = _judge(demand, certificate, horizon)
            if PROGRESS.index(progress) > PROGRESS.index(best[0]):
                best = (progress, _words(certificate, progress))
    return best


def _judge(demand: Certified, certificate: Certificate, horizon: Horizon) -> str:
    if demand.min_version and version(certificate.get("version")) < version(demand.min_version):
        return "CERT_VERSION"
    if demand.level and certificate.get("level") != demand.level:
        return "CERT_LEVEL"
    scope = certificate.get("scope")
    if demand.scope and (not isinstance(scope, list) or demand.scope not in scope):
        return "CERT_SCOPE"
    return _judge_time(demand, certificate, horizon)


def _judge_time(demand: Certified, certificate: Certificate, horizon: Horizon) -> str:
    now = horizon.now
    start, end, since = (instant(certificate.get(name)) for name in ("valid_from", "valid_to", "status_since"))
    horizon.add_boundary(start, end, since)
    if start is None or now < start:
        return "CERT_NOT_YET_VALID"
    if end is not None and now >= end:
        return "CERT_EXPIRED"
    status = certificate.get("status")
    if status == "valid":
        if since is not None and now < since:
            return "CERT_NOT_YET_VALID"
    elif since is None or now >= since:
        return "CERT_WITHDRAWN" if status == "withdrawn" else "CERT_SUSPENDED"
    return _judge_margin(demand, end, horizon)


def _judge_margin(demand: Certified, end: datetime | None, horizon: Horizon) -> str:
    if end is None or not demand.min_remaining_days:
        return "OK"
    last = shifted(end, -timedelta(days=demand.min_remaining_days))
    if horizon.now > last:
        return "CERT_EXPIRING"
    horizon.add_last_moment(last)
    return "OK"


def version(text: object) -> tuple[int, ...]:
    """Return the parts of a version; empty, and so below every other, when it cannot be compared."""
    parts = text.split(".") if isinstance(text, str) else []
    if not all(part.isdecimal() for part in parts):
        return ()
    while len(parts) > 1 and int(parts[-1]) == 0:  # 2 is 2.0
        parts.pop()
    return tuple(map(int, parts))


def _words(certificate: Certificate, code: str) -> str:
    words = f"{certificate['scheme']} {certificate['number']}"
    end = instant(certificate.get("valid_to"))
    if code in ("CERT_EXPIRING", "CERT_EXPIRED", "OK") and end is not None:
        return f"{words}, until {as_rfc3339(end)}"
    return words
