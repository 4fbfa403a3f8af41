"""Every example of the documents is run."""

from pathlib import Path

import pytest

from clients.terraform.docs import EXAMPLES, PAGES, documents
from scripts.terraform import Workspace
from tests.nightly import thinned
from tests.terraform.conftest import InProject
from tests.terraform.fake_cloud import make_image

SINGLE = sorted([*EXAMPLES.glob("*/*.tf")])
APPLICATION = EXAMPLES / "application" / "main.tf"


@pytest.mark.slow
@pytest.mark.parametrize(
    "example",
    thinned([path for path in SINGLE if path not in (APPLICATION, EXAMPLES / "resources" / "policy.tf")], keep_every=3),
    ids=lambda path: str(path.relative_to(EXAMPLES)),
)
def test_an_example_is_applied_and_changes_nothing_afterwards(wide: Workspace, example: Path, tmp_path: Path) -> None:
    tf = wide
    tf.is_debugged = "alias" not in (text := example.read_text())
    tf.variables["TF_VAR_file"] = str(make_image(tmp_path / "mine.qcow2"))
    tf.write(text).apply()
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.slow
def test_policy_example_is_applied(in_project: InProject) -> None:
    tf, api = in_project("example")
    tf.write((EXAMPLES / "resources" / "policy.tf").read_text()).apply()
    tf.assert_no_changes()
    assert {clause["id"] for clause in api.get("policy")["atoms"]} == {"home", "land"}


@pytest.mark.slow
def test_application_example_is_applied_and_destroyed(in_project: InProject) -> None:
    tf, api = in_project("application")
    tf.write(APPLICATION.read_text()).apply()
    tf.assert_no_changes()
    assert sorted(tf.outputs()["zones"]) == ["fr-idf-1", "fr-idf-2"]
    assert [volume["instance"]["name"] for volume in api.get("volumes", sort="name")["items"]] == ["web-0", "web-1"]
    assert "The policy stays in force" in tf.destroy()
    for kind in ("instances", "volumes", "networks", "affinity-groups", "ssh-keys"):
        assert api.get(kind)["items"] == []
    tf.apply()
    tf.assert_no_changes()
    tf.destroy()


def test_generated_pages_are_current() -> None:
    for path, text in documents():
        assert (PAGES / path).read_text() == text, "run make terraform-docs"
