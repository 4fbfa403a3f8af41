"""Labels of policy clauses and facts: docs/reference/policies.md and catalogue.md in readable form.

`SUBJECTS` lists the subjects of clauses with their kinds; a kind has the operators that can test it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

Text = str | Promise
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\S+")

ONE_OF, LISTED, FLAG, WHOLE, SHARE, SCALE, PAST, NOTICE = (
    "one-of",
    "listed",
    "flag",
    "whole",
    "share",
    "scale",
    "past",
    "notice",
)
CERTIFICATE, DISTANCE = "certificate", "distance"
HOLDS, MIN_DISTANCE = "holds", "min_distance_km"
OPERATORS_OF: Mapping[str, tuple[str, ...]] = {
    ONE_OF: ("in",),
    LISTED: ("subset", "contains", "disjoint"),
    FLAG: ("is",),
    WHOLE: ("ge", "le"),
    SHARE: ("le", "ge"),
    SCALE: ("ge", "le"),
    PAST: ("within_days",),
    NOTICE: ("is",),
    CERTIFICATE: (HOLDS,),
    DISTANCE: (MIN_DISTANCE,),
}
OPERATORS: Mapping[str, Text] = {
    "in": _("one of"),
    "subset": _("only in"),
    "contains": _("all of"),
    "disjoint": _("none of"),
    "is": _("exactly"),
    "le": _("at most"),
    "ge": _("at least"),
    "within_days": _("at most, in days,"),
    HOLDS: _("is held"),
    MIN_DISTANCE: _("at least, in km"),
}


@dataclass(frozen=True)
class Subject:
    """The subject of a clause. `group` is its heading in the list of subjects; `scale`: its values, weakest first."""

    words: Text
    kind: str
    group: Text
    scale: tuple[str, ...] = ()


_PLACE, _KEYS, _ACCESS, _NET, _LEVELS, _PARTY, _PAPER = (
    _("Location"),
    _("Keys and encryption"),
    _("Access and logs"),
    _("Network and media"),
    _("Levels"),
    _("Parties of the zone"),
    _("Certificates and distance"),
)
CUSTODY = ("none", "provider_software", "provider_hsm", "customer_byok", "customer_hyok")
PERSONNEL = ("any", "eu_resident", "eu_citizen", "eu_citizen_resident", "national_cleared")
ERASURE = ("unlink", "crypto_erase", "overwrite", "overwrite_and_destroy")
SUBJECTS: Mapping[str, Subject] = {
    "location.territory": Subject(_("Territory"), ONE_OF, _PLACE),
    "zone.id": Subject(_("Zone"), ONE_OF, _PLACE),
    "location.urban_area": Subject(_("Urban area"), ONE_OF, _PLACE),
    "location.site_id": Subject(_("Site"), ONE_OF, _PLACE),
    "tenancy": Subject(_("Tenancy"), LISTED, _PLACE),
    "certifications": Subject(_("Certificate"), CERTIFICATE, _PAPER),
    MIN_DISTANCE: Subject(_("Distance of copies"), DISTANCE, _PAPER),
    "keys.countries": Subject(_("Countries of keys"), LISTED, _KEYS),
    "keys.custody": Subject(_("Key custody"), SCALE, _KEYS, CUSTODY),
    "keys.module": Subject(_("Key storage"), ONE_OF, _KEYS),
    "pki.ca_country": Subject(_("Country of the certificate authority"), ONE_OF, _KEYS),
    "encryption.at_rest": Subject(_("Encryption at rest"), FLAG, _KEYS),
    "encryption.per_tenant_key": Subject(_("One key per customer"), FLAG, _KEYS),
    "encryption.volume_format": Subject(_("Format of encrypted volumes"), ONE_OF, _KEYS),
    "admin.access_from": Subject(_("Countries of administration"), LISTED, _ACCESS),
    "admin.personnel": Subject(_("Administrators"), SCALE, _ACCESS, PERSONNEL),
    "support.access_from": Subject(_("Countries of support"), LISTED, _ACCESS),
    "support.gateway": Subject(_("Support through a gateway"), FLAG, _ACCESS),
    "logs.countries": Subject(_("Countries of logs"), LISTED, _ACCESS),
    "metadata.countries": Subject(_("Countries of metadata"), LISTED, _ACCESS),
    "controlplane.countries": Subject(_("Countries of the control plane"), LISTED, _ACCESS),
    "console.gateway_countries": Subject(_("Countries of consoles"), LISTED, _ACCESS),
    "netedge.ip_countries": Subject(_("Countries of public addresses"), LISTED, _NET),
    "netedge.foreign_tls_termination": Subject(_("TLS terminated abroad"), FLAG, _NET),
    "network_class": Subject(_("Network class (0 to 2)"), WHOLE, _NET),
    "erasure.method": Subject(_("Media erasure"), SCALE, _NET, ERASURE),
    "disconnect.tested_at": Subject(_("Disconnected operation, tested"), PAST, _NET),
    **{f"seal.SOV-{number}": Subject(f"SEAL SOV-{number} (0–4)", WHOLE, _LEVELS) for number in range(1, 9)},
    "ual": Subject(_("Union assurance level (0 to 4)"), WHOLE, _LEVELS),
    "gaia_x_label": Subject(_("Gaia-X label (0 to 3)"), WHOLE, _LEVELS),
    "party.statutory_seat": Subject(_("Statutory seat"), ONE_OF, _PARTY),
    "party.central_admin": Subject(_("Central administration"), ONE_OF, _PARTY),
    "party.principal_establishment": Subject(_("Principal establishment"), ONE_OF, _PARTY),
    "party.ultimate_parent_country": Subject(_("Country of the ultimate parent"), ONE_OF, _PARTY),
    "party.non_eu_max_single_pct": Subject(_("Largest shareholding from outside the EU (%)"), SHARE, _PARTY),
    "party.non_eu_collective_pct": Subject(_("Total shareholding from outside the EU (%)"), SHARE, _PARTY),
    "party.non_eu_veto": Subject(_("Veto right from outside the EU"), FLAG, _PARTY),
    "party.non_eu_board_majority": Subject(_("Board majority from outside the EU"), FLAG, _PARTY),
    "party.controlled_by_non_eu": Subject(_("Controlled from outside the EU"), FLAG, _PARTY),
    "party.non_eu_establishments": Subject(_("Establishments outside the EU"), LISTED, _PARTY),
    "party.extraterritorial_exposure": Subject(_("Applicable foreign laws"), LISTED, _PARTY),
    "party.operating_autonomy": Subject(_("Able to operate autonomously"), FLAG, _PARTY),
    "party.control_change_notice": Subject(_("Announced change of control"), NOTICE, _PARTY),
    "party.fictitious": Subject(_("Fictitious"), FLAG, _PARTY),
}
# Facts that no clause can test.
ONLY_FACTS: Mapping[str, Text] = {
    "location.lat": _("Latitude"),
    "location.lon": _("Longitude"),
    "parties": _("Parties"),
    "region.kind": _("Kind of region"),
    "members": _("Members"),
    "node.tpm_ek_sha256": _("TPM key"),
    "node.dedicated_to": _("Dedicated to"),
    "pool.replica_zones": _("Replica zones"),
}
ATTRIBUTES: Mapping[str, Text] = {
    **{name: subject.words for name, subject in SUBJECTS.items()},
    **ONLY_FACTS,
}
VALUES: Mapping[str, Text] = {
    "none": _("none"),
    "provider_software": _("provider-held, in software"),
    "provider_hsm": _("provider-held, in a hardware security module"),
    "customer_byok": _("customer-supplied (BYOK)"),
    "customer_hyok": _("customer-held (HYOK)"),
    "any": _("anyone"),
    "eu_resident": _("residents of the EU"),
    "eu_citizen": _("citizens of the EU"),
    "eu_citizen_resident": _("citizens and residents of the EU"),
    "national_cleared": _("people with a national clearance"),
    "unlink": _("unlinked, not overwritten"),
    "crypto_erase": _("cryptographic erasure (keys destroyed)"),
    "overwrite": _("overwritten"),
    "overwrite_and_destroy": _("overwritten and destroyed"),
    "shared": _("shared hosts"),
    "dedicated_host": _("dedicated hosts"),
    "dedicated_zone": _("a dedicated zone"),
    "physically_isolated": _("physically isolated"),
    "software": _("software"),
}
ROLES: Mapping[str, Text] = {
    "compute": _("compute"),
    "storage": _("volumes"),
    "replica": _("replicas"),
    "snapshot": _("snapshots"),
    "backup": _("backups"),
    "image": _("images"),
    "key": _("keys"),
    "log": _("logs"),
    "metadata": _("metadata"),
    "console": _("consoles"),
    "admin": _("administration"),
    "netedge": _("the edge of the network"),
}
PARTY_ROLES: Mapping[str, Text] = {
    "operator": _("operator"),
    "dc_landlord": _("data centre owner"),
    "remote_support": _("remote support"),
    "software_licensing": _("software licensor"),
    "network_carrier": _("network carrier"),
    "key_custodian": _("key custodian"),
    "backup_operator": _("backup operator"),
}
ASSERTIONS: Mapping[str, Text] = {
    "self_declared": _("self-declared"),
    "third_party": _("a third party"),
    "certificate": _("a certificate"),
    "measured": _("measured"),
}
LEVELS: Mapping[str, Text] = {
    "platform": _("Platform"),
    "organization": _("Organization"),
    "project": _("Project"),
    "classification": _("Classification"),
    "resource": _("Resource"),
    "lineage": _("Lineage"),
}
CHANGES: Mapping[str, Text] = {
    "same": _("same requirements"),
    "tighter": _("stricter"),
    "looser": _("less strict"),
    "incomparable": _("not comparable, treated as less strict"),
}
RECORD_KINDS: Mapping[str, Text] = {
    "decision": _("decision"),
    "permit": _("permit"),
    "cosignature": _("cosignature"),
    "receipt": _("receipt"),
    "copy": _("copy"),
    "fact": _("fact"),
    "policy_version": _("policy version"),
    "policy_proposal": _("proposal"),
    "exemption": _("exemption"),
    "drift": _("drift"),
    "erasure": _("erasure"),
    "admin_session": _("administration session"),
    "key_release": _("key release"),
    "node": _("node"),
    "trust": _("trust"),
    "incident": _("incident"),
    "mark": _("marker"),
    "audit": _("audit"),
}
RESOURCE_KINDS: Mapping[str, Text] = {
    "instance": _("Instance"),
    "volume": _("Volume"),
    "snapshot": _("Snapshot"),
    "image": _("Image"),
}
DRIFT_ACTIONS: Mapping[str, Text] = {
    "flag": _("reported only"),
    "freeze": _("reported; start and grow are blocked"),
    "evacuate": _("reported; has to be moved"),
    "stop": _("reported and stopped"),
}
REASONS: Mapping[str, Text] = {
    "OK": _("satisfied"),
    "WAIVED": _("waived by an exemption"),
    "ATTR_UNKNOWN": _("unknown, overdue for review or insufficiently attested"),
    "ATTR_MISMATCH": _("not admitted by the clause"),
    "THRESHOLD_EXCEEDED": _("above the maximum of the clause"),
    "LEVEL_TOO_LOW": _("below the minimum of the clause"),
    "TOO_CLOSE": _("too close to the primary copy"),
    "EVIDENCE_STALE": _("last test too old or missing"),
    "CERT_MISSING": _("certificate missing"),
    "CERT_VERSION": _("certified for an earlier version"),
    "CERT_LEVEL": _("certified at a different level"),
    "CERT_SCOPE": _("the certificate does not cover this service"),
    "CERT_NOT_YET_VALID": _("the certificate is not valid yet"),
    "CERT_EXPIRED": _("the certificate has expired"),
    "CERT_SUSPENDED": _("the certificate is suspended"),
    "CERT_WITHDRAWN": _("the certificate is withdrawn"),
    "CERT_EXPIRING": _("the certificate expires too soon"),
    "NOT_SUPPORTED_CLASSIFIED": _("classified information is not admitted here"),
    "ZONE_CLOSED": _("the zone is draining or closed"),
    "NODE_NOT_CLEARED": _("the node is not cleared for this data"),
    "NODE_UNATTESTED": _("the node was not attested recently"),
    "NO_CAPACITY": _("no free capacity"),
}
# Labels by vocabulary.
VOCABULARIES: Mapping[str, Mapping[str, Text]] = {
    "assertion": ASSERTIONS,
    "attribute": ATTRIBUTES,
    "change": CHANGES,
    "drift_action": DRIFT_ACTIONS,
    "level": LEVELS,
    "party_role": PARTY_ROLES,
    "reason": REASONS,
    "record_kind": RECORD_KINDS,
    "resource_kind": RESOURCE_KINDS,
    "role": ROLES,
}


def vocabulary_label(of: str, name: str) -> Text:
    """Return the label of a value of the API, or the value itself if it is unknown."""
    return VOCABULARIES[of].get(name, name)


def subject_of(clause: Mapping[str, Any]) -> str:
    """Return the key of a clause in SUBJECTS: its attribute, or its operator."""
    if clause.get("op") == HOLDS:
        return "certifications"
    return MIN_DISTANCE if clause.get("op") == MIN_DISTANCE else str(clause.get("attr", ""))


def value_html(value: Any) -> SafeString:
    """Render a value of a clause or a fact: codes and names unchanged, labels in the user's language."""
    if value is None:
        return format_html('<em class="faint">{}</em>', gettext("unknown"))
    if isinstance(value, bool):
        return format_html("{}", gettext("yes") if value else gettext("no"))
    if isinstance(value, list | tuple):
        if not value:
            return format_html('<span class="faint">{}</span>', gettext("none"))
        return format_html_join(", ", "{}", ((value_html(each),) for each in value))
    if MOMENT.fullmatch(str(value)):
        return format_html("{}", date_format(datetime.fromisoformat(value), "DATE_FORMAT"))
    label = VALUES.get(str(value))
    return format_html("{}", label) if label else format_html('<code translate="no">{}</code>', value)


def clause_html(clause: Mapping[str, Any]) -> SafeString:
    """Render a clause as a sentence: its subject and its condition."""
    op = str(clause.get("op", ""))
    subject = subject_of(clause)
    name = gettext("{name}:").format(name=vocabulary_label("attribute", subject))
    what = format_html("<strong>{}</strong>", name)
    if op == HOLDS:
        return format_html("{} {}{}", what, value_html(clause.get("scheme")), _holds(clause))
    return format_html("{} {} {}{}", what, OPERATORS.get(op, op), value_html(clause.get("value")), _besides(clause))


def _holds(clause: Mapping[str, Any]) -> SafeString:
    conditions = []
    if clause.get("min_version"):
        conditions.append(gettext("version {version} or later").format(version=clause["min_version"]))
    if clause.get("level"):
        conditions.append(gettext("level {level}").format(level=clause["level"]))
    if clause.get("scope"):
        conditions.append(gettext("covering {scope}").format(scope=clause["scope"]))
    if clause.get("min_remaining_days"):
        conditions.append(gettext("valid for another {days} days").format(days=clause["min_remaining_days"]))
    return format_html("{}{}", _joined(conditions), _besides(clause))


def _besides(clause: Mapping[str, Any]) -> SafeString:
    conditions = []
    if clause.get("roles"):
        conditions.append(gettext("only for: {roles}").format(roles=_listed("role", clause["roles"])))
    if clause.get("party_roles"):
        conditions.append(gettext("only for: {roles}").format(roles=_listed("party_role", clause["party_roles"])))
    if clause.get("only_with_technical_access"):
        conditions.append(gettext("only for parties with technical access to data"))
    if clause.get("assertion_min"):
        source = vocabulary_label("assertion", clause["assertion_min"])
        conditions.append(gettext("minimum assurance: {source}").format(source=source))
    if clause.get("waivable"):
        conditions.append(gettext("two officers can exempt from it for some hours"))
    return _joined(conditions)


def _listed(of: str, names: Iterable[str]) -> str:
    return ", ".join(str(vocabulary_label(of, name)) for name in names)


def _joined(conditions: list[str]) -> SafeString:
    return format_html(
        '<span class="faint">{}</span>',
        "".join(gettext("; {condition}").format(condition=condition) for condition in conditions),
    )
