import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.test.client import ClientHandler

from controlplane.compute.models import Instance
from controlplane.operations.models import Operation
from controlplane.storage.models import Snapshot, Volume
from tests import cloud_fixtures
from tests.api.client import Answer, Caller
from tests.api.snapshots import make_snapshot
from tests.api.tokens import make_token
from tests.roles import as_role
from tests.workflows import shared_pool
from tests.workflows.shared_pool import Shared
from tests.world import Cloud, make_tenant, run

broker, cloud, shared = cloud_fixtures.broker, cloud_fixtures.cloud, shared_pool.shared

FRENCH = Path(django_settings.LOCALE_PATHS[0]) / "fr" / "LC_MESSAGES"


@pytest.fixture(scope="session", autouse=True)
def french(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build the translations from the current sources."""
    created = FRENCH / f".django.mo.{tmp_path_factory.mktemp('mo').parent.name}"
    subprocess.run(["msgfmt", "-o", str(created), str(FRENCH / "django.po")], check=True)
    created.replace(FRENCH / "django.mo")


@pytest.fixture(autouse=True)
def requests_are_of_web(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each request the database rights of the process web; the test itself has all rights."""
    answer = ClientHandler.__call__

    def answer_as_web(self: ClientHandler, environ: dict[str, Any]) -> Any:
        with as_role("web"):
            return answer(self, environ)

    monkeypatch.setattr(ClientHandler, "__call__", answer_as_web)


@pytest.fixture
def api(cloud: Cloud) -> Caller:
    """Return a member of the project alpha."""
    return Caller(token="alpha", project="alpha")


@pytest.fixture
def viewer(cloud: Cloud) -> Caller:
    return Caller(token=make_token(cloud.tenant.project, role="viewer"), project="alpha")


@pytest.fixture
def operator(db: None) -> Caller:
    return Caller(token=make_token(None, role="owner"), project="alpha")


@pytest.fixture
def stranger(db: None) -> Caller:
    """Return a member of another project, who requests resources of alpha."""
    make_tenant("beta")
    return Caller(token="beta", project="alpha")


@pytest.fixture
def unbroken(api: Caller) -> Caller:
    """Return the same member; internal errors are answered and not raised in the test."""
    return Caller(token=api.token, project=api.project, http=Client(raise_request_exception=False))


def finish(answer: Answer) -> Any:
    """Run the operation of the answer, as a worker does."""
    operation = run(Operation.objects.get(pk=answer.operation["id"]))
    assert operation.state == "succeeded", operation.error
    return answer.body


@pytest.fixture
def volume(api: Caller, cloud: Cloud) -> Volume:
    body = finish(api.post("volumes", {"name": "data", "size_gib": 2}))
    return Volume.objects.get(pk=body["id"])


@pytest.fixture
def data(shared: Shared) -> Volume:
    """A volume in the storage cluster."""
    return shared.volume("data", host=shared.here.row.name)


@pytest.fixture
def before(data: Volume) -> Snapshot:
    """A snapshot of the volume `data`."""
    return make_snapshot(data)


@pytest.fixture
def instance(api: Caller, cloud: Cloud) -> Instance:
    body = finish(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}))
    return Instance.objects.get(pk=body["id"])
