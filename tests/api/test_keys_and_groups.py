from tests.api.client import Caller
from tests.api.test_instances import KEY
from tests.world import Cloud


def test_ssh_key_is_stored_without_its_comment(api: Caller, cloud: Cloud) -> None:
    answer = api.post("ssh-keys", {"name": "laptop", "public_key": f"{KEY} ada@home\n"})
    assert answer.status == 201
    assert answer.body["public_key"] == KEY
    assert answer.body["fingerprint"].startswith("SHA256:")
    assert api.get("ssh-keys/laptop").body == answer.body
    assert api.get("ssh-keys").body["items"] == [answer.body]
    assert api.post("ssh-keys", {"name": "laptop", "public_key": KEY}).problem == (
        409,
        "compute.ssh_key.name_taken",
        "/name",
    )
    assert api.delete(f"ssh-keys/{answer.body['id']}").status == 204
    assert api.get("ssh-keys/laptop").problem == (404, "compute.ssh_key.not_found", None)


def test_invalid_ssh_key_is_refused(api: Caller, cloud: Cloud) -> None:
    for key in ("ssh-ed25519", "ssh-dss AAAA", "ssh-ed25519 AAAA", f"{KEY}\n{KEY}", "-----BEGIN PRIVATE KEY-----"):
        answer = api.post("ssh-keys", {"name": "laptop", "public_key": key})
        assert answer.problem == (400, "compute.ssh_key.invalid", "/public_key"), key


def test_affinity_group_is_created_and_listed(api: Caller, cloud: Cloud) -> None:
    answer = api.post("affinity-groups", {"name": "apart", "rule": "anti-affinity"})
    assert (answer.status, answer.body["is_strict"]) == (201, True)
    assert api.get("affinity-groups/apart").body == answer.body
    assert api.get("affinity-groups").body["items"] == [answer.body]
    api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny", "affinity_group": "apart"})
    assert api.delete("affinity-groups/apart").problem == (409, "compute.affinity_group.in_use", None)


def test_empty_affinity_group_is_deleted(api: Caller, cloud: Cloud) -> None:
    api.post("affinity-groups", {"name": "apart", "rule": "affinity", "is_strict": False})
    assert api.delete("affinity-groups/apart").status == 204
    assert api.get("affinity-groups").body["items"] == []
