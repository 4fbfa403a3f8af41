"""Terraform states over the API; tests/terraform shows them under the real Terraform."""

import base64
import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.reconcilers import quota_drift
from controlplane.terraform import states
from controlplane.terraform.models import TerraformState, TerraformStateVersion
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.world import Cloud

LOCK = {"ID": "lock-1", "Operation": "OperationTypeApply", "Who": "ada@desk", "Created": "2026-05-01T12:00:00Z"}
OTHER = {"ID": "lock-2", "Who": "bob@desk"}
PATH = "terraform-states/prod"


def state(serial: int = 1, **more: object) -> dict[str, Any]:
    return {"version": 4, "serial": serial, "lineage": "one", "outputs": {}, "resources": [], **more}


def test_state_is_written_read_and_encrypted_in_the_database(api: Caller, cloud: Cloud) -> None:
    assert api.get(PATH).problem == (404, "terraform.state.not_found", None)
    written = state(outputs={"password": {"value": "hunter2-secret"}})
    answer = api.post(PATH, written)
    assert (answer.status, answer.body["number"], answer.body["serial"]) == (200, 1, 1)
    assert api.get(PATH).body == written
    ciphertext = bytes(TerraformStateVersion.objects.get().encrypted_content)
    assert b"hunter2" not in ciphertext and b"serial" not in ciphertext
    assert [each["name"] for each in api.get("terraform-states").body["items"]] == ["prod"]


def test_state_is_decrypted_by_an_earlier_key_and_no_other(api: Caller, cloud: Cloud, settings: Settings) -> None:
    api.post(PATH, state())
    earlier, settings.SECRET_KEY = settings.SECRET_KEY, "another-key-of-a-good-length-that-nobody-guesses"
    assert api.get(PATH).problem == (500, "terraform.state.unreadable", None)
    settings.SECRET_KEY_FALLBACKS = [earlier]
    assert api.get(PATH).body == state()


def test_version_cannot_replace_another_one(api: Caller, cloud: Cloud) -> None:
    api.post(PATH, state(1))
    api.post(PATH, state(2))
    first, second = TerraformStateVersion.objects.order_by("number")
    TerraformStateVersion.objects.filter(pk=second.pk).update(encrypted_content=first.encrypted_content)
    assert api.get(PATH).problem == (500, "terraform.state.unreadable", None)


def test_lock_excludes_others_and_names_its_holder(api: Caller, cloud: Cloud) -> None:
    assert api.post(f"{PATH}/actions/lock", LOCK).status == 200
    assert api.post(f"{PATH}/actions/lock", LOCK).status == 200
    refused = api.post(f"{PATH}/actions/lock", OTHER)
    assert refused.problem == (423, "terraform.state.locked", None)
    assert {name: refused.body[name] for name in LOCK} == LOCK
    assert api.post(PATH, state()).status == 423
    assert api.post(f"{PATH}?ID=lock-2", state()).status == 423
    assert api.delete(PATH).status == 423
    assert api.post(f"{PATH}?ID=lock-1", state()).status == 200
    assert api.post(f"{PATH}/actions/unlock", OTHER).status == 423
    assert api.post(f"{PATH}/actions/unlock", {"ID": "lock-1"}).body["lock"] is None
    assert api.post(f"{PATH}/actions/unlock", {"ID": "lock-1"}).status == 200
    assert api.post(f"{PATH}?ID=lock-1", state(2)).problem == (409, "terraform.state.not_locked", None)


def test_an_unlock_without_an_id_ends_any_lock_and_is_recorded(api: Caller, cloud: Cloud) -> None:
    api.post(f"{PATH}/actions/lock", LOCK)
    assert api.post(f"{PATH}/actions/unlock", {}).body["lock"] is None
    assert AuditEntry.objects.get(verb="terraform_state.force_unlock").facts == {"lock_id": "lock-1"}


def test_earlier_versions_are_kept_up_to_a_number(api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "VERSIONS_KEPT", 3)
    for serial in range(1, 6):
        api.post(PATH, state(serial))
    assert [each["number"] for each in api.get(f"{PATH}/versions").body["items"]] == [5, 4, 3]
    assert api.get(f"{PATH}/versions/3").body == state(3)
    assert api.get(f"{PATH}/versions/2").problem == (404, "terraform.state.version_not_found", None)
    assert api.get(f"{PATH}/versions/x").problem[:2] == (400, "terraform.state.malformed")


def test_a_repeated_write_under_one_key_is_one_version(api: Caller, cloud: Cloud) -> None:
    key = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    large = state(outputs={"data": {"value": "x" * 2 * 2**20}})  # more than a body that is a document may have
    assert [api.post(PATH, large, **key).body["number"] for _ in range(2)] == [1, 1]
    assert api.get(PATH).body == large
    assert api.post(PATH, state(2), **key).problem[:2] == (422, "idempotency_key_reused")


def test_a_state_is_deleted_with_all_versions(api: Caller, cloud: Cloud) -> None:
    api.post(PATH, state())
    assert api.delete(PATH).status == 204
    assert not TerraformState.objects.exists() and not TerraformStateVersion.objects.exists()


@in_one_cloud("body", ["no json", "[]", '{"version": 4}', '{"serial": -1}', '{"serial": true}', "[" * 9999])
def test_malformed_state_is_refused(api: Caller, cloud: Cloud, body: str) -> None:
    answer = api.send("POST", PATH, body.encode(), content_type="application/json")
    assert answer.problem[:2] == (400, "terraform.state.malformed")


def test_state_name_size_and_number_are_limited(api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.post("terraform-states/No", state()).problem[:2] == (400, "invalid_name")
    large = b" " * (states.STATE_MAX_BYTES + 1)
    assert api.send("POST", PATH, large, content_type="application/json").problem[:2] == (413, "body_too_large")
    monkeypatch.setattr(states, "STATES_MAX", 1)
    assert api.post(PATH, state()).status == 200
    assert api.post("terraform-states/second", state()).problem[:2] == (409, "terraform.state.too_many")


def test_role_that_cannot_write_cannot_read_a_state(api: Caller, viewer: Caller) -> None:
    api.post(PATH, state())
    assert viewer.get(PATH).problem[:2] == (403, "identity.role_needed")
    assert viewer.get(f"{PATH}/versions/1").problem[:2] == (403, "identity.role_needed")
    assert viewer.get("terraform-states").status == 200


def test_the_token_may_be_a_basic_password(api: Caller, cloud: Cloud) -> None:
    def status(credentials: str) -> int:
        sent = base64.b64encode(credentials.encode()).decode()
        return Client().get("/v1/projects/alpha/networks", headers={"Authorization": f"Basic {sent}"}).status_code

    assert status(f"anybody:{api.token}") == 200
    assert status(f"{api.token}:") == 401
    assert status(str(api.token)) == 401
    assert Client().get("/v1/projects", headers={"Authorization": "Basic %%%"}).status_code == 401


def test_terraform_finds_the_registry(db: None) -> None:
    assert json.loads(Client().get("/.well-known/terraform.json").content) == {
        "providers.v1": "/v1/terraform/providers/"
    }


def test_state_quota_counts_bytes_and_refuses_a_larger_state(api: Caller, cloud: Cloud) -> None:
    Quota.objects.create(project=cloud.tenant.project, dimension="state_mib", limit=2)
    large = state(outputs={"text": {"value": "x" * 2**20}})
    assert api.post(PATH, state()).status == 200
    assert api.post(PATH, large).status == 200
    refused = api.post(PATH, large | {"serial": 2})
    assert refused.problem == (409, "quota_exceeded", None)
    assert (refused.body["facts"]["dimension"], refused.body["facts"]["limit"]) == ("state_mib", 2)
    assert api.post("terraform-states/other", state()).problem == (409, "quota_exceeded", None)
    assert TerraformStateVersion.objects.count() == 2 and not TerraformState.objects.filter(name="other").exists()
    limits = {each["dimension"]: each["used"] for each in api.get("limits").body["items"]}
    assert limits["state_mib"] == 2
    assert quota_drift.reconcile() == []
    TerraformStateVersion.objects.filter(number=2).delete()
    assert [dimension for _, dimension in quota_drift.reconcile()] == ["state_mib"]
    assert api.delete(PATH).status == 204
    assert not QuotaUse.objects.filter(dimension="state_mib").exists()
