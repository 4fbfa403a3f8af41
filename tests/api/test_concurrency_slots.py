"""Slow requests of one caller run one at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from controlplane.kernel import concurrency
from controlplane.kernel.concurrency import SlotTaken, acquire_slot
from tests.api.client import Caller
from tests.api.tokens import make_token
from tests.world import Cloud

EXPORT = "/v1/projects/alpha/audit/export"


@pytest.fixture(params=["redis", "no redis"])
def owner(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[str]:
    if request.param == "no redis":
        settings.REDIS_URL = f"redis+socket://{tmp_path}/nobody.sock"
    yield uuid4().hex
    assert concurrency._own == {}


def test_slot_belongs_to_one_owner_until_its_release(owner: str) -> None:
    mine = acquire_slot("export", owner, expires_after_s=60)
    others = acquire_slot("export", f"{owner}-b", expires_after_s=60), acquire_slot("search", owner, expires_after_s=60)
    with pytest.raises(SlotTaken):
        acquire_slot("export", owner, expires_after_s=60)
    mine.release()
    renewed = acquire_slot("export", owner, expires_after_s=60)
    mine.release()
    with pytest.raises(SlotTaken):  # it was another's by then
        acquire_slot("export", owner, expires_after_s=60)
    for turn in (renewed, *others):
        turn.release()


def begun(token: str) -> Any:
    """An export of which nothing was read yet."""
    return Client().get(EXPORT, headers={"Authorization": f"Bearer {token}"})


def test_exports_of_one_owner_run_one_at_a_time(api: Caller, cloud: Cloud) -> None:
    first = begun("alpha")
    assert first.status_code == 200
    refused = api.get(EXPORT)
    assert refused.problem[:2] == (429, "one_at_a_time")
    assert refused.headers["Retry-After"] == "5"
    assert api.get("audit").status == 200
    other = Caller(token=make_token(cloud.tenant.project, role="owner"), project="alpha")
    assert other.get(EXPORT).status == 200
    list(first.streaming_content)  # to its end
    assert api.get(EXPORT).status == 200
    assert api.get(EXPORT).status == 200, "one that was read to its end"
