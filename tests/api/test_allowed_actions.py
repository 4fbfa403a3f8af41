"""Allowed actions of an instance agree with its refusals, in the same words."""

from typing import Any

import pytest

from controlplane.compute.actions import STATES
from controlplane.compute.models import INSTANCE, Instance
from controlplane.storage.models import Volume
from tests.api.client import Answer, Caller
from tests.api.conftest import finish
from tests.api.snapshots import in_cluster
from tests.world import Cloud, make_flavor

WEB = {"name": "web", "flavor": "tiny", "image": "tiny"}
BODIES: dict[str, Any] = {
    "resize": {"flavor": "small"},
    "relocate": {"zone": "de-fra-1"},
    "rebuild": {"image": "tiny"},
    "snapshot": {"name": "then", "volumes": ["kept"]},
}


@pytest.fixture
def instance(api: Caller, cloud: Cloud, volume: Volume) -> Instance:
    """With the volumes `held` and `kept`, which can have snapshots, beside the volume `data`."""
    make_flavor("small", vcpus=2, memory_mib=256, disk_gib=2)
    for name in ("free", "plugged"):
        api.post("ports", {"name": name, "network": "lan"})
    created = finish(api.post("instances", WEB | {"ports": ["plugged"]}))
    for name in ("held", "kept"):
        finish(api.post("volumes", {"name": name, "size_gib": 1, "near_instance": "web"}))
        finish(api.post("instances/web/attachments", {"volume": name}))
    in_cluster(Volume.objects.get(name="kept"))
    cloud.world.add_machine("de-fra-1")
    return Instance.objects.get(pk=created["id"])


def tried(api: Caller, action: str) -> Answer:
    if action == "attach":
        return api.post("instances/web/attachments?dry_run=true", {"volume": "data"})
    if action == "detach":
        return api.delete("instances/web/attachments/held?dry_run=true")
    if action == "relocate":
        return relocated(api)
    if action in ("attach-port", "detach-port"):
        verb = action.removesuffix("-port")
        body = {"instance": "web"} if verb == "attach" else None
        return api.post(f"ports/{'free' if body else 'plugged'}/actions/{verb}?dry_run=true", body)
    return api.post(f"instances/web/actions/{action}?dry_run=true", BODIES.get(action))


def relocated(api: Caller) -> Answer:
    """Try to relocate the instance, as if the volume that is in a pool were not."""
    kept = Volume.objects.filter(name="kept")
    pool = kept.get().pool
    kept.update(pool=None)
    answer = api.post("instances/web/actions/relocate?dry_run=true", BODIES["relocate"])
    kept.update(pool=pool)
    return answer


def allowed(api: Caller) -> dict[str, Any]:
    return {each["name"]: each for each in api.get("instances/web").body["allowed_actions"]}


@pytest.mark.parametrize("state", [state for state in INSTANCE.moves if state != "deleted"])
@pytest.mark.parametrize("is_deleting", [False, True])
def test_allowed_actions_agree_with_the_answers(api: Caller, instance: Instance, state: str, is_deleting: bool) -> None:
    power = {"power_state": "off"} if state == "stopped" else {}
    Instance.objects.filter(pk=instance.pk).update(state=state, is_deleting=is_deleting, **power)
    actions = allowed(api)
    assert list(actions) == list(STATES)
    for action, stated in actions.items():
        answer = tried(api, action)
        if stated["is_allowed"]:
            assert stated["problem"] is None and answer.status == 200, action
        else:
            assert answer.problem[:2] == (409, "compute.instance.wrong_state"), action
            assert (answer.body["code"], answer.body["detail"]) == (
                stated["problem"]["code"],
                stated["problem"]["detail"],
            )


def test_running_operation_blocks_all_actions_but_those_of_volumes(api: Caller, instance: Instance) -> None:
    operation = api.post("instances/web/actions/reboot").operation["id"]
    for action, answer in allowed(api).items():
        if action in ("attach", "detach"):
            assert answer["is_allowed"] and tried(api, action).status == 200
            continue
        assert answer["problem"]["blocking_operation"] == operation
        assert (answer["problem"]["code"], answer["problem"]["retryable"]) == ("resource_busy", True)
        assert tried(api, action).body["detail"] == answer["problem"]["detail"]


def test_refusals_are_in_the_language_of_the_caller(api: Caller, instance: Instance) -> None:
    french = Caller(token=api.token, project=api.project, language="fr")
    assert allowed(french)["start"]["problem"]["detail"].startswith("L’état de l’instance est")


def test_list_omits_allowed_actions(api: Caller, instance: Instance) -> None:
    assert "allowed_actions" not in api.get("instances").body["items"][0]
