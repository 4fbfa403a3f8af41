"""Real Terraform, with the toy provider or ours."""

from pathlib import Path

import pytest

from tests.terraform.workspace import Installation, Workspace


@pytest.fixture(scope="session")
def toy_installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("toy"), "toy", "tests.terraform.toy.provider").make()


@pytest.fixture
def toy(tmp_path: Path, toy_installation: Installation) -> Workspace:
    """The toy's cloud is the folder `cloud`."""
    (tmp_path / "cloud").mkdir()
    (tmp_path / "tf").mkdir()
    return Workspace(tmp_path / "tf", toy_installation, {"TOY_DIR": str(tmp_path / "cloud")})


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    return tmp_path / "cloud"
