"""What is under way and what has been, in a project."""

from django.test import Client

from controlplane.operations.models import Operation
from tests.dashboard.things import finish_all, make_instance, text_of
from tests.world import Cloud


def test_activity_is_told_by_name_also_when_the_thing_is_gone(cloud: Cloud, member: Client, home: str) -> None:
    instance = make_instance(member, home)
    member.post(f"{home}/instances/{instance.pk}/delete", {"name": "web"})
    finish_all()
    told = text_of(member.get(f"{home}/activity"))
    assert "Delete instance: web succeeded" in told
    assert "Create instance: web succeeded" in told
    operation = Operation.objects.get(kind="instance.delete")
    assert "Delete instance: web" in text_of(member.get(f"{home}/activity/{operation.pk}"))


def test_an_operation_of_before_names_were_kept_shows_the_id(cloud: Cloud, member: Client, home: str) -> None:
    instance = make_instance(member, home)
    Operation.objects.update(resource_name="")
    end = str(instance.pk)[-12:]
    assert f"Create instance: …{end} succeeded" in text_of(member.get(f"{home}/activity"))
    operation = Operation.objects.get()
    page = member.get(f"{home}/activity/{operation.pk}")
    assert f"Create instance: …{end}" in text_of(page)
    assert str(instance.pk) in text_of(page)
