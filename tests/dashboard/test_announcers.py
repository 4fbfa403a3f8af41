"""The page of announcers."""

from django.test import Client

from controlplane.announcers.models import Announcer
from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.world import Cloud

URL = "/platform/announcers"


def test_empty_list_explains_creation(signed_in: SignIn, cloud: Cloud) -> None:
    operator = signed_in("operator")
    page = operator.get(URL)
    assert "No announcers yet" in text_of(page) and b"andromede announcer create" in page.content
    assert "No announcer in this zone" in text_of(operator.get(f"{URL}?zone=fr-idf-1"))


def test_list_is_for_platform_roles(signed_in: SignIn, member: Client, cloud: Cloud) -> None:
    assert signed_in("support").get(URL).status_code == 200
    assert member.get(URL).status_code == 403
    assert f'href="{URL}"'.encode() not in member.get("/").content


def test_list_shows_the_state_of_each_announcer(signed_in: SignIn, cloud: Cloud) -> None:
    now, zone = clock.now(), Zone.objects.get(pk="fr-idf-1")
    fields = {"zone": zone, "address": "10.0.7.11:7445", "certificate_expires_at": now}
    Announcer.objects.create(name="fine", last_seen_at=now, session_count=2, established_session_count=2, **fields)
    Announcer.objects.create(name="broken", last_seen_at=now, problem="bird-silent", **fields)
    Announcer.objects.create(name="fresh", zone=zone, address="10.0.7.12:7445")
    text = text_of(signed_in("operator").get(URL))
    assert "BIRD does not run" in text and "without certificate" in text and "2 / 2" in text
