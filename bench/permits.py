"""Benchmark of permits: signing and checking one, and the cost of the whole path for a create.

Worker and agent (with the fake adapter) are in this process, so that the floor can be measured in the same run: the
same creation without requesting and checking a permit. Database, queue, signer, watcher and beat are processes of their
own, as always.

`ARGS="--samples 5"` takes fewer.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import UUID

import django

from agents.node.adapters.fake import FakeCapacity, FakeNode
from agents.node.main import Config, Server, serve
from agents.node.rpc.servicer import Servicer
from agents.node.trust.admission import Admission
from agents.node.trust.clock import Clock, kept_elsewhere
from agents.node.trust.receipts import Receipts
from andromede_core.permits.permit import LIFETIME
from bench.common import UNLIMITED, print_progress, report, spread
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until

PORT = 8011
ZONE, PORT_OF_AGENT, NODE = "fr-idf-1", 17543, "bench-a"
PROCESSES = ("signer", "periodic", "watcher")
WARM_UP, SAMPLES = 5, 60
CLASSIFICATION = "eu-immune"  # the longest list of clauses that has zones
ROOMY = FakeCapacity(cores=512, memory_mib=2**20, disk_gib=2**14)

Seconds = list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    samples = parser.parse_args().samples
    var = ROOT / "var" / "bench-permits"
    cloud = Cloud(Stack(var, port=PORT, settings=UNLIMITED), {NODE: ZONE}, is_fake=True, log=print_progress)
    cloud.down()
    cloud.forget()
    try:
        cloud.stack.prepare()
        cloud.add_image("tiny")
        cloud.make_project("bench")
        for name in [name for name in os.environ if name.startswith("ANDROMEDE_")]:
            del os.environ[name]
        os.environ.update(cloud.stack.environment())
        django.setup()
        with agent(cloud):
            for name in PROCESSES:
                cloud.stack.start_process(name)
            wait_until(is_trusted)
            report(measure(samples))
    finally:
        cloud.down()


@contextmanager
def agent(cloud: Cloud) -> Iterator[Server]:
    folder = cloud.agent_folder(NODE)
    with patch.object(Cloud, "agent_address", lambda self, name: f"127.0.0.1:{PORT_OF_AGENT}"):
        cloud.enrol(NODE)
    config = Config(Path(folder), f"127.0.0.1:{PORT_OF_AGENT}", clock=Clock(is_kept=kept_elsewhere))
    server = serve(config, FakeNode(ROOMY).adapters())
    try:
        yield server
    finally:
        server.stop(0)


def is_trusted() -> bool:
    from controlplane.catalog import epochs
    from controlplane.nodes.models import Node

    node = Node.objects.get()
    return node.state == "ready" and node.is_attested and node.facts_epoch == epochs.current()


def measure(samples: int) -> dict[str, Any]:
    create = creator()
    for _ in range(WARM_UP):
        create()
        with baseline():
            create()
    permitted, bare, checks, accounts = [], [], Seconds(), Seconds()
    print_progress(f"{samples} instances with permits and as many without")
    with timed(Admission, "admit", checks), timed(Receipts, "opened", accounts):
        for _ in range(samples):
            permitted.append(create())
            with baseline():
                bare.append(create())
    ours, raw = spread(permitted), spread(bare)
    return {
        "create": {
            "with_permits": ours,
            "floor": raw,
            "added_p50_ms": round(ours["p50_ms"] - raw["p50_ms"], 1),
            "ratio": round(ours["p50_ms"] / raw["p50_ms"], 2),
        },
        "asked_until_signed": spread(waits()),
        "sign": spread(signings(create, samples)),
        "check_at_the_node": spread(checks),
        "receipt": spread(accounts),
        "checks_per_create": round(len(checks) / samples, 1),
    }


def creator() -> Callable[[], float]:
    """Return a function that creates one more instance and returns the duration of its operation."""
    from controlplane.catalog.models import Flavor, Image
    from controlplane.compute.services import NewInstance, instance_create
    from controlplane.identity.actor import Actor
    from controlplane.identity.models import Project
    from controlplane.network.services import network_create
    from controlplane.operations import leases
    from controlplane.workflows import engine
    from controlplane.workflows.registry import WORKFLOWS

    project = Project.objects.select_related("organization").get()
    actor = Actor(None, None, project.pk, "owner", organization_id=project.organization_id)
    network = network_create(actor, project, name="lan", cidr="10.0.0.0/16", dns_servers=[], labels={})
    flavor, image = Flavor.objects.get(pk="tiny"), Image.objects.get(name="tiny")
    numbers = iter(range(10**6))

    def create() -> float:
        new = NewInstance(f"vm-{next(numbers)}", flavor, image, networks=(network,), classifications=(CLASSIFICATION,))
        _, operation = instance_create(actor, project, new)
        begun = time.perf_counter()
        leased = leases.lease_operation(operation.pk)
        assert leased is not None
        engine.run(leased, WORKFLOWS[operation.kind])
        took = time.perf_counter() - begun
        operation.refresh_from_db()
        if operation.state != "succeeded":
            raise SystemExit(operation.error or operation.steps)
        return took

    return create


@contextmanager
def baseline() -> Iterator[None]:
    """Switch off permits: none is requested or checked, and no receipt is written."""
    from controlplane.workflows import step_permits

    free = SimpleNamespace(jti="", exp=None)

    def admit(self: Servicer, action: object, request: object) -> SimpleNamespace:
        from controlplane.kernel import clock

        free.exp = clock.now() + LIFETIME
        return free

    with (
        patch.object(step_permits, "request_permit_ahead", lambda operation, place, *, generation: None),
        patch.object(step_permits, "_authorize", lambda operation, place, make_request, *, generation: place),
        patch.object(Servicer, "_admit", admit),
        patch.object(Receipts, "opened", lambda self, *args: None),
    ):
        yield


@contextmanager
def timed(owner: type, name: str, samples: Seconds) -> Iterator[None]:
    real = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return real(*args, **kwargs)
        finally:
            samples.append(time.perf_counter() - begun)

    with patch.object(owner, name, call):
        yield


def waits() -> Seconds:
    """Return the time from the request of a permit until its signature, by the clock of the rows."""
    from controlplane.placement.models import Permit

    rows = Permit.objects.filter(state="signed").values_list("created_at", "updated_at")
    return [(signed - requested).total_seconds() for requested, signed in rows]


def signings(create: Callable[[], float], amount: int) -> Seconds:
    """Return the signer's own time for one permit, in this process."""
    from controlplane.placement import permits
    from controlplane.signer import permits as signer

    samples = Seconds()

    def sign(permit_id: UUID, *, state: str = "requested") -> None:
        begun = time.perf_counter()
        signer.sign(permit_id)
        samples.append(time.perf_counter() - begun)

    with patch.object(permits, "wake_up_next", sign):
        for _ in range(amount):
            create()
    return samples


if __name__ == "__main__":
    main()
