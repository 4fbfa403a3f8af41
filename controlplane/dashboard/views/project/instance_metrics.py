"""Metrics of an instance, or of one of its ports, as charts and tables."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.rule_texts import describe_rule
from controlplane.dashboard.views.project.instances import InstancePage
from controlplane.dashboard.volume_type_texts import describe_limits
from controlplane.kernel import clock

HOUR = 1
# Periods in hours, with labels.
RANGES = ((HOUR, _("1 hour")), (6, _("6 hours")), (24, _("1 day")), (24 * 7, _("7 days")), (24 * 30, _("30 days")))
CHARTS = (
    (_("Processor"), ("cpu_used_ratio",)),
    (_("Memory"), ("memory_resident_mib", "memory_used_mib")),
    (_("Disks: bytes"), ("disk_read_bytes_per_s", "disk_write_bytes_per_s")),
    (_("Disks: requests"), ("disk_read_requests_per_s", "disk_write_requests_per_s")),
    (_("Network"), ("network_in_bytes_per_s", "network_out_bytes_per_s")),
    (_("Network: packets"), ("network_in_packets_per_s", "network_out_packets_per_s")),
    (_("Network: dropped packets"), ("network_in_dropped_per_s", "network_out_dropped_per_s")),
    (
        _("Security groups: dropped packets"),
        ("security_group_in_dropped_per_s", "security_group_out_dropped_per_s"),
    ),
    (_("Bandwidth limits: dropped packets"), ("bandwidth_in_dropped_per_s", "bandwidth_out_dropped_per_s")),
)
NAMES = {
    "cpu_used_ratio": _("used"),
    "memory_resident_mib": _("allocated on the node"),
    "memory_used_mib": _("used, reported by the guest"),
    "disk_read_bytes_per_s": _("read"),
    "disk_write_bytes_per_s": _("written"),
    "disk_read_requests_per_s": _("read"),
    "disk_write_requests_per_s": _("written"),
    "network_in_bytes_per_s": _("received"),
    "network_out_bytes_per_s": _("sent"),
    "network_in_packets_per_s": _("received"),
    "network_out_packets_per_s": _("sent"),
    "network_in_dropped_per_s": _("to the guest"),
    "network_out_dropped_per_s": _("from the guest"),
    "security_group_in_dropped_per_s": _("to the guest"),
    "security_group_out_dropped_per_s": _("from the guest"),
    "bandwidth_in_dropped_per_s": _("to the guest"),
    "bandwidth_out_dropped_per_s": _("from the guest"),
    "rule_hits_per_s": _("packets"),
}
OF_A_RULE = _("Rule {rule}: packets that begin a connection")
# Labels of units.
UNITS = {
    "ratio": _("ratio"),
    "MiB": _("MiB"),
    "bytes/s": _("B/s"),
    "requests/s": _("requests/s"),
    "packets/s": _("packets/s"),
}
TABLE_ROWS = 30
MANY = 200


class InstanceMetrics(InstancePage):
    template = "dashboard/project/instances/metrics.html"
    tab = "instance-metrics"

    def context(self) -> dict[str, Any]:
        hours = next((length for length, _words in RANGES if str(length) == self.query("hours")), HOUR)
        since = clock.now() - timedelta(hours=hours)
        ports = {each["port"]["id"]: each["port"]["name"] for each in self.instance["addresses"]}
        port = self.query("port") if self.query("port") in ports else ""
        path = ("ports", port) if port else ("instances", self.instance["id"])
        metrics = self.get_in_project(*path, "metrics", since=since.isoformat())
        series = list(map(spoken, metrics["series"]))
        rules = self.rules(port) if any(each["rule_id"] for each in series) else {}
        shown = {"metrics": metrics | {"series": series}, "charts": charts(series, rules)}
        limits = [] if port else disk_limits(self.instance)
        return {**shown, "ranges": RANGES, "hours": hours, "ports": ports, "port": port, "limits": limits}

    def rules(self, port: str) -> dict[str, str]:
        """Return the rules of the port's groups by id, in words."""
        groups = self.get_in_project("ports", port)["security_groups"] or []
        rules = {
            group["name"]: self.get_in_project("security-groups", group["id"], "rules", limit=MANY) for group in groups
        }
        return {rule["id"]: describe_rule(rule, group=name) for name, found in rules.items() for rule in found["items"]}


def disk_limits(instance: dict[str, Any]) -> list[tuple[Any, str]]:
    """Return the disks that have limits, with these."""
    disks = [(_("Root disk"), instance["root_limits"])]
    disks += [(each["volume"]["name"], each["limits"]) for each in instance["attachments"]]
    return [(name, describe_limits(limits)) for name, limits in disks if any(limits.values())]


def spoken(series: dict[str, Any]) -> dict[str, Any]:
    """Return the series with its words. Those of rules get a name each, by which the chart finds them."""
    name, unit, rule = series["name"], series["unit"], series["rule_id"]
    words = {"words": str(NAMES.get(name, name)), "unit_words": str(UNITS.get(unit, unit))}
    return series | words | ({"name": f"{name}-{rule}"} if rule else {})


def charts(series: list[dict[str, Any]], rules: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return each chart with its series, and the same values as table rows: time, then one value per series.

    `rules`: those that series are about, in words, by id.
    """
    by_name = {each["name"]: each for each in series}
    counted = ((each["rule_id"], each["name"]) for each in series if each["rule_id"])
    of_rules = ((OF_A_RULE.format(rule=rules.get(rule, rule)), (name,)) for rule, name in counted)
    drawn = []
    for words, names in (*CHARTS, *of_rules):
        shown = [by_name[name] for name in names if name in by_name]
        if shown:
            points = zip(*(each["points"] for each in shown), strict=True)
            rows = [(at[0][0], [value for _at, value in at]) for at in points]
            drawn.append({"words": words, "names": " ".join(names), "series": shown, "rows": rows[-TABLE_ROWS:]})
    return drawn
