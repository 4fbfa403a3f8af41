"""Guests as rows only, and usage reports of their nodes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controlplane.compute.models import Instance
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.metrics import services
from controlplane.metrics.services import Sample
from tests.world import make_image, make_node, make_tenant

# A whole hour and day, so that steps begin here.
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MIB = 2**20
SECOND = timedelta(seconds=1)


class Clock:
    """The control plane's clock."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(clock, "now", stopped)
    return stopped


@pytest.fixture
def make_guest(db: None, tmp_path: Path) -> Callable[[str], Instance]:
    tenant, node = make_tenant(), make_node("node-1", vcpus_total=8)
    image = make_image(tmp_path)

    def make(name: str, **fields: Any) -> Instance:
        sizes = {"flavor": "small", "vcpus": 2, "memory_mib": 1024, "disk_gib": 4}
        return Instance.objects.create(
            name=name,
            project=tenant.project,
            image=image,
            **{"node": node, "state": "active", "root_volume_id": new_id(), **sizes, **fields},
        )

    return make


@pytest.fixture
def guest(make_guest: Callable[[str], Instance]) -> Instance:
    return make_guest("web-1")


def sample(guest: Instance, seconds: float, busy_s: float = 0, **other: Any) -> Sample:
    """Return a sample this number of seconds after NOON.

    By then the guest has used a CPU for `busy_s`; in each second it read 1 MiB, wrote none, received 1000 bytes and
    sent 500.
    """
    assert guest.node_id is not None
    base = Sample(
        node_id=guest.node_id,
        instance_id=guest.pk,
        at=NOON + seconds * SECOND,
        devices=7,
        vcpus=2,
        memory_resident_mib=900,
        memory_used_mib=300,
        cpu_ns=int(busy_s * 1e9),
        disk_read_bytes=int(busy_s * MIB),
        disk_write_bytes=0,
        disk_read_requests=int(busy_s * 16),
        disk_write_requests=0,
        network_in_bytes=int(busy_s * 1000),
        network_out_bytes=int(busy_s * 500),
        network_in_packets=int(busy_s * 2),
        network_out_packets=int(busy_s),
    )
    return replace(base, **other)


def steadily(guest: Instance, since_s: int, until_s: int, *, share: float, every_s: int = 10) -> list[Sample]:
    """Return samples of a guest that uses that share of one CPU all the time."""
    return [sample(guest, at, share * (at - since_s)) for at in range(since_s, until_s, every_s)]


def keep(time: Clock, samples: Sequence[Sample]) -> int:
    """Record the samples at the time of the last one."""
    time.now = max(time.now, samples[-1].at)
    return services.record(samples)
