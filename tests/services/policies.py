"""What the tests of policies are made of: people with duties, the shipped classifications, the facts of the sample."""

import json
from typing import Any

from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import Project
from controlplane.identity.services import membership_set, user_create
from controlplane.placement import classifications, policies
from controlplane.placement.classifications import classifications_import
from controlplane.placement.management.commands.import_classifications import SHIPPED
from controlplane.placement.models import Classification
from tests.facts import import_sample

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
    """A sovereignty officer of the project's organization."""
    user = user_create(email=f"{name}@{project.organization.name}.example")
    membership_set(project.organization, user=user, role="sovereignty_officer")
    return Actor(user.pk, None, project.pk, "sovereignty_officer", organization_id=project.organization_id)


def operator(name: str = "oscar") -> Actor:
    user = user_create(email=f"{name}@platform.example", is_operator=True)
    return Actor(user.pk, None, None, "owner", is_operator=True)


def shipped() -> Any:
    return json.loads(SHIPPED.read_text())


def import_all() -> None:
    """The facts of the sample catalogue, and the classifications."""
    import_sample()
    classifications_import(SYSTEM, shipped())


def classify(name: str, atoms: list[Any], project: Project) -> Classification:
    """A classification of the project's organization."""
    new = classifications.NewClassification(name=name, title=name, title_fr=name, atoms=atoms)
    return classifications.classification_create(officer(project, f"maker-of-{name}"), project.organization, new)


def ruled(project: Project, *atoms: Any, at: str = "project") -> policies.Outcome:
    """The project, or its organization, demands this."""
    owner = {"project": project} if at == "project" else {"organization": project.organization}
    return policies.policy_set(SYSTEM, atoms=list(atoms), **owner)  # type: ignore[arg-type]
