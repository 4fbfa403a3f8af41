"""Placement decisions as pages show them: admitted zones, and reasons for the others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Text = str | Promise
Document = Mapping[str, Any]

# Labels of reasons against a zone, by code.
REASON_TEXTS = {
    "ATTR_MISMATCH": gettext_lazy("refused by policy"),
    "ATTR_UNKNOWN": gettext_lazy("facts required by a policy are missing or overdue for review"),
    "THRESHOLD_EXCEEDED": gettext_lazy("above the maximum of a policy"),
    "LEVEL_TOO_LOW": gettext_lazy("below the minimum of a policy"),
    "TOO_CLOSE": gettext_lazy("too close to the primary copy"),
    "EVIDENCE_STALE": gettext_lazy("last test too old"),
    "CERT_MISSING": gettext_lazy("not certified"),
    "CERT_VERSION": gettext_lazy("certified for an earlier version"),
    "CERT_LEVEL": gettext_lazy("certified at a different level"),
    "CERT_SCOPE": gettext_lazy("the certificate does not cover this service"),
    "CERT_NOT_YET_VALID": gettext_lazy("the certificate is not valid yet"),
    "CERT_EXPIRED": gettext_lazy("the certificate has expired"),
    "CERT_SUSPENDED": gettext_lazy("the certificate is suspended"),
    "CERT_WITHDRAWN": gettext_lazy("the certificate is withdrawn"),
    "CERT_EXPIRING": gettext_lazy("the certificate expires too soon"),
    "NOT_SUPPORTED_CLASSIFIED": gettext_lazy("classified information is not admitted here"),
    "ZONE_NOT_ASKED": gettext_lazy("not among the requested zones"),
    "ADDRESS_ELSEWHERE": gettext_lazy("IPv6 addresses of its ports are routed to another zone"),
    "MTU_TOO_LARGE": gettext_lazy("the underlay carries no packets as large as the MTU of its networks"),
    "ZONE_CLOSED": gettext_lazy("accepts no new resources at the moment"),
    "NODE_NOT_READY": gettext_lazy("its nodes are unreachable"),
    "NODE_CORDONED": gettext_lazy("its nodes are closed for maintenance"),
    "NODE_NOT_CLEARED": gettext_lazy("its nodes are not cleared for this data"),
    "NODE_UNATTESTED": gettext_lazy("its nodes have no recent attestation"),
    "NODE_EXCLUDED": gettext_lazy("its nodes are excluded"),
    "NOT_THE_HOST": gettext_lazy("the requested node is in another zone"),
    "TRAIT_MISSING": gettext_lazy("its nodes lack a required feature"),
    "POOL_MISSING": gettext_lazy("its nodes do not mount the required storage pool"),
    "POOL_FULL": gettext_lazy("the storage pool has too little free space"),
    "POOL_NEARLY_FULL": gettext_lazy("the storage pool is nearly full and takes no new disks"),
    "NOT_NEAR": gettext_lazy("the resource to stay close to is in another zone"),
    "NOT_WITH_GROUP": gettext_lazy("the affinity group is in another zone"),
    "NOT_APART_FROM_GROUP": gettext_lazy("all of its nodes already run members of the group"),
    "NO_CAPACITY": gettext_lazy("no free capacity at the moment"),
}
NO_MACHINES = gettext_lazy("no suitable nodes")


@dataclass(frozen=True)
class Verdict:
    """The verdict on a zone. `fits`: capacity for the flavor, if requested; `is_empty`: policies admit the zone,
    but it has no nodes."""

    zone: str
    is_admitted: bool
    reasons: list[str] = field(default_factory=list)
    fits: int | None = None
    is_empty: bool = False

    @property
    def mark(self) -> str:
        """Return the marker's style on the map."""
        return "yes" if self.is_admitted else "none" if self.is_empty else "no"


def verdicts(document: Document, fits: Mapping[str, int] | None = None) -> list[Verdict]:
    """Return the verdict on every zone of a decision, admitted zones first."""
    judged = [
        Verdict(
            zone=zone["zone"],
            is_admitted=is_admitted(zone),
            reasons=[] if is_admitted(zone) else list(dict.fromkeys(_reasons(zone))),
            fits=(fits or {}).get(zone["zone"]),
            is_empty=not is_admitted(zone) and _has_nothing_against(zone),
        )
        for zone in document.get("zones", [])
    ]
    return sorted(judged, key=lambda verdict: (not verdict.is_admitted, verdict.zone))


def is_admitted(zone: Document) -> bool:
    """Return whether the zone is admitted. Users who see all nodes also get their number."""
    return bool(zone["is_admitted"] if "is_admitted" in zone else zone["admitted"])


def _reasons(zone: Document) -> Iterable[str]:
    clauses = [result for result in zone["results"] if result["result"] != "T"]
    for result in clauses:
        clause = f"{result['level']}/{result['atom']}"
        detail = result["detail"] if result["detail"] != zone["zone"] else ""
        template = _("{why}: {found} ({clause})") if detail else _("{why} ({clause})")
        yield template.format(why=reason_text(result["code"]), found=detail, clause=clause)
    shown = {result["code"] for result in clauses}
    yield from (str(reason_text(code)) for code in zone["codes"] if code not in shown)
    if _has_nothing_against(zone):
        yield str(NO_MACHINES)


def _has_nothing_against(zone: Document) -> bool:
    return not zone["codes"] and all(result["result"] == "T" for result in zone["results"])


def reason_text(code: str) -> Text:
    return REASON_TEXTS.get(code) or code.lower().replace("_", " ")
