"""Helpers of policy tests: people with roles, the shipped classifications, the facts of the sample."""

import json
from typing import Any

import pytest

from andromede_core.placement.decision import expand_results
from controlplane.catalog.models import Image
from controlplane.compute import services as compute
from controlplane.compute.models import Instance
from controlplane.compute.services import NewInstance, instance_create
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import Project
from controlplane.identity.services import membership_set, user_create
from controlplane.operations.models import Operation
from controlplane.placement import classifications, lineage, policies
from controlplane.placement.classifications import classifications_import
from controlplane.placement.lineage import NewData
from controlplane.placement.management.commands.import_classifications import SHIPPED
from controlplane.placement.models import Classification, Decision
from controlplane.signer import floors
from controlplane.storage.models import Volume
from controlplane.storage.services import NewVolume, volume_create
from tests.facts import import_sample
from tests.workflows.helpers import done, fresh
from tests.world import Cloud, FakeMachine, Tenant, make_image

HOME, LAX, ABROAD = "fr-idf-1", "fr-sud-1", "us-va-1"
# Clauses of the worked cases.
EU = [
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["@EU"]},
    {"id": "keyloc", "attr": "keys.countries", "op": "subset", "value": ["@EU"]},
    {"id": "logs", "attr": "logs.countries", "op": "subset", "value": ["@EU"]},
    {"id": "meta", "attr": "metadata.countries", "op": "subset", "value": ["@EU"]},
    {"id": "adm", "attr": "admin.access_from", "op": "subset", "value": ["@EU"]},
]
SNC = {"id": "snc", "op": "holds", "scheme": "SecNumCloud", "min_version": "3.2", "scope": "iaas"}


def in_zones(*zones: str, name: str = "home", **more: Any) -> list[dict[str, object]]:
    return [{"id": name, "attr": "zone.id", "op": "in", "value": list(zones), **more}]


def officer(project: Project, name: str = "olga") -> Actor:
    """Return a sovereignty officer of the project's organization."""
    user = user_create(email=f"{name}@{project.organization.name}.example")
    membership_set(project.organization, user=user, role="sovereignty_officer")
    return Actor(user.pk, None, project.pk, "sovereignty_officer", organization_id=project.organization_id)


def operator(name: str = "oscar") -> Actor:
    user = user_create(email=f"{name}@platform.example", is_operator=True)
    return Actor(user.pk, None, None, "owner", is_operator=True)


def shipped() -> Any:
    return json.loads(SHIPPED.read_text())


def import_all() -> None:
    """Import the facts of the sample catalogue, and the classifications."""
    import_sample()
    classifications_import(SYSTEM, shipped())


def classify(name: str, clauses: list[Any], project: Project) -> Classification:
    """Make a classification of the project's organization."""
    new = classifications.NewClassification(name=name, title=name, title_fr=name, clauses=clauses)
    return classifications.classification_create(officer(project, f"maker-of-{name}"), project.organization, new)


def ruled(project: Project, *clauses: Any, at: str = "project") -> policies.Outcome:
    """Set a policy of the project, or of its organization."""
    owner = {"project": project} if at == "project" else {"organization": project.organization}
    return policies.policy_set(SYSTEM, clauses=list(clauses), **owner)  # type: ignore[arg-type]


def learn(cloud: Cloud) -> None:
    """Send the facts to the nodes."""
    floors.sign_missing_floors()
    for machine in cloud.world.machines:
        machine.heartbeat()


def add_machine(cloud: Cloud, zone: str) -> FakeMachine:
    machine = cloud.world.add_machine(zone)
    learn(cloud)
    return machine


def new_instance(cloud: Cloud, tenant: Tenant | None = None, **more: Any) -> tuple[Instance, Operation]:
    who = tenant or cloud.tenant
    fields = {"name": "web", "flavor": cloud.flavor, "image": cloud.image, **more}
    return instance_create(more.pop("actor", who.actor), who.project, NewInstance(**fields))


def new_volume(cloud: Cloud, tenant: Tenant | None = None, **more: Any) -> tuple[Volume, Operation]:
    who = tenant or cloud.tenant
    fields = {"name": "data", "size_gib": 1, "volume_type": cloud.volume_type, **more}
    return volume_create(who.actor, who.project, NewVolume(**fields))


def made_instance(cloud: Cloud, tenant: Tenant | None = None, **more: Any) -> Instance:
    instance, operation = new_instance(cloud, tenant, **more)
    done(operation)
    return fresh(instance)


def made_volume(cloud: Cloud, tenant: Tenant | None = None, **more: Any) -> Volume:
    volume, operation = new_volume(cloud, tenant, **more)
    done(operation)
    return fresh(volume)


def stopped_instance(cloud: Cloud, **more: Any) -> Instance:
    instance = made_instance(cloud, **more)
    done(compute.instance_power_off(cloud.tenant.actor, instance))
    return fresh(instance)


def latest(consumer_id: Any) -> Decision:
    return Decision.objects.filter(consumer_id=consumer_id).latest("created_at")


def codes(error: pytest.ExceptionInfo[Any], zone: str) -> set[str]:
    """Return the reasons for the refusal of the zone, from the stored decision."""
    decision = Decision.objects.get(pk=error.value.facts["placement_decision"])
    return codes_of(decision, zone)


def codes_of(decision: Decision, zone: str) -> set[str]:
    results = next(each["results"] for each in expand_results(decision.document)["zones"] if each["zone"] == zone)
    return {result["code"] for result in results} - {"OK"}


def private_image(cloud: Cloud, tenant: Tenant, *names: str) -> Image:
    image = make_image(cloud.world.folder / "images", name="mine", project=tenant.project)
    lineage.record_data(NewData(image.pk, "image", tenant.project, names))
    return image
