"""Calls of the provider where nobody answers: when it tries again, and what it says when it gives up."""

import subprocess
import sys
import time
from collections.abc import Iterator
from threading import Event

import pytest

from andromede_sdk import Unreachable
from clients.terraform.api import Api
from clients.terraform.cloud import Cloud, translated_errors
from clients.terraform.resources.project import QuotaResource
from clients.terraform.runtime.diagnostics import DiagnosticReport, Failure
from clients.terraform.runtime.provider import Work
from scripts.api import Api as ApiOfScripts
from scripts.cloud import Cloud as WholeCloud
from scripts.control_plane import ROOT
from tests.clients.proxy import DROP, REFUSE, proxy_to

NOBODY = "http://127.0.0.1:1"
SOON_S = 1.0


@pytest.fixture
def stopping() -> Event:
    return Event()


@pytest.fixture
def api(stopping: Event) -> Iterator[Api]:
    created = Api(NOBODY, "token", stopping=stopping)
    yield created
    created.close()


def test_interrupt_starts_no_write_and_awaits_running_operations(
    api: Api, stopping: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    stopping.set()
    with pytest.raises(Unreachable):
        api.post("projects/test/volumes", {}, deadline=time.monotonic() + 3600)
    assert pauses == []
    with pytest.raises(Unreachable):
        api.get("projects/test/operations/1", deadline=time.monotonic() + SOON_S)
    assert len(pauses) > 1


def test_unreachable_api_is_named(api: Api) -> None:
    with pytest.raises(Failure) as caught, translated_errors({}):
        api.get("zones", deadline=time.monotonic())
    [remark] = caught.value.diagnostics
    assert remark.summary == "The API does not answer"
    assert NOBODY in remark.detail


def test_invalid_token_is_refused_and_not_printed(stopping: Event) -> None:
    with pytest.raises(ValueError, match="characters") as caught:
        Cloud(stopping).connect(NOBODY, "se\ncret", project="", ca_file="")
    assert "cret" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [DROP, REFUSE], ids=["after it arrived", "before"])
def test_lost_answer_of_a_write_is_resolved(
    stack: tuple[WholeCloud, ApiOfScripts], wide_token: str, stopping: Event, fault: str
) -> None:
    """A PUT for one version is not repeated blindly: the second would be told that somebody else was there."""
    api = stack[1]
    limits = {"instances": 7}
    with proxy_to(api.url) as proxy:
        cloud = Cloud(stopping)
        cloud.connect(proxy.url, wide_token, project="test", ca_file="")
        deadline = time.monotonic() + 60
        work = Work({}, None, {"project": "test", "limits": limits}, {}, deadline, DiagnosticReport())
        quota = QuotaResource(cloud)
        version = cloud.api.read("projects/test/quotas").etag
        proxy.faults = [fault]
        quota.put(work, version=version)
        assert work.state["limits"] == api.get("quotas")["limits"] == limits
        assert work.private["etag"] == cloud.api.read("projects/test/quotas").etag
        quota.delete(work)
        cloud.api.close()


def test_schema_request_loads_no_http_library() -> None:
    """Terraform starts the provider three times for a plan, and two of them only for that."""
    code = "import sys, clients.terraform.main; sys.exit('httpx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
