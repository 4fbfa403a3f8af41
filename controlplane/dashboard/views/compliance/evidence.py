"""The evidence log: latest checkpoint, records with proofs, and exports."""

import json
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from andromede_core.evidence.checkpoints import parse_head, parse_request
from andromede_core.evidence.merkle import is_consistent, is_included
from andromede_core.evidence.signed_notes import NoteError, decode, encode, parse_note
from controlplane.dashboard import clause_labels
from controlplane.dashboard.api_client import ApiError, ApiRequest
from controlplane.dashboard.base_views import FormPage, Page, Text
from controlplane.dashboard.forms import TEXT, ApiForm, id_choices
from controlplane.kernel import clock

MANY = 200
# Roles that may export (`evidence_export_create`): in the organization, or on the platform.
EXPORTERS, EXPORTING_DUTY = ("owner", "sovereignty_officer"), "auditor"
MONTH = timedelta(days=30)
DAY = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})  # the format of browsers, in every language


class EvidencePage(Page):
    """A page that links to evidence exports."""

    section = "evidence"

    def exported(self) -> list[dict[str, Any]]:
        """Return the organizations whose evidence the user may export."""
        if self.me["duty"] == EXPORTING_DUTY:
            organizations: list[dict[str, Any]] = self.api.get("organizations", limit=MANY)["items"]
            return organizations
        return [each["organization"] for each in self.me["memberships"] if each["role"] in EXPORTERS]

    def why_no_export(self) -> str:
        """Return why the user may not export; empty if allowed."""
        if self.me["duty"] == EXPORTING_DUTY or self.exported():
            return ""
        return gettext(
            "You cannot export evidence. Contact an owner or a sovereignty officer of the organization, or "
            "an auditor of the platform."
        )


class EvidenceHome(EvidencePage):
    template = "dashboard/compliance/evidence/overview.html"
    title = _("Evidence")

    def context(self) -> dict[str, Any]:
        filters = {name: self.query(name) for name in ("kind", "resource")}
        page = self.api.get("evidence", "records", **filters, page_token=self.query("page_token"))
        return {
            "records": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "kinds": clause_labels.RECORD_KINDS.items(),
            "checkpoint": self.checkpoint(),
            "obstacle": self.why_no_export(),
        }

    def checkpoint(self) -> dict[str, Any] | None:
        try:
            return read_checkpoint(str(self.api.get("evidence", "checkpoint")))
        except ApiError as exc:
            if exc.status == 404:
                return None
            raise


class Record(Page):
    """An evidence record with its verified inclusion proof."""

    template = "dashboard/compliance/evidence/record.html"
    title = _("Record")
    section = "evidence"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Evidence"), reverse("evidence"))]

    def context(self) -> dict[str, Any]:
        try:
            proof = self.api.get("evidence", "records", self.kwargs["record"], "proof")
        except ApiError as exc:
            if exc.status not in (404, 409):
                raise
            return {"record": self.kwargs["record"], "missing": exc.problem}
        checkpoint = read_checkpoint(proof["checkpoint"])
        return {
            "record": self.kwargs["record"],
            "proof": proof,
            "checkpoint": checkpoint,
            "leads_there": leads_to_root(proof, checkpoint),
            "entry": json.dumps(proof["entry"], indent=2),
        }


class GrowthForm(ApiForm):
    note = forms.CharField(
        label=_("Saved checkpoint"),
        help_text=_("The full text, from the name of the log to the last signature."),
        widget=forms.Textarea(attrs=TEXT | {"rows": 7}),
    )

    def clean_note(self) -> dict[str, Any]:
        try:
            return read_checkpoint("\n".join(self.cleaned_data["note"].split("\r\n")) + "\n")
        except NoteError as exc:
            wrong = _("Invalid checkpoint. Expected: a name, a number and a root, an empty line, and signature lines.")
            raise forms.ValidationError(wrong) from exc


class Growth(FormPage):
    """Verify that the log extends a saved checkpoint."""

    template = "dashboard/compliance/evidence/consistency.html"
    title = _("Verify the log")
    section = "evidence"
    form_class = GrowthForm
    submit = _("Compare")
    result: dict[str, Any] | None = None

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Evidence"), reverse("evidence"))]

    def context(self) -> dict[str, Any]:
        return {"result": self.result}

    def send(self, form: ApiForm) -> HttpResponse:
        old = form.cleaned_data["note"]
        self.result = {"old": old, **self.compared(old)}
        return self.render_form(form)

    def compared(self, old: dict[str, Any]) -> dict[str, Any]:
        """Compare with the latest checkpoint. A smaller log has lost records, and has no proof."""
        new = read_checkpoint(str(self.api.get("evidence", "checkpoint")))
        if old["origin"] != new["origin"] or old["size"] > new["size"]:
            return {"new": new, "has_grown": False}
        witness_request = parse_request(str(self.api.get("evidence", "witness-request", old=old["size"])))
        new = read_checkpoint(str(witness_request.note))
        roots = {"old_root": decode(old["root"]), "new_root": decode(new["root"])}
        return {"new": new, "has_grown": is_consistent(old["size"], new["size"], proof=witness_request.proof, **roots)}


class ExportForm(ApiForm):
    api_names = {"from": "first", "to": "last"}
    organization = forms.ChoiceField(label=_("Organization"))
    first = forms.DateField(label=_("First day"), widget=DAY, help_text=_("Days begin at midnight UTC."))
    last = forms.DateField(
        label=_("Last day"), widget=DAY, help_text=_("Included in the export. For today, the records until now.")
    )

    def __init__(self, *args: Any, organizations: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].choices = organizations  # type: ignore[attr-defined]


class ExportCreate(FormPage, EvidencePage):
    template = "dashboard/forms/page.html"
    title = _("Create export")
    form_class = ExportForm
    submit = _("Create export")

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Evidence"), reverse("evidence"))]

    def initial(self) -> dict[str, Any]:
        today = clock.now().date()
        return {"first": today - MONTH, "last": today, **super().initial()}

    def choices(self) -> dict[str, Any]:
        return {"organizations": id_choices(self.exported())}

    def context(self) -> dict[str, Any]:
        lead = _(
            "The export contains every record of the organization’s projects in this period, with proofs, "
            "keys and a program that verifies it offline."
        )
        return {"lead": lead, "back": reverse("evidence"), "obstacle": self.why_no_export()}

    def send(self, form: ApiForm) -> str:
        """Create the export without an Idempotency-Key: for today, a repeated form covers more seconds."""
        data = form.cleaned_data
        body = {"from": _written(_midnight(data["first"])), "to": _written(_end_of(data["last"]))}
        export = self.api.post("organizations", data["organization"], "evidence-exports", body=body)
        return reverse("export", kwargs={"export": export["id"]})


class Export(Page):
    template = "dashboard/compliance/evidence/export.html"
    title = _("Evidence export")
    section = "evidence"

    @cached_property
    def export(self) -> dict[str, Any]:
        export: dict[str, Any] = self.api.get("evidence-exports", self.kwargs["export"])
        return export

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Evidence"), reverse("evidence"))]

    def context(self) -> dict[str, Any]:
        begins, ends = (_compact(self.export[name]) for name in ("from", "to"))
        file = f"andromede-evidence-{self.export['organization']['name']}-{begins}-{ends}.tar"
        return {
            "export": self.export,
            "begins": self.export["from"],
            "ends": self.export["to"],
            "file": file,
            "is_open": self.export["state"] in ("waiting", "running"),
        }


class ExportFile(Page):
    """Download of an export's file."""

    def get(self, request: HttpRequest, **path: str) -> HttpResponseBase:  # type: ignore[override]
        return self.api.file("GET", ("evidence-exports", self.kwargs["export"], "file"), ApiRequest())


def read_checkpoint(note: str) -> dict[str, Any]:
    """Parse a signed note (C2SP tlog-checkpoint): origin, size, root and signers. Raises NoteError."""
    read = parse_note(note)
    head = parse_head(read.text)
    signers = [signature.name for signature in read.signatures]
    return {"note": note, "origin": head.origin, "size": head.size, "root": encode(head.root), "signers": signers}


def leads_to_root(proof: dict[str, Any], checkpoint: dict[str, Any]) -> bool:
    """Return whether the leaf and the proof's hashes yield the root of the checkpoint."""
    leaf, root = decode(proof["leaf_hash"]), decode(checkpoint["root"])
    path = [decode(each) for each in proof["hashes"]]
    return is_included(leaf, index=proof["leaf_index"], size=checkpoint["size"], proof=path, root=root)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _end_of(day: date) -> datetime:
    """Return the end of a day; for today, the current second."""
    now = clock.now().replace(microsecond=0)
    return now if day == now.date() else _midnight(day + timedelta(days=1))


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _compact(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
