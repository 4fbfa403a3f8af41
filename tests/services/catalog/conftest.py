"""An image store of the test's own, and a project."""

from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.identity.actor import Actor
from controlplane.identity.models import Organization, Project, User


@pytest.fixture(autouse=True)
def images_dir(tmp_path: Path, settings: Settings) -> Path:
    settings.IMAGES_DIR = tmp_path / "images"
    return tmp_path / "images"


@pytest.fixture
def project(db: None) -> Project:
    return Project.objects.create(name="alpha", organization=Organization.objects.create(name="alpha-org"))


@pytest.fixture
def member(project: Project) -> Actor:
    return Actor(User.objects.create(email="ada@alpha.example").pk, None, project.pk, "member")
