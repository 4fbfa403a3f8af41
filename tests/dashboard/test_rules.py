"""Pages of rules and proof beside policies: zones, residency, decisions, drift, exemptions, evidence."""

import html
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from controlplane.audit import evidence_log, exports, log_key
from controlplane.audit.models import EvidenceRecord
from controlplane.compliance.models import RemediationPlan
from controlplane.compute.models import Instance
from controlplane.dashboard.views.compliance.evidence import EXPORTERS, EXPORTING_DUTY, leads_to_root
from controlplane.identity.authorization_rules import TABLE
from controlplane.identity.models import User
from controlplane.identity.services import user_create
from controlplane.kernel import clock
from controlplane.placement.models import Exemption
from controlplane.placement.policies import policy_set
from controlplane.reconcilers import compliance_drift, remediation
from tests import facts
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.approvers import OFFICER, OPERATOR, appoint, person
from tests.cases import in_one_cloud
from tests.dashboard.conftest import SignIn, browser_of
from tests.dashboard.sample_resources import text_of
from tests.services.audit.export_queue import ExportQueue
from tests.services.audit.receipts import record_receipts
from tests.services.compliance.test_drift import HELD, certificate
from tests.world import Cloud

WEB = {"name": "web", "flavor": "tiny", "image": "tiny"}


@pytest.fixture
def officer(signed_in: SignIn) -> Client:
    return signed_in("sovereignty_officer")


@pytest.fixture
def api(cloud: Cloud) -> Caller:
    return Caller(token="alpha", project="alpha")


def certified(status: str) -> None:
    facts.state_of("zone", "fr-idf-1", {"certifications": [certificate(days=1000, status=status)]})


def test_zone_shows_its_facts_and_review_dates(member: Client, cloud: Cloud) -> None:
    facts.state_of("zone", "fr-idf-1", {"keys.custody": "customer_byok", "location.territory": "FR"})
    certified("suspended")
    assert b"fr-idf-1" in member.get("/zones").content
    assert b"No zone matches the filters." in member.get("/zones?region=nowhere").content
    page = member.get("/zones/fr-idf-1").content.decode()
    for words in ("customer-supplied (BYOK)", "suspended", "SNC-1", "Review due", '<rect class="warn"'):
        assert words in page, words
    assert member.get("/zones/nowhere").status_code == 404


def test_lost_certificate_preview_lists_drift(officer: Client, api: Caller, cloud: Cloud) -> None:
    instance = finish(api.post("instances", WEB))["id"]
    certified("valid")
    assert b"No drift" in officer.get("/zones/fr-idf-1/what-if?number=SNC-1").content
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    page = officer.get("/zones/fr-idf-1/what-if?number=SNC-1").content.decode()
    assert f"/residency/{instance}" in page and "the certificate is withdrawn" in page and ">alpha</a>" in page
    assert officer.get("/zones/fr-idf-1/what-if?number=none").status_code == 400


@pytest.mark.parametrize(
    "url",
    [
        "/parties",
        "/sets",
        "/transparency/jurisdictions",
        "/transparency/transfers",
        "/classifications",
        "/proposals",
        "/residency",
        "/drift",
        "/drift/images",
        "/exemptions",
        "/officer-keys",
        "/evidence",
    ],
)
def test_empty_pages_are_rendered(url: str, signed_in: SignIn) -> None:
    assert signed_in("viewer").get(url).status_code == 200


@in_one_cloud(
    ("url", "words"),
    [
        ("/parties", "No parties yet"),
        ("/sets", "No named sets yet"),
        ("/classifications", "An organization creates its own"),
        ("/platform/organizations?name=nobody", "No organization matches the filters."),
        ("/evidence", "The first one is signed within a minute of the first record."),
    ],
)
def test_empty_pages_explain_their_content(url: str, words: str, signed_in: SignIn, cloud: Cloud) -> None:
    assert words in text_of(signed_in("operator").get(url))


def test_residency_shows_zones_and_decisions(officer: Client, api: Caller, cloud: Cloud, home: str) -> None:
    instance = finish(api.post("instances", WEB))["id"]
    record_receipts(cloud.machine)
    assert officer.get(f"/residency?resource={instance}")["Location"] == f"/residency/{instance}"
    page = officer.get(f"/residency/{instance}").content.decode()
    assert "proven" in page and "/zones/fr-idf-1" in page
    assert '<span translate="no">web</span>' in page and instance in page
    decision = EvidenceRecord.objects.filter(kind="decision", resource_id=instance).first()
    assert decision is not None
    url = next(part.split('"')[0] for part in page.split('href="') if "/decisions/" in part)
    assert url.startswith(f"{home}/decisions/")
    assert b"The request can be placed in: fr-idf-1." in officer.get(url).content


def test_data_of_other_tenants_is_hidden(signed_in: SignIn, api: Caller, cloud: Cloud) -> None:

    instance = finish(api.post("instances", WEB))["id"]
    stranger = browser_of(user_create(email="stranger@people.example"))
    for url in (f"/residency/{instance}", "/residency", "/drift", "/evidence"):
        answer = stranger.get(url)
        assert answer.status_code in (200, 403, 404)
        assert b"fr-idf-1" not in answer.content, url


def test_drift_shows_clauses_and_a_plan_to_approve(
    officer: Client, member: Client, api: Caller, cloud: Cloud, home: str
) -> None:
    instance = finish(api.post("instances", WEB))["id"]
    certified("valid")
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    compliance_drift.reconcile()
    for url in ("/drift", "/residency"):
        named = f'href="/residency/{instance}" title="{instance}" translate="no">web</a>'
        assert named in officer.get(url).content.decode(), url
    assert b"No drift matches the filters" in officer.get("/drift?state=drifted").content
    certified("suspended")
    compliance_drift.reconcile()
    page = officer.get("/drift?state=drifted").content
    assert b"the certificate is suspended" in page and b"drifted" in page
    plan = RemediationPlan.objects.get()
    assert b"waiting for approval" in member.get(f"{home}/remediation").content
    member.post(f"{home}/remediation/{plan.pk}/approve", {"next": f"{home}/remediation"})
    plan.refresh_from_db()
    assert plan.state == "approved"


def test_plan_is_executed_and_paused_with_buttons_that_succeed(
    member: Client, signed_in: SignIn, api: Caller, cloud: Cloud, home: str
) -> None:
    finish(api.post("instances", WEB))
    certified("valid")
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    certified("suspended")
    compliance_drift.reconcile()
    plan, url = RemediationPlan.objects.get(), f"{home}/remediation"

    def buttons(client: Client) -> list[str]:
        page = client.get(url).content.decode()
        return [name for name in ("approve", "execute", "pause") if f'action="{url}/{plan.pk}/{name}"' in page]

    assert buttons(member) == ["approve"]
    member.post(f"{url}/{plan.pk}/approve", {"next": url})
    assert buttons(member) == ["execute"]
    assert b"waiting" in member.get(url).content
    member.post(f"{url}/{plan.pk}/execute", {"next": url})
    assert buttons(member) == ["pause"]
    remediation.reconcile()
    page = member.get(url).content.decode()
    assert "being carried out" in page and "Stop it, and it is relocated" in page
    assert "arrêtez" in member.get(url, headers={"Accept-Language": "fr"}).content.decode().lower()
    member.post(f"{url}/{plan.pk}/pause", {"next": url})
    page = member.get(url).content.decode()
    assert buttons(member) == ["execute"] and "Resume" in page and "paused" in page
    viewer = signed_in("viewer")
    assert viewer.post(f"{url}/{plan.pk}/execute").status_code in (302, 403)
    plan.refresh_from_db()
    assert plan.execution == "paused"


def test_deleted_resource_is_shown_by_id(officer: Client, api: Caller, cloud: Cloud) -> None:
    instance = finish(api.post("instances", WEB))["id"]
    compliance_drift.reconcile()
    Instance.objects.update(state="deleted")
    page = officer.get("/drift").content.decode()
    assert f'href="/residency/{instance}" translate="no">{instance}</a>' in page and ">web</a>" not in page
    assert f'<code translate="no">{instance}</code>' in officer.get(f"/residency/{instance}").content.decode()


def test_refused_decision_links_to_an_exemption_request(
    signed_in: SignIn, member: Client, api: Caller, cloud: Cloud, home: str
) -> None:
    officer = signed_in("sovereignty_officer")
    certified("suspended")
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    decision = api.post("instances", WEB).body["placement_decision"]
    page = member.get(f"{home}/decisions/{decision}").content
    assert b"the certificate is suspended" in page and b"/new-exemption?decision=" in page
    fields = {"decision": decision, "zone": "fr-idf-1", "reason": "the flood", "hours": "4", "max_uses": "1"}
    wrong = member.post("/new-exemption", {**fields, "zone": "nowhere"})
    assert b'class="errorlist"' in wrong.content and b"the flood" in wrong.content
    created = member.post("/new-exemption", fields)
    exemption = Exemption.objects.get()
    assert created["Location"] == f"/exemptions/{exemption.pk}"
    terms = officer.get(created["Location"]).content.decode()
    assert f"andromede exemption terms {exemption.pk} --duty sovereignty_officer" in terms
    unsigned = {"duty": "sovereignty_officer", "key_id": "none", "signature": "AAAA"}
    refused = officer.post(created["Location"], unsigned).content
    assert b"There is no officer key" in refused and b"AAAA" in refused
    assert b"waiting for signatures" in member.get("/exemptions").content


def test_two_approvers_sign_the_terms_on_the_page(signed_in: SignIn, member: Client, api: Caller, cloud: Cloud) -> None:
    certified("suspended")
    policy_set(cloud.tenant.actor, clauses=[HELD], project=cloud.tenant.project)
    decision = api.post("instances", WEB).body["placement_decision"]
    fields = {"decision": decision, "zone": "fr-idf-1", "reason": "the flood", "hours": "4", "max_uses": "1"}
    page = member.post("/new-exemption", fields)["Location"]
    organization = cloud.tenant.project.organization_id
    for role, duty, rights in (
        ("sovereignty_officer", OFFICER, {"role": OFFICER, "organization_id": organization}),
        ("operator", OPERATOR, {"role": "operator", "is_operator": True}),
    ):
        browser = signed_in(role)
        account = User.objects.get(email=f"{role.replace('_', '-')}@people.example")
        signer = person(role, user_id=account.pk, **rights)
        appoint(cloud.world.root, {signer: duty})
        shown = re.search(
            rf"<h3>[^<]*</h3><pre[^>]*>([^<]*)</pre>\s*<pre[^>]*>[^<]*--duty {duty} ",
            browser.get(page).content.decode(),
        )
        assert shown is not None
        signature = b64encode(signer.key.sign(html.unescape(shown[1]).encode())).decode()
        approval = {"duty": duty, "key_id": signer.key_id, "signature": f"{signature[:40]}\r\n{signature[40:]}"}
        assert browser.post(page, approval)["Location"] == page, duty
        assert b"Signature accepted." in browser.get(page).content
    signed = text_of(member.get(page))
    assert "Sovereignty officer –" in signed and "Duty operator –" in signed
    assert b"waiting for signatures" not in member.get("/exemptions").content
    finish(api.post("instances", WEB | {"exemption": str(Exemption.objects.get().pk)}))


def test_operator_adds_and_revokes_an_officer_key(signed_in: SignIn, member: Client) -> None:
    operator = signed_in("operator")
    key = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    wrong = operator.post("/new-officer-key", {"officer": "Ada Martin", "public_key": "no key"})
    assert b'class="errorlist"' in wrong.content
    assert (
        operator.post("/new-officer-key", {"officer": "Ada Martin", "public_key": key})["Location"] == "/officer-keys"
    )
    page = operator.get("/officer-keys?officer=Ada+Martin").content.decode()
    revoke = next(part.split('"')[0] for part in page.split('href="') if "/revoke" in part)
    assert "/revoke" not in member.get("/officer-keys").content.decode()
    assert b"This cannot be undone." in operator.get(revoke).content
    operator.post(revoke)
    assert b"revoked" in operator.get("/officer-keys?officer=Ada+Martin").content


def test_evidence_export_is_requested_and_downloaded(
    officer: Client, member: Client, cloud: Cloud, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"
    log_key.create_log_key(settings.PKI_DIR)
    maker = ExportQueue()
    monkeypatch.setattr(exports, "send_wakeup", maker.send_wakeup)
    organization, today = str(cloud.tenant.project.organization_id), clock.now().date()
    fields = {"organization": organization, "first": today - timedelta(days=1), "last": today + timedelta(days=1)}
    begun = officer.get("/evidence/new-export", headers={"accept-language": "fr"}).content.decode()
    assert f'name="last" value="{today}"' in begun
    late = officer.post("/evidence/new-export", fields).content.decode()
    assert 'class="errorlist"' in late[late.index('for="id_last"') :]
    answer = officer.post("/evidence/new-export", {**fields, "last": today})
    assert answer.status_code == 302
    assert b"verify.py" in officer.get(answer["Location"]).content
    exports.make_all()
    assert b"Download" in officer.get(answer["Location"]).content
    file = officer.get(f"{answer['Location']}/file")
    assert file["Content-Type"] == "application/x-tar"
    assert b"verify.py" in b"".join(file.streaming_content)
    assert member.get(f"{answer['Location']}/file").status_code == 403


@pytest.mark.parametrize("role", ["owner", "sovereignty_officer", "auditor"])
def test_exporter_can_request_an_export(signed_in: SignIn, cloud: Cloud, role: str) -> None:
    browser = signed_in(role)
    assert '<a class="button" href="/evidence/new-export">' in browser.get("/evidence").content.decode()
    organization, today = str(cloud.tenant.project.organization_id), clock.now().date()
    begun = browser.get("/evidence/new-export").content.decode()
    assert f'<option value="{organization}">' in begun and 'aria-disabled="true"' not in begun
    fields = {"organization": organization, "first": today - timedelta(days=1), "last": today}
    assert browser.post("/evidence/new-export", fields).status_code == 302


@pytest.mark.parametrize("role", ["operator", "admin", "member", "viewer"])
def test_member_without_export_permission_gets_a_contact(signed_in: SignIn, cloud: Cloud, role: str) -> None:
    browser = signed_in(role)
    reason = "You cannot export evidence. Contact an owner or a sovereignty officer of the organization"
    for url in ("/evidence", "/evidence/new-export"):
        html = browser.get(url).content.decode()
        assert f'type="button" aria-disabled="true" title="{reason}' in html, url
    assert 'href="/evidence/new-export"' not in browser.get("/evidence").content.decode()
    assert reason in text_of(browser.get("/evidence/new-export"))


def test_export_roles_of_the_pages_agree_with_authorization() -> None:
    assert {*EXPORTERS, EXPORTING_DUTY} == TABLE["evidence_export_create"].roles


@pytest.fixture
def log(settings: Settings, api: Caller) -> Callable[[str], None]:
    """Makes an instance of this name, and then a checkpoint of all that is on record."""
    log_key.create_log_key(settings.PKI_DIR)

    def grow(name: str) -> None:
        finish(api.post("instances", WEB | {"name": name}))
        evidence_log.sequence()
        evidence_log.checkpoint()

    return grow


def test_inclusion_proof_is_verified(officer: Client, log: Callable[[str], None], cloud: Cloud) -> None:
    log("web")
    record = EvidenceRecord.objects.filter(kind="decision").latest("created_at")
    page = officer.get(f"/evidence/records/{record.pk}")
    assert "yield the root of the checkpoint" in text_of(page)
    proof, checkpoint = page.context["proof"], page.context["checkpoint"]
    assert leads_to_root(proof, checkpoint)
    assert not leads_to_root({**proof, "hashes": proof["hashes"][:-1]}, checkpoint)
    assert not leads_to_root({**proof, "leaf_hash": proof["hashes"][0]}, checkpoint)


def test_kept_checkpoint_is_compared_with_the_log(officer: Client, log: Callable[[str], None], cloud: Cloud) -> None:
    log("web")
    note = officer.get("/evidence").context["checkpoint"]["note"]
    log("more")
    origin, size, root, *rest = note.split("\n")

    def growth_of(*lines: str) -> str:
        return text_of(officer.post("/evidence/growth", {"note": "\r\n".join(lines)}))

    newest = officer.get("/evidence").context["checkpoint"]
    assert newest["size"] > int(size)
    grown = growth_of(origin, size, root, *rest)
    assert (
        f"Its {newest['size']} records begin with the {size} records of your checkpoint." in grown
        and newest["root"] in grown
    )
    for forged in (
        (origin, size, newest["root"]),
        (origin, str(newest["size"] + 1), newest["root"]),
        (origin, str(int(size) - 1), root),
        ("another.example/log", size, root),
    ):
        assert "The log does not extend your checkpoint" in growth_of(*forged, *rest), forged
    assert "Invalid checkpoint" in growth_of(origin, size, root)
    assert "The log is consistent" in growth_of(origin, str(newest["size"]), newest["root"], *rest)
