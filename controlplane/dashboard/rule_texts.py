"""Rules of security groups in plain words."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from controlplane.dashboard import labels


def describe_rule(rule: Mapping[str, Any], *, group: str) -> str:
    """Return the rule as one line: its group, direction, protocol, ports, address family and description."""
    direction = _("in") if rule["direction"] == "in" else _("out")
    protocol = _("any protocol") if rule["protocol"] == "any" else rule["protocol"].upper()
    traffic = " ".join(filter(None, (direction, protocol, ports_of(rule), labels.FAMILIES[rule["family"]])))
    return f"{group}: {traffic}" + (f" ({rule['description']})" if rule["description"] else "")


def ports_of(rule: Mapping[str, Any]) -> str:
    """Return the ports or the ICMP type of a rule as text."""
    if rule["icmp_type"] is not None:
        return f"{rule['icmp_type']}" + ("" if rule["icmp_code"] is None else f"/{rule['icmp_code']}")
    if rule["first_port"] is None:
        return ""
    first, last = rule["first_port"], rule["last_port"]
    return str(first) if first == last else f"{first}-{last}"
