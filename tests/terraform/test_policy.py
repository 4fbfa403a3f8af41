"""The policy of a project: what demands less takes two people, also for Terraform."""

import pytest

from tests.terraform.conftest import InProject
from tests.terraform.test_instances import plain

pytestmark = pytest.mark.slow

HOME = '    home = { attr = "zone.id", op = "in", value = jsonencode(["fr-idf-2", "fr-idf-1"]) }\n'
LAND = (
    '    land = { attr = "location.territory", op = "in", value = jsonencode(["FR"]), '
    'roles = ["storage", "compute"] }\n'
)
ADDRESS = "andromede_policy.it"


def policy(*clauses: str) -> str:
    return 'resource "andromede_policy" "it" {\n  atoms = {\n' + "".join(clauses) + "  }\n}\n"


def test_policy_is_created_changed_and_destroyed(in_project: InProject) -> None:
    tf, api = in_project("law")
    tf.write(policy(HOME)).apply()
    tf.assert_no_changes()
    assert tf.state()[ADDRESS]["project"] == "law"
    tf.write(policy(HOME, LAND))
    assert "updated in-place" in tf.plan()
    tf.apply()
    tf.assert_no_changes()
    assert [clause["id"] for clause in api.get("policy")["atoms"]] == ["home", "land"]
    tf.forget()
    assert "has a policy already" in tf.write(policy(HOME)).refused()
    tf.write(policy(HOME, LAND))
    tf.run("import", ADDRESS, "law")
    tf.assert_no_changes()
    tf.write(policy(LAND))
    assert "demands less than the policy in force" in plain(tf.plan())
    assert "waits for a second person" in tf.refused()
    assert set(tf.state()[ADDRESS]["atoms"]) == {"home", "land"}
    assert "The policy stays in force" in tf.destroy()
    assert tf.state() == {}
    assert len(api.get("policy")["atoms"]) == 2


@pytest.mark.nightly
def test_policy_left_by_a_destroy_is_adopted_when_equal(in_project: InProject) -> None:
    tf, api = in_project("again")
    tf.write(policy(HOME)).apply()
    assert "The policy stays in force" in tf.destroy()
    version = api.get("policy")["version"]
    tf.apply()
    assert tf.state()[ADDRESS]["version"] == version
    assert api.get("policy")["version"] == version
    tf.assert_no_changes()


def test_plan_finds_an_invalid_clause(in_project: InProject) -> None:
    tf, _ = in_project("order")
    refused = tf.write(policy(HOME.replace('"in"', '"inside"'))).refused()
    assert "placement.policy_invalid" in refused
    assert "main.tf line 2" in refused
