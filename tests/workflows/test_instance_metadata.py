"""Labels and identity documents of instances: who signs them, when they reach the guest, and what they prove."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from andromede_core.documents import signed
from andromede_core.documents.signed import BadDocument
from controlplane.catalog.signing_keys import verifier
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance, MetadataDocument
from controlplane.compute.services import instance_delete, instance_update
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.nodes import trust_documents
from controlplane.nodes.jose import public_jwks, sign_jwt
from controlplane.nodes.models import Incident, Node
from controlplane.nodes.signing_keys import SigningKey
from controlplane.nodes.trust_documents import NOTHING_DENIED
from controlplane.reconcilers import instance_metadata as reconciler
from controlplane.signer import instance_metadata as signer
from tests.workflows.helpers import done, fresh, make_instance, make_stopped_instance
from tests.world import Cloud, FakeMachine, follow

LABELS, IDENTITY = "/latest/meta-data/tags/instance", "/latest/dynamic/instance-identity/jwt"
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")


def settle() -> tuple[int, int]:
    """Let the signer and the reconciler run. Returns how many were signed, and sent."""
    return signer.sign_all(), reconciler.reconcile()


def pages(machine: FakeMachine, instance: Instance) -> Any:
    return machine.fake.metadata[str(instance.pk)].pages


def relabel(cloud: Cloud, instance: Instance, **labels: str) -> None:
    name, policy = instance.name, instance.restart_policy
    instance_update(cloud.tenant.actor, instance, name=name, labels=labels, restart_policy=policy)


def verified(token: str) -> jwt.Token:
    """Verify as a third party does, with the published keys."""
    return jwt.decode(token, KeySet.import_key_set(public_jwks()), algorithms=["EdDSA", "ES256"])


def test_guest_reads_its_labels_and_identity(cloud: Cloud) -> None:
    instance = make_instance(cloud, labels={"env": "prod"})
    assert settle() == (1, 1)
    found = pages(cloud.machine, instance)
    assert (found[LABELS], found[f"{LABELS}/env"]) == ("env", "prod")
    token = verified(found[IDENTITY])
    assert token.header["typ"] == "andromede-instance+jwt"
    claims = dict(token.claims)
    at = claims.pop("iat")
    assert claims == {
        "iss": "https://andromede.local",
        "sub": str(instance.pk),
        "nbf": at,
        "exp": at + 3600,
        "organization": str(cloud.tenant.project.organization_id),
        "project": str(cloud.tenant.project.pk),
        "zone": "fr-idf-1",
    }
    assert abs(at - clock.now().timestamp()) < 3600


def test_labels_follow_a_change_and_nothing_is_sent_twice(cloud: Cloud) -> None:
    instance = make_instance(cloud, labels={"env": "prod"})
    settle()
    assert settle() == (0, 0)
    relabel(cloud, instance, team="web")
    assert settle() == (1, 1)
    found = pages(cloud.machine, instance)
    assert (found[LABELS], found[f"{LABELS}/team"]) == ("team", "web")


def test_identity_document_is_renewed_before_half_of_its_time(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = make_instance(cloud)
    settle()
    first, now = pages(cloud.machine, instance)[IDENTITY], clock.now()
    for minutes, expected in ((23, (0, 0)), (30, (1, 1))):
        later = now + timedelta(minutes=minutes)
        monkeypatch.setattr(clock, "now", lambda later=later: later)
        assert settle() == expected
    renewed = pages(cloud.machine, instance)[IDENTITY]
    assert verified(renewed).claims["exp"] > verified(first).claims["exp"]


def test_documents_that_were_signed_together_are_renewed_apart(cloud: Cloud) -> None:
    make_instance(cloud, "one"), make_instance(cloud, "two")
    assert signer.sign_all() == 2
    first, second = (row.renew_at - row.updated_at for row in MetadataDocument.objects.all())
    assert first != second and all(timedelta(minutes=24) <= each <= timedelta(minutes=30) for each in (first, second))


def test_call_of_the_signer_ends_and_the_next_one_signs_the_rest(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        make_instance(cloud, name)
    monkeypatch.setattr(signer, "BATCH", 1)
    monkeypatch.setattr(signer, "BATCHES_MAX", 2)
    assert [signer.sign_all() for _ in range(3)] == [2, 1, 0]


def test_end_of_the_key_lets_the_signer_rest(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last documents of a key are shorter and shorter: each would be due again at once."""
    make_instance(cloud)
    settle()
    (key,) = [each for each in trust_documents.keyset().keys.values() if each.id == cloud.world.signer.id]
    monkeypatch.setattr(clock, "now", lambda: key.not_after - timedelta(seconds=2))
    assert signer.sign_all() == 1
    row = MetadataDocument.objects.get()
    assert row.renew_at - row.updated_at == signer.RENEWED_AT_MOST_EVERY


@pytest.mark.parametrize("access", ["token", "open", "off"])
def test_instances_without_metadata_and_those_that_are_off_get_no_document(cloud: Cloud, access: str) -> None:
    make_stopped_instance(cloud, "off", metadata="token")
    make_instance(cloud, "web", metadata=access)
    expected = 0 if access == "off" else 1
    assert settle() == (expected, expected)
    assert MetadataDocument.objects.count() == expected


def test_document_of_another_node_is_made_after_a_migration(cloud: Cloud) -> None:
    other = cloud.world.add_machine("fr-idf-1")
    Node.objects.filter(pk=other.row.pk).update(admin_state="cordoned")
    instance = make_instance(cloud)
    settle()
    Node.objects.filter(pk=other.row.pk).update(admin_state="in-service")
    assert follow(instance_migrate(SYSTEM, fresh(instance))).state == "succeeded"
    assert IDENTITY not in pages(other, instance)
    assert settle() == (1, 1)
    assert verified(pages(other, instance)[IDENTITY]).claims["sub"] == str(instance.pk)


def test_document_is_resent_to_a_node_that_an_instance_comes_back_to(cloud: Cloud) -> None:
    """The node forgot it with the guest. The signer has not run meanwhile, so the document is the same."""
    other = cloud.world.add_machine("fr-idf-1")
    Node.objects.filter(pk=other.row.pk).update(admin_state="cordoned")
    instance = make_instance(cloud)
    settle()
    Node.objects.filter(pk=other.row.pk).update(admin_state="in-service")
    for there in (other, cloud.machine):
        assert follow(instance_migrate(SYSTEM, fresh(instance))).state == "succeeded"
        assert fresh(instance).node_id == there.row.pk
    assert IDENTITY not in pages(cloud.machine, instance)
    assert settle() == (0, 1)
    assert IDENTITY in pages(cloud.machine, instance)


def test_nodes_of_an_older_agent_get_none(cloud: Cloud) -> None:
    make_instance(cloud)
    Node.objects.update(traits=[trait for trait in fresh(cloud.machine.row).traits if trait != "instance-metadata"])
    assert settle() == (0, 0)


def test_document_is_deleted_with_its_instance(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    settle()
    done(instance_delete(cloud.tenant.actor, instance))
    settle()
    assert not MetadataDocument.objects.exists()


def test_nodes_and_database_agree_after_a_restored_backup(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = make_instance(cloud, labels={"env": "prod"})
    settle()
    backup, later = MetadataDocument.objects.values().get(), clock.now() + timedelta(minutes=5)
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: later)
        Instance.objects.update(labels={"env": "test"})
        assert settle() == (1, 1)
    Instance.objects.update(labels={"env": "prod"})
    MetadataDocument.objects.update(**backup | {"sent_version": 0})
    assert reconciler.reconcile() == 0
    assert pages(cloud.machine, instance)[f"{LABELS}/env"] == "test", "an older document changes nothing"
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: later + timedelta(minutes=5))
        assert settle() == (1, 1)
    assert pages(cloud.machine, instance)[f"{LABELS}/env"] == "prod"


def test_key_that_was_denied_signs_no_more_and_is_not_published(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    settle()
    token = pages(cloud.machine, instance)[IDENTITY]
    assert verified(token)
    key = MetadataDocument.objects.get().key_id
    assert [each["kid"] for each in public_jwks()["keys"]] == [key]
    trust_documents.deny(SYSTEM, cloud.world.signer, kids=[key])
    assert public_jwks() == {"keys": []}
    assert settle() == (0, 0), "no key is left, which is logged"


def test_many_documents_are_signed_and_sent_with_few_queries(
    cloud: Cloud, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signer, "BATCH", 2)
    for name in ("one", "two", "three"):
        make_instance(cloud, name)
    assert signer.sign_all() == 3, "in batches"
    monkeypatch.setattr(signer, "BATCH", 200)
    MetadataDocument.objects.update(key_id="")
    with django_assert_max_num_queries(20):
        assert settle() == (3, 3)


def test_refused_document_is_an_incident_and_keeps_no_other_one_back(cloud: Cloud) -> None:
    bad, good = make_instance(cloud, "bad"), make_instance(cloud, "good")
    assert signer.sign_all() == 2
    genuine = MetadataDocument.objects.get(instance=bad).document
    MetadataDocument.objects.filter(instance=bad).update(document=b"{}")
    for _ in range(2):
        reconciler.reconcile()
    assert IDENTITY in pages(cloud.machine, good) and IDENTITY not in pages(cloud.machine, bad)
    incident = Incident.objects.get(kind="metadata-refused")
    assert (incident.node_id, incident.ended_at) == (cloud.machine.row.pk, None)
    assert incident.facts == {"documents": 1, "instances": [str(bad.pk)]} and "cannot be read" in incident.name
    MetadataDocument.objects.filter(instance=bad).update(document=genuine)
    assert reconciler.reconcile() == 1
    incident.refresh_from_db()
    assert incident.ended_at is not None


def test_incident_of_a_refused_document_ends_with_its_instance(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    signer.sign_all()
    MetadataDocument.objects.update(document=b"{}")
    reconciler.reconcile()
    done(instance_delete(cloud.tenant.actor, instance))
    reconciler.reconcile()
    assert Incident.objects.get(kind="metadata-refused").ended_at is not None


def test_incident_of_a_refused_document_outlives_the_absence_of_its_node(cloud: Cloud) -> None:
    make_instance(cloud)
    signer.sign_all()
    MetadataDocument.objects.update(document=b"{}")
    reconciler.reconcile()
    Node.objects.update(state="unreachable")
    reconciler.reconcile()
    assert Incident.objects.get(kind="metadata-refused").ended_at is None


# ── a token is no document of a node, and the reverse ───────────────────────────────────────────


def test_token_is_no_signed_document_and_a_document_is_no_token(cloud: Cloud) -> None:
    key: SigningKey = cloud.world.signer
    check = verifier(key.public_key)
    payload: dict[str, object] = {"sub": "one"}
    token = sign_jwt(key, payload, typ="andromede-instance+jwt")
    head, body, signature = token.split(".")
    assert verified(token).claims == payload
    raw = base64.urlsafe_b64decode(signature + "==")
    assert check(f"{head}.{body}".encode(), raw)
    for kind in ("permit", "segment", "network-ports", "instance-metadata", "keyset", "deny"):
        with pytest.raises(BadDocument):
            signed.Signed(payload, key.id, raw).check(kind, check)
    created = key.sign("permit", payload)
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(created.signature).rstrip(b'=').decode()}"
    with pytest.raises(BadSignatureError):
        verified(forged)
    # Whatever is signed: a document begins with letters, a slash and a line break, which are in no token.
    assert signed.message("permit", payload).startswith(b"andromede/permit/v1\n")


def test_keys_on_p256_sign_and_are_published(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    key = SigningKey("signer", ec.generate_private_key(ec.SECP256R1()))
    token = sign_jwt(key, {"sub": "one"}, typ="andromede-instance+jwt")
    keyset = trust_documents.keyset()
    entry = replace(
        keyset.keys[cloud.world.signer.id], id=key.id, algorithm="ECDSA-P256-SHA256", public_key=key.public_key
    )
    monkeypatch.setattr(trust_documents, "keys", lambda: (replace(keyset, keys={key.id: entry}), NOTHING_DENIED))
    (published,) = public_jwks()["keys"]
    assert (published["alg"], published["crv"], published["kid"]) == ("ES256", "P-256", key.id)
    keys = KeySet.import_key_set({"keys": [published]})
    assert jwt.decode(token, keys, algorithms=["ES256"]).claims == {"sub": "one"}
