"""Project overview: resources, needs attention, quota, activity and zones."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import ProjectPage
from controlplane.dashboard.compliance_drift import list_drifted
from controlplane.dashboard.zone_map import zone_marks
from controlplane.dashboard.zone_verdicts import Verdict, verdicts
from controlplane.kernel import clock

LATEST = 8
WORST = 5
A_DAY = timedelta(days=1)
ZONES_MAX = 200
DIMENSIONS = {
    "instances": _("Instances"),
    "vcpus": _("vCPUs"),
    "memory_mib": _("Memory"),
    "volumes": _("Volumes"),
    "storage_gib": _("Storage"),
    "snapshots": _("Snapshots"),
    "snapshot_gib": _("Snapshot storage"),
    "snapshot_schedules": _("Snapshot schedules"),
    "networks": _("Networks"),
    "ports": _("Ports"),
    "addresses": _("Addresses"),
    "security_groups": _("Security groups"),
    "public_addresses": _("Public addresses"),
    "address_sets": _("Address sets"),
    "images": _("Images"),
    "image_gib": _("Image files"),
    "state_mib": _("Terraform states"),
    "webhooks": _("Webhooks"),
}
# States of counted resources, most common first.
COUNTED = {
    "instances": ("active", "stopped", "building"),
    "volumes": ("in-use", "available", "building"),
}
PLACE = ("location.urban_area", "location.territory")


class Overview(ProjectPage):
    template = "dashboard/project/overview.html"
    title = _("Overview")
    section = "overview"
    live = "instance volume operation drift remediation"

    def context(self) -> dict[str, Any]:
        limits = self.get_in_project("limits")["items"]
        used = {limit["dimension"]: limit["used"] for limit in limits}
        broken = {
            collection: self.get_in_project(collection, state="error", limit=WORST, count="true")
            for collection in COUNTED
        }
        return {
            "counted": [self.counted(name, used.get(name, 0), broken[name]["total_count"]) for name in COUNTED],
            "limits": [in_words(limit) for limit in limits],
            "operations": self.get_in_project("operations", limit=LATEST, sort="-created_at")["items"],
            **self.attention({collection: page["items"] for collection, page in broken.items()}),
            # The part that follows events does not contain the map.
            **({} if "X-Live" in self.request.headers else self.map()),
        }

    def counted(self, collection: str, used: int, in_error: int) -> dict[str, Any]:
        """Return the counts by state; stops once all `used` resources are counted."""
        numbers = {"error": in_error}
        for state in COUNTED[collection]:
            if sum(numbers.values()) < used:
                numbers[state] = self.get_in_project(collection, state=state, limit=1, count="true")["total_count"]
        seen = [(state, labels.state_badge(state), numbers[state]) for state in reversed(numbers) if numbers[state]]
        return {
            "collection": collection,
            "words": DIMENSIONS[collection],
            "sum": sum(numbers.values()),
            "states": seen,
        }

    # Needs attention.

    def attention(self, broken: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        since: datetime = clock.now() - A_DAY
        failed = self.get_in_project("operations", state="failed", created_after=since.isoformat(), limit=WORST)[
            "items"
        ]
        drifted = self.drifted()
        is_calm = not (failed or drifted or any(broken.values()))
        return {"failed": failed, "broken": broken, "drifted": drifted, "is_calm": is_calm}

    def drifted(self) -> list[dict[str, Any]]:
        """Return the first drifted resources. `deadline_at`: of the approved plan; `is_executed`: it is carried out."""
        drifts = list_drifted(self.api, self.project["id"], most=WORST)
        has_plan = any(each["state"] == "remediating" for each in drifts)
        plans = self.get_in_project("remediation-plans", state="approved", limit=1)["items"] if has_plan else []
        deadlines = {item["resource_id"]: item["deadline_at"] or plan["deadline_at"]
                     for plan in plans for item in plan["items"]}  # fmt: skip
        is_executed = any(plan["execution"] == "running" for plan in plans)
        return [
            each | {"deadline_at": deadlines.get(each["resource_id"]), "is_executed": is_executed} for each in drifts
        ]

    # Zones.

    @cached_property
    def zones(self) -> list[dict[str, Any]]:
        zones: list[dict[str, Any]] = self.api.get("zones", limit=ZONES_MAX)["items"]
        return zones

    def map(self) -> dict[str, Any]:
        verdict_of = {verdict.zone: verdict for verdict in self.verdicts()}
        zones = [_zone_summary(zone, verdict_of.get(zone["id"])) for zone in self.zones]
        by_id = {zone["id"]: zone for zone in zones}
        shown = [{"at": spot, "zone": by_id.pop(spot.zone)} for spot in zone_marks(self.zones)]
        return {"zones": zones, "spots": shown, "beyond": list(by_id.values())}

    def verdicts(self) -> list[Verdict]:
        """Return the verdict on each zone for the smallest flavor: only policies matter."""
        flavors = self.api.get("flavors", limit=ZONES_MAX)["items"]
        size = min(([each["vcpus"], each["memory_mib"], each["disk_gib"]] for each in flavors), default=[1, 1, 1])
        question = dict(zip(("vcpus", "memory_mib", "disk_gib"), size, strict=True))
        question |= {"project": self.project["id"], "operation": "instance.create"}
        try:
            return verdicts(self.api.preview("placement", "simulations", body=question)["document"])
        except ApiError as exc:
            if exc.status != 403:
                raise
            return []


def in_words(item: dict[str, Any]) -> dict[str, Any]:
    """Return a limit or a need with the label of its dimension."""
    return item | {"words": DIMENSIONS.get(item["dimension"], item["dimension"])}


def _zone_summary(zone: Mapping[str, Any], verdict: Verdict | None) -> dict[str, Any]:
    facts = zone["facts"]
    valid = [each for each in facts.get("certifications") or [] if each["status"] == "valid"]
    return {
        "id": zone["id"],
        "region": zone["region"],
        "place": ", ".join(str(facts[name]) for name in PLACE if facts.get(name)),
        "operators": [party["name"] for party in zone["parties"] if party["role"] == "operator"],
        "certifications": [" ".join(filter(None, (each["scheme"], each["version"]))) for each in valid],
        "verdict": verdict,
        "mark": "unknown" if verdict is None else verdict.mark,
    }
