"""The SDK against a control plane that runs."""

import io
from datetime import UTC, datetime, timedelta

import pytest

from andromede_sdk import (
    BadRequest,
    Client,
    Forbidden,
    NameTaken,
    NotFound,
    OperationFailed,
    PolicyUnsatisfiable,
    PreconditionFailed,
    PreconditionRequired,
    QuotaExceeded,
    Unauthenticated,
    Unprocessable,
    WaitTimeout,
    models,
)
from tests.clients.conftest import Live

pytestmark = pytest.mark.slow


def make(client: Client, name: str = "web", **more: object) -> models.InstanceWithOperation:
    created = client.instances.create(name=name, flavor="tiny", image="tiny", networks=["lan"], **more)  # type: ignore[call-overload]
    assert isinstance(created, models.InstanceWithOperation)
    return created


def test_instance_is_created_used_and_deleted(client: Client) -> None:
    seen: list[models.Operation] = []
    created = make(client, labels={"env": "prod"})
    ended = created.operation.wait(on_progress=seen.append)
    assert (ended.state, ended.resources[0]) == ("succeeded", created.id)
    assert seen[-1] == ended and {step.name for step in seen[-1].steps}
    web = client.instances.get("web")
    assert (web.state, web.image.name, web.labels, web.created_at.tzinfo) == ("active", "tiny", {"env": "prod"}, UTC)
    assert web.addresses[0].ip.startswith("10.10.0.")
    client.instances.power_off("web").operation.wait()
    assert client.instances.get(web.id).state == "stopped"
    assert client.instances.update("web", labels={"env": None}).labels == {}
    gone = client.instances.delete("web")
    assert gone is not None
    gone.operation.wait()
    assert client.instances.delete(web.id) is None
    with pytest.raises(NotFound):
        client.instances.get("web")


def test_a_listing_goes_through_all_pages(client: Client) -> None:
    names = [f"key-{number}" for number in range(5)]
    for name in names:
        client.networks.create(name=name, cidr="10.30.0.0/24", labels={"of": "paging"})
    listing = client.networks.list(labels={"of": "paging"}, sort="name", page_size=2)
    assert [each.name for each in listing] == names
    assert [len(page) for page in listing.pages()] == [2, 2, 1]
    assert listing.count() == 5
    first = listing.first()
    assert first is not None and first.name == "key-0"
    assert client.networks.list(created_after=datetime.now(UTC) + timedelta(days=1)).first() is None
    for name in names:
        client.networks.delete(name)


def test_refusals_raise_exceptions_by_code_and_status(client: Client, live: Live) -> None:
    with pytest.raises(NotFound) as missing:
        client.instances.get("nowhere")
    assert missing.value.code == "compute.instance.not_found" and missing.value.request_id
    assert missing.value.request_id in str(missing.value)
    with pytest.raises(BadRequest) as bad:
        client.networks.create(name="a", cidr="nowhere")
    assert [each.place for each in bad.value.errors] == ["/cidr"]
    with pytest.raises(NameTaken):
        client.networks.create(name="lan", cidr="10.40.0.0/24")
    with pytest.raises(Unprocessable):
        make(client, zones=["fr-idf-1"], volumes=["nothing"])
    with pytest.raises(QuotaExceeded) as quota:
        for number in range(4):
            client.images.create(name=f"many-{number}", format="raw")
    assert quota.value.facts["limit"] == 3
    for image in client.images.list():
        if not image.is_public:
            client.images.delete(image.id)
    with pytest.raises(Forbidden):
        client.nodes.cordon("node-a")
    with Client(live.url, "andromede_not-a-token", project="demo") as stranger, pytest.raises(Unauthenticated):
        stranger.instances.list().first()


def test_errors_are_in_the_callers_language(live: Live) -> None:
    with live.client(language="fr") as french, pytest.raises(NotFound) as missing:
        french.instances.get("nulle-part")
    assert missing.value.title == "Introuvable"


def test_policies_are_replaced_by_version(live: Live) -> None:
    with live.new_client() as client:
        before = client.policy.get()
        clause = {"id": "fr", "attr": "zone.id", "op": "in", "value": ["fr-idf-1", "fr-idf-2"]}
        tighter = client.policy.set(atoms=[clause], if_match="*")
        assert tighter.change == "tighter" and tighter.atoms[0].value == ["fr-idf-1", "fr-idf-2"]
        with pytest.raises(PreconditionFailed):
            client.policy.set(atoms=[], if_match=before.version)
        with pytest.raises(PreconditionRequired):
            client.policy.set(atoms=[], if_match="")
        with pytest.raises(PolicyUnsatisfiable) as refused:
            client.volumes.create(name="data", size_gib=1, zones=["de-rhein-1"])
        assert refused.value.placement_decision
        decision = client.decisions.get(refused.value.placement_decision)
        assert not decision.is_admitted and decision.explanation
        would = client.policy.set(atoms=[], if_match=tighter.version, reason="a test", dry_run=True)
        assert would.change == "looser" and client.policy.get().version == tighter.version


def test_dry_run_answers_and_creates_nothing(client: Client) -> None:
    would = client.instances.create(name="maybe", flavor="tiny", image="tiny", dry_run=True)
    assert isinstance(would, models.PlacementSimulation | models.InstanceWithOperation)
    assert client.instances.list().first() is None


def test_an_operation_that_fails_is_an_exception_with_its_reason(client: Client) -> None:
    client.images.create(name="broken", format="qcow2")
    sent = client.images.upload("broken", io.BytesIO(b"this is no qcow2 file" * 100))
    with pytest.raises(OperationFailed) as failed:
        sent.operation.wait()
    assert failed.value.code == "catalog.image.refused"
    assert failed.value.error is not None and failed.value.error.detail in str(failed.value)
    client.images.delete("broken")


def test_wait_times_out_and_the_operation_continues(client: Client, live: Live) -> None:
    live.cloud.stack.kill("agent-node-b")
    created = make(client, zones=["de-rhein-1"])
    with pytest.raises(WaitTimeout) as waited:
        created.operation.wait(timeout_s=0.5)
    assert waited.value.operation.id == created.operation.id
    live.cloud.start_agent("node-b")
    assert created.operation.wait(timeout_s=60).state == "succeeded"


def test_an_operation_is_found_from_its_resource_and_can_be_cancelled(client: Client, live: Live) -> None:
    live.cloud.stack.kill("agent-node-b")
    created = make(client, zones=["de-rhein-1"])
    assert [each.id for each in client.operations.list(resource=created.id)] == [created.operation.id]
    client.operations.cancel(created.operation.id)
    live.cloud.start_agent("node-b")
    with pytest.raises(OperationFailed) as ended:
        created.operation.wait(timeout_s=60)
    assert ended.value.operation.state == "cancelled"


def test_console_tokens_simulations_and_exports_work(client: Client) -> None:
    make(client).operation.wait()
    assert isinstance(client.instances.console_log("web", max_bytes=100), str)
    created = client.tokens.create(name="ci", role="viewer", lifetime_days=1)
    assert created.secret and created.secret not in repr(created)
    client.tokens.revoke(created.id)
    assert client.placement.simulate(operation="instance.create", vcpus=1, memory_mib=128).is_admitted
    assert client.zones.capacity("fr-idf-1", flavor="tiny").fits > 0


def test_client_can_be_scoped_to_another_project(client: Client) -> None:
    assert client.within("demo").networks.get("lan").name == "lan"
    with pytest.raises(NotFound):
        client.within("other").networks.get("lan")
