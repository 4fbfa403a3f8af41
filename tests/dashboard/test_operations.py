"""Operations of a project: running, ended, retried, and tried now."""

from datetime import timedelta

import pytest
from django.test import Client

from controlplane.kernel import clock
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from tests.dashboard.sample_resources import INSTANCE, finish_all, make_instance, text_of
from tests.world import Cloud, run


@pytest.fixture
def operation(member: Client, home: str) -> Operation:
    assert member.post(f"{home}/instances/create", INSTANCE).status_code == 302
    return Operation.objects.get()


def test_cancelled_operation_is_retried(member: Client, home: str, cloud: Cloud, operation: Operation) -> None:
    operation_cancel(cloud.tenant.actor, operation)
    run(operation)
    url = f"{home}/activity/{operation.pk}"
    assert "Retry" in text_of(member.get(url))
    answer = member.post(f"{url}/retry")
    retry = Operation.objects.get(retry_of=operation.pk)
    assert answer["Location"] == f"{home}/activity/{retry.pk}"
    page = member.get(answer["Location"]).content.decode()
    assert "Retry started." in page and f'href="{url}"' in page
    page = member.get(url).content.decode()
    assert f'href="{home}/activity/{retry.pk}"' in page and "Retry" not in page


def test_operation_that_cannot_be_retried_has_a_reason(member: Client, home: str, operation: Operation) -> None:
    run(operation)
    url = f"{home}/activity/{operation.pk}"
    assert "Retry" not in text_of(member.get(url))
    assert member.post(f"{url}/retry")["Location"] == url
    assert "cannot be retried: " in text_of(member.get(url))


def test_waiting_operation_is_run_now(member: Client, home: str, operation: Operation) -> None:
    waiting = [{"name": "place", "state": "retrying", "attempts": 3, "message": "No node answers."}]
    Operation.objects.update(due_at=clock.now() + timedelta(hours=1), state="running", steps=waiting)
    url = f"{home}/activity/{operation.pk}"
    assert "Run now" in text_of(member.get(url))
    assert member.post(f"{url}/retry")["Location"] == url
    assert "Operation scheduled to run now." in text_of(member.get(url))
    assert Operation.objects.get().due_at <= clock.now()


def test_activity_keeps_the_names_of_deleted_resources(cloud: Cloud, member: Client, home: str) -> None:
    instance = make_instance(member, home)
    member.post(f"{home}/instances/{instance.pk}/delete", {"name": "web"})
    finish_all()
    text = text_of(member.get(f"{home}/activity"))
    assert "Delete instance: web succeeded" in text
    assert "Create instance: web succeeded" in text
    operation = Operation.objects.get(kind="instance.delete")
    assert "Delete instance: web" in text_of(member.get(f"{home}/activity/{operation.pk}"))


def test_operation_without_a_stored_name_shows_the_id(cloud: Cloud, member: Client, home: str) -> None:
    instance = make_instance(member, home)
    Operation.objects.update(resource_name="")
    end = str(instance.pk)[-12:]
    assert f"Create instance: …{end} succeeded" in text_of(member.get(f"{home}/activity"))
    operation = Operation.objects.get()
    page = member.get(f"{home}/activity/{operation.pk}")
    assert f"Create instance: …{end}" in text_of(page)
    assert str(instance.pk) in text_of(page)


def test_last_error_of_a_step_is_shown(member: Client, home: str, operation: Operation) -> None:
    tries = [
        {
            "state": "retrying",
            "message": "The signer is silent.",
            "times": 3,
            "first_at": "2026-01-01T08:00:00+00:00",
            "last_at": "2026-01-01T08:01:00+00:00",
        }
    ]
    Operation.objects.update(steps=[{"name": "image", "state": "done", "attempts": 4, "tries": tries}])
    page = text_of(member.get(f"{home}/activity/{operation.pk}"))
    assert "Last error The signer is silent. 3 times" in page
