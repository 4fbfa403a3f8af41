"""Zones and their facts, parties, named sets and jurisdictions."""

from collections import defaultdict
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import clause_labels, labels
from controlplane.dashboard.base_views import Page, Text
from controlplane.dashboard.charts import Span, bars, moment
from controlplane.kernel import clock

MANY = 200
CERTIFICATE_TONES = {"valid": labels.GOOD, "suspended": labels.WARN, "withdrawn": labels.BAD}


class ZoneList(Page):
    template = "dashboard/compliance/zones/list.html"
    title = _("Zones")
    section = "zones"

    def context(self) -> dict[str, Any]:
        region, project = self.query("region"), self.query("admissible_for")
        page = self.api.get("zones", region=region, admissible_for=project, page_token=self.query("page_token"))
        return {
            "zones": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": bool(region or project),
            "regions": self.api.get("regions", limit=MANY)["items"],
        }


class Zone(Page):
    template = "dashboard/compliance/zones/detail.html"
    section = "zones"

    @cached_property
    def zone(self) -> dict[str, Any]:
        zone: dict[str, Any] = self.api.get("zones", self.kwargs["zone"])
        return zone

    def layout_context(self) -> dict[str, Any]:
        return super().layout_context() | {"title": self.zone["id"], "is_code": True}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Zones"), reverse("zones"))]

    def context(self) -> dict[str, Any]:
        statements = statements_about(self, "zone", self.zone["id"])
        certificates = self.zone["facts"].get("certifications") or []
        return {
            "zone": self.zone,
            "groups": grouped(self.zone),
            "certificates": [_with_validity(each) for each in certificates],
            "statements": statements,
            "chart": bars([*map(_certificate_bar, certificates), *bounded(statements)]),
        }


class ImpactSimulation(Page):
    """Simulate which resources would drift if the zone lost a certificate. Nothing is written."""

    template = "dashboard/compliance/zones/impact_simulation.html"
    section = "zones"
    title = _("Loss of a certificate")

    def crumbs(self) -> list[tuple[Text, str]]:
        zone = self.kwargs["zone"]
        return [(_("Zones"), reverse("zones")), (zone, reverse("zone", kwargs={"zone": zone}))]

    def context(self) -> dict[str, Any]:
        number = self.query("number")
        lost = [{"zone": self.kwargs["zone"], "number": number}]
        impact = self.api.post("policy", "simulate", body={"lost_certificates": lost})
        names = {project["id"]: project["name"] for project in self.projects}
        lost_zones = [each | {"name": names.get(each["project"], each["project"])} for each in impact["lost_zones"]]
        return {"number": number, "zone": self.kwargs["zone"], "broken": impact["broken"], "lost_zones": lost_zones}


class PartyList(Page):
    template = "dashboard/compliance/zones/parties.html"
    title = _("Parties")
    section = "zones"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Zones"), reverse("zones"))]

    def context(self) -> dict[str, Any]:
        page = self.api.get("parties", page_token=self.query("page_token"))
        return {"parties": page["items"], "next_page_token": page["next_page_token"]}


class Party(Page):
    template = "dashboard/compliance/zones/party.html"
    section = "zones"

    @cached_property
    def party(self) -> dict[str, Any]:
        party: dict[str, Any] = self.api.get("parties", self.kwargs["party"])
        return party

    def layout_context(self) -> dict[str, Any]:
        return super().layout_context() | {"title": self.party["name"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Zones"), reverse("zones")), (_("Parties"), reverse("parties"))]

    def context(self) -> dict[str, Any]:
        statements = statements_about(self, "party", self.party["id"])
        zones = self.api.get("zones", limit=MANY)["items"]
        parts = [
            {"zone": zone["id"], **part} for zone in zones for part in zone["parties"] if part["id"] == self.party["id"]
        ]
        return {
            "party": self.party,
            "groups": grouped(self.party),
            "statements": statements,
            "parts": parts,
            "chart": bars(bounded(statements)),
        }


class SetList(Page):
    template = "dashboard/compliance/zones/named_sets.html"
    title = _("Named sets")
    section = "zones"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Zones"), reverse("zones"))]

    def context(self) -> dict[str, Any]:
        return {"sets": self.api.get("sets", limit=MANY)["items"]}


class Jurisdictions(Page):
    """The jurisdiction of each zone and its parties (Data Act, article 28)."""

    template = "dashboard/compliance/zones/jurisdictions.html"
    title = _("Jurisdictions")
    section = "jurisdictions"

    def context(self) -> dict[str, Any]:
        page = self.api.get("transparency", "jurisdictions", page_token=self.query("page_token"))
        return {"jurisdictions": page["items"], "next_page_token": page["next_page_token"]}


class Transfers(Page):
    """Transfers out of the territory of each zone (HDS, EXI 31)."""

    template = "dashboard/compliance/zones/transfers.html"
    title = _("Transfers")
    section = "jurisdictions"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Jurisdictions"), reverse("jurisdictions"))]

    def context(self) -> dict[str, Any]:
        page = self.api.get("transparency", "transfers", page_token=self.query("page_token"))
        return {"zones": page["items"], "next_page_token": page["next_page_token"]}


def statements_about(page: Page, kind: str, subject: str) -> list[dict[str, Any]]:
    """Return the current statements for all periods, by attribute and start."""
    facts = page.api.get("facts", subject_kind=kind, subject_id=subject, limit=MANY)["items"]
    now = clock.now().isoformat()
    marked = [
        each
        | {"is_overdue": each["review_by"] < now, "is_plain": each["attribute"] not in ("parties", "certifications")}
        for each in facts
    ]
    return sorted(marked, key=lambda each: (each["attribute"], each["valid_from"]))


def bounded(statements: list[dict[str, Any]]) -> list[Span]:
    """Return bars of the statements with a limited validity."""
    spans = []
    for each in statements:
        start, end = moment(each["valid_from"]), moment(each["valid_to"])
        if end is not None and start is not None:
            tone = labels.WARN if each["is_overdue"] else labels.BUSY
            spans.append(Span(clause_labels.vocabulary_label("attribute", each["attribute"]), start, end, tone))
    return spans


def grouped(subject_of: dict[str, Any]) -> list[tuple[Text, list[tuple[Text, Any, bool]]]]:
    """Return attributes of a zone or party by group, each with its value and whether it is only declared."""
    groups: dict[Text, list[tuple[Text, Any, bool]]] = defaultdict(list)
    for name, value in subject_of["facts"].items():
        if name in ("certifications", "parties"):
            continue
        subject = clause_labels.SUBJECTS.get(name)
        groups[subject.group if subject else _("Other")].append(
            (clause_labels.vocabulary_label("attribute", name), value, name in subject_of["claimed"])
        )
    return list(groups.items())


def _certificate_bar(certificate: dict[str, Any]) -> Span:
    start, end = moment(certificate["valid_from"]), moment(certificate["valid_to"])
    assert start is not None
    name = " ".join(filter(None, (certificate["scheme"], certificate.get("version"), certificate.get("level"))))
    return Span(name, start, end, CERTIFICATE_TONES.get(certificate["status"], labels.IDLE), is_code=True)


def _with_validity(certificate: dict[str, Any]) -> dict[str, Any]:
    """Return certificates with `validity`, the state from status and period."""
    now, end, start = clock.now(), moment(certificate["valid_to"]), moment(certificate["valid_from"])
    validity = certificate["status"]
    if validity == "valid":
        if end is not None and end <= now:
            validity = "expired"
        elif start is not None and start > now:
            validity = "not-begun"
    days = (end - now).days if end is not None and end > now else None
    return certificate | {"validity": validity, "days_left": days}
