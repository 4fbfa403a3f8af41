"""The real Terraform keeps its state here: written, locked, unlocked, gone back to."""

import json
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from controlplane.terraform.models import TerraformState, TerraformStateVersion
from tests.terraform.terraform import Terraform
from tests.world import make_tenant

CONFIGURATION = """
terraform {
  backend "http" {}
}
resource "terraform_data" "thing" {
  input = "%s"
}
"""
LOCK = {"ID": "of-another", "Operation": "OperationTypeApply", "Who": "bob@desk"}


@pytest.fixture
def served(settings: Settings, transactional_db: None, request: pytest.FixtureRequest) -> str:
    """The API's URL."""
    settings.STATIC_URL = "/static/"  # what pytest-django's server does not work without
    server: LiveServer = request.getfixturevalue("live_server")
    return str(server.url)


@pytest.fixture
def terraform(served: str, tmp_path: Path) -> Terraform:
    make_tenant("alpha")
    address = f"{served}/v1/projects/alpha/terraform-states/prod"
    settings = {
        "TF_HTTP_ADDRESS": address,
        "TF_HTTP_LOCK_ADDRESS": f"{address}/actions/lock",
        "TF_HTTP_LOCK_METHOD": "POST",
        "TF_HTTP_UNLOCK_ADDRESS": f"{address}/actions/unlock",
        "TF_HTTP_UNLOCK_METHOD": "POST",
        "TF_HTTP_USERNAME": "token",
        "TF_HTTP_PASSWORD": "alpha",
        "TF_HTTP_RETRY_MAX": "0",
    }
    created = Terraform(tmp_path, settings)
    created.write(CONFIGURATION % "first")
    created.run("init")
    return created


def test_state_is_written_under_a_lock_and_read_back(terraform: Terraform) -> None:
    terraform.run("apply", "-auto-approve")
    state = TerraformState.objects.get()
    assert (state.name, state.lock) == ("prod", None)
    assert not list(terraform.folder.glob("terraform.tfstate"))
    assert "No changes" in terraform.run("plan", "-detailed-exitcode")
    terraform.write(CONFIGURATION % "second")
    terraform.run("plan", "-detailed-exitcode", expected=2)
    terraform.run("apply", "-auto-approve")
    [resource] = json.loads(terraform.run("state", "pull"))["resources"]
    assert resource["instances"][0]["attributes"]["input"]["value"] == "second"
    terraform.run("destroy", "-auto-approve")
    assert json.loads(terraform.run("state", "pull"))["resources"] == []
    assert TerraformStateVersion.objects.count() > 2


def test_lock_of_another_is_reported_and_can_be_forced(terraform: Terraform) -> None:
    terraform.run("apply", "-auto-approve")
    TerraformState.objects.update(lock=LOCK, locked_at=TerraformState.objects.get().created_at)
    output = terraform.run("apply", "-auto-approve", "-replace=terraform_data.thing", expected=1)
    assert "bob@desk" in output and "of-another" in output
    terraform.run("force-unlock", "-force", "of-another")
    terraform.run("apply", "-auto-approve")


@pytest.mark.nightly
def test_a_wrong_token_is_refused(terraform: Terraform) -> None:
    stranger = Terraform(terraform.folder, terraform.settings | {"TF_HTTP_PASSWORD": "nobody"})
    assert "requires auth" in stranger.run("init", "-reconfigure", expected=1)
