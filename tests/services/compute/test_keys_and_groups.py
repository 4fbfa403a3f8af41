"""SSH keys and affinity groups."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agents.node.adapters.fake import FakeCapacity
from controlplane.compute.affinity_groups import affinity_group_create, affinity_group_delete
from controlplane.compute.errors import (
    AffinityGroupInUse,
    AffinityGroupNameTaken,
    AffinityGroupNotFound,
    SshKeyInvalid,
    SshKeyNameTaken,
    SshKeyNotFound,
)
from controlplane.compute.models import AffinityGroup
from controlplane.compute.selectors import affinity_group_get, ssh_key_get
from controlplane.compute.services import instance_delete
from controlplane.compute.ssh_keys import parse_ssh_key, ssh_key_create, ssh_key_delete
from controlplane.placement.errors import NoPlace
from tests.workflows.helpers import ask_instance, done, make_instance
from tests.world import Cloud, make_tenant


def public_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


# The fingerprint is what `ssh-keygen -l -f` says of this key.
KNOWN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
KNOWN_FINGERPRINT = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"


def test_a_key_keeps_its_type_and_bytes_and_loses_its_comment() -> None:
    key = public_key()
    assert parse_ssh_key(f"  {key} somebody@their-laptop \n")[0] == key
    assert parse_ssh_key(KNOWN) == (KNOWN, KNOWN_FINGERPRINT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !!!!",
        f"{KNOWN}\n{KNOWN}",
        f'command="reboot" {KNOWN}',
        "x" * 9000,
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        KNOWN.replace("ssh-ed25519", "ssh-rsa"),
    ],
)
def test_invalid_public_key_is_refused(text: str) -> None:
    with pytest.raises(SshKeyInvalid) as caught:
        parse_ssh_key(text)
    assert caught.value.field == "public_key"


def test_weak_key_type_is_refused() -> None:
    with pytest.raises(SshKeyInvalid, match="its type must be one of"):
        parse_ssh_key("ssh-dss AAAAB3NzaC1kc3M")


def test_ssh_keys_belong_to_one_project(cloud: Cloud) -> None:
    tenant, other = cloud.tenant, make_tenant("beta")
    key = ssh_key_create(tenant.actor, tenant.project, name="mine", public_key=public_key())
    with pytest.raises(SshKeyNameTaken):
        ssh_key_create(tenant.actor, tenant.project, name="mine", public_key=public_key())
    ssh_key_create(other.actor, other.project, name="mine", public_key=public_key())
    assert ssh_key_get(tenant.actor, tenant.project, str(key.pk)) == key
    with pytest.raises(SshKeyNotFound):
        ssh_key_get(other.actor, other.project, str(key.pk))


def test_guest_keeps_its_ssh_key_after_deletion_of_the_key(cloud: Cloud) -> None:
    tenant = cloud.tenant
    key = ssh_key_create(tenant.actor, tenant.project, name="mine", public_key=public_key())
    instance = make_instance(cloud, ssh_keys=(key,))
    ssh_key_delete(tenant.actor, key)
    assert instance.ssh_public_keys == [key.public_key]
    seed = b"".join(cloud.fake.seeds[instance.pk].values())
    assert key.public_key.encode() in seed


def test_strict_group_keeps_members_apart_until_deletion(cloud: Cloud) -> None:
    tenant = cloud.tenant
    cloud.world.add_machine("fr-idf-1", capacity=FakeCapacity())
    group = affinity_group_create(tenant.actor, tenant.project, name="apart", rule="anti-affinity", is_strict=True)
    members = [make_instance(cloud, name, affinity_group=group) for name in ("one", "two")]
    assert members[0].node_id != members[1].node_id
    with pytest.raises(NoPlace):
        ask_instance(cloud, "three", affinity_group=group)
    with pytest.raises(AffinityGroupInUse) as caught:
        affinity_group_delete(tenant.actor, group)
    assert caught.value.facts == {"count": 2}
    done(instance_delete(tenant.actor, members[0]))
    make_instance(cloud, "three", affinity_group=group)


def test_empty_group_is_deleted_and_old_members_keep_their_history(cloud: Cloud) -> None:
    tenant = cloud.tenant
    group = affinity_group_create(tenant.actor, tenant.project, name="apart", rule="affinity", is_strict=False)
    with pytest.raises(AffinityGroupNameTaken):
        affinity_group_create(tenant.actor, tenant.project, name="apart", rule="affinity", is_strict=False)
    instance = make_instance(cloud, affinity_group=group)
    done(instance_delete(tenant.actor, instance))
    affinity_group_delete(tenant.actor, group)
    assert not AffinityGroup.objects.exists()
    with pytest.raises(AffinityGroupNotFound):
        affinity_group_get(tenant.actor, tenant.project, "apart")
