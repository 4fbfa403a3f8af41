"""Rules of maintenance, made by operators and read by everybody."""

import pytest
from django.test import Client

from controlplane.operations.models import MaintenanceRule
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import INSTANCE, errors_of, text_of
from tests.world import Cloud

URL = "/platform/maintenance"
RULE = {"kind": "*", "action": "reject", "reason": "new switches", "begins_in": "0", "lasts": "2"}


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


def test_rule_is_created_announced_to_tenants_and_ended(
    operator: Client, member: Client, home: str, cloud: Cloud
) -> None:
    assert "No maintenance rules" in text_of(operator.get(URL))
    assert operator.post(f"{URL}/new", RULE)["Location"] == URL
    created = MaintenanceRule.objects.get()
    assert (created.ends_at - created.begins_at).total_seconds() == 7200
    page = text_of(operator.get(URL))
    assert "All operations reject" in page and "new switches" in page
    banner = text_of(member.get(f"{home}/instances"))
    assert "Maintenance – All operations – reject – new switches" in banner
    refused = member.post(f"{home}/instances/create", INSTANCE)
    assert refused.status_code == 200 and "instance.create: new switches" in text_of(refused)
    operator.post(f"{URL}/{created.pk}/end", {"next": URL})
    assert "ended" in text_of(operator.get(URL))
    assert member.post(f"{home}/instances/create", INSTANCE).status_code == 302


def test_invalid_rule_has_an_error_at_its_field(operator: Client, cloud: Cloud) -> None:
    answer = operator.post(f"{URL}/new", {**RULE, "node": "nobody"})
    assert "nobody" in errors_of(answer, "node")
    assert not MaintenanceRule.objects.exists()


def test_other_platform_roles_read_rules_and_change_nothing(signed_in: SignIn, operator: Client, cloud: Cloud) -> None:
    operator.post(f"{URL}/new", RULE)
    support = signed_in("support")
    page = support.get(URL).content
    assert b"new switches" in page and b"End rule" not in page and b"New rule" not in page
    support.post(f"{URL}/{MaintenanceRule.objects.get().pk}/end")
    assert operator.get(URL).content.count(b"End rule") == 2
