"""Decisions of placement as pages tell them: which zones will do, and why each other one will not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Text = str | Promise
Document = Mapping[str, Any]

# What stands against a zone, by the code of the reason.
REASON_TEXTS = {
    "ATTR_MISMATCH": gettext_lazy("refused by policy"),
    "ATTR_UNKNOWN": gettext_lazy("facts that a policy needs are missing or overdue"),
    "THRESHOLD_EXCEEDED": gettext_lazy("above what a policy allows"),
    "LEVEL_TOO_LOW": gettext_lazy("below what a policy demands"),
    "TOO_CLOSE": gettext_lazy("too close to the original"),
    "EVIDENCE_STALE": gettext_lazy("tested too long ago"),
    "CERT_MISSING": gettext_lazy("not certified"),
    "CERT_VERSION": gettext_lazy("certified for an older version"),
    "CERT_LEVEL": gettext_lazy("certified at another level"),
    "CERT_SCOPE": gettext_lazy("the certificate does not cover this service"),
    "CERT_NOT_YET_VALID": gettext_lazy("the certificate is not valid yet"),
    "CERT_EXPIRED": gettext_lazy("the certificate has expired"),
    "CERT_SUSPENDED": gettext_lazy("the certificate is suspended"),
    "CERT_WITHDRAWN": gettext_lazy("the certificate was withdrawn"),
    "CERT_EXPIRING": gettext_lazy("the certificate ends too soon"),
    "NOT_SUPPORTED_CLASSIFIED": gettext_lazy("classified information cannot be held here"),
    "ZONE_NOT_ASKED": gettext_lazy("not among the zones asked for"),
    "ZONE_CLOSED": gettext_lazy("takes nothing new at the moment"),
    "NODE_NOT_READY": gettext_lazy("its machines do not answer"),
    "NODE_CORDONED": gettext_lazy("its machines are kept free for maintenance"),
    "NODE_NOT_CLEARED": gettext_lazy("its machines are not cleared for such data"),
    "NODE_UNATTESTED": gettext_lazy("its machines have not attested their state recently enough"),
    "NODE_EXCLUDED": gettext_lazy("its machines are left out"),
    "NOT_THE_HOST": gettext_lazy("it does not have the machine that was asked for"),
    "TRAIT_MISSING": gettext_lazy("its machines cannot do what is asked"),
    "POOL_MISSING": gettext_lazy("its machines do not have the shared storage that is needed"),
    "POOL_FULL": gettext_lazy("the shared storage has too little room left"),
    "NOT_NEAR": gettext_lazy("what it is to be near is elsewhere"),
    "NOT_WITH_GROUP": gettext_lazy("the affinity group is elsewhere"),
    "NOT_APART_FROM_GROUP": gettext_lazy("members of the group are on all of its machines"),
    "NO_CAPACITY": gettext_lazy("no room at the moment"),
}
NO_MACHINES = gettext_lazy("no machines there that could take it")


@dataclass(frozen=True)
class Verdict:
    """On a zone. `fits`: how many more of the flavor there is room for, where that was asked; `is_empty`: no policy is
    against it, but it has no machines."""

    zone: str
    is_admitted: bool
    reasons: list[str] = field(default_factory=list)
    fits: int | None = None
    is_empty: bool = False

    @property
    def mark(self) -> str:
        """On a map."""
        return "yes" if self.is_admitted else "none" if self.is_empty else "no"


def verdicts(document: Document, fits: Mapping[str, int] | None = None) -> list[Verdict]:
    """On every zone of a decision's document: those that will do first."""
    found = [
        Verdict(
            zone=zone["zone"],
            is_admitted=is_admitted(zone),
            reasons=[] if is_admitted(zone) else list(dict.fromkeys(_reasons(zone))),
            fits=(fits or {}).get(zone["zone"]),
            is_empty=not is_admitted(zone) and _has_nothing_against(zone),
        )
        for zone in document.get("zones", [])
    ]
    return sorted(found, key=lambda verdict: (not verdict.is_admitted, verdict.zone))


def is_admitted(zone: Document) -> bool:
    """Whether something can be there. Whoever sees all nodes is told how many of them would do."""
    return bool(zone["is_admitted"] if "is_admitted" in zone else zone["admitted"])


def _reasons(zone: Document) -> Iterable[str]:
    clauses = [result for result in zone["results"] if result["result"] != "T"]
    for result in clauses:
        clause = f"{result['level']}/{result['atom']}"
        detail = result["detail"] if result["detail"] != zone["zone"] else ""
        said = _("{why}: {found} ({clause})") if detail else _("{why} ({clause})")
        yield said.format(why=reason_text(result["code"]), found=detail, clause=clause)
    told = {result["code"] for result in clauses}
    yield from (str(reason_text(code)) for code in zone["codes"] if code not in told)
    if _has_nothing_against(zone):
        yield str(NO_MACHINES)


def _has_nothing_against(zone: Document) -> bool:
    return not zone["codes"] and all(result["result"] == "T" for result in zone["results"])


def reason_text(code: str) -> Text:
    return REASON_TEXTS.get(code) or code.lower().replace("_", " ")
