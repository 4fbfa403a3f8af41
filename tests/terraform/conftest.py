"""Real Terraform, with the toy provider or the product's.

One process of the provider serves a whole test: starting one for each of Terraform's walks is most of the cost of a
command. Tests of processes and signals set `is_debugged = False`, as do tests that configure the provider twice.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from scripts.api import Api
from scripts.cloud import Cloud
from scripts.terraform import Installation, Workspace
from tests.terraform.fake_cloud import fake_cloud


@pytest.fixture(scope="package")
def toy_installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("toy"), "toy", "tests.terraform.toy.provider").make()


@contextmanager
def workspace(folder: Path, installation: Installation, variables: dict[str, str]) -> Iterator[Workspace]:
    folder.mkdir()
    created = Workspace(folder, installation, variables, is_debugged=True)
    yield created
    created.close()


@pytest.fixture
def toy(tmp_path: Path, toy_installation: Installation) -> Iterator[Workspace]:
    """Return the toy, whose cloud is the folder `cloud`."""
    (tmp_path / "cloud").mkdir()
    with workspace(tmp_path / "tf", toy_installation, {"TOY_DIR": str(tmp_path / "cloud")}) as created:
        yield created


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    return tmp_path / "cloud"


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("andromede"), "andromede", "clients.terraform.main").make()


@pytest.fixture(scope="package")
def stack() -> Iterator[tuple[Cloud, Api]]:
    with fake_cloud() as created:
        yield created


@pytest.fixture
def whole(stack: tuple[Cloud, Api]) -> Iterator[Cloud]:
    """Return the processes, all of which run again when the test is over."""
    yield stack[0]
    stack[0].stack.start()


@pytest.fixture
def api(stack: tuple[Cloud, Api]) -> Iterator[Api]:
    """Return the API of the project `test`, which is empty again when the test is over."""
    yield stack[1]
    for kind in (
        "instances",
        "snapshot-schedules",
        "snapshots",
        "volumes",
        "ports",
        "public-addresses",
        "networks",
        "affinity-groups",
        "ssh-keys",
        "images",
        "webhooks",
    ):
        for item in stack[1].get(kind, limit="200")["items"]:
            if not item.get("is_public"):
                stack[1].delete_if_there(f"{kind}/{item['id']}")


@pytest.fixture
def tf(tmp_path: Path, installation: Installation, stack: tuple[Cloud, Api], api: Api) -> Iterator[Workspace]:
    """Return Terraform with the provider, for the project `test`."""
    variables = {"ANDROMEDE_URL": stack[0].stack.url, "ANDROMEDE_TOKEN": api.token, "ANDROMEDE_PROJECT": "test"}
    with workspace(tmp_path / "tf", installation, variables) as created:
        yield created


@pytest.fixture(scope="package")
def wide_token(stack: tuple[Cloud, Api]) -> str:
    """Return an owner's token, valid in the whole organization `test`."""
    options = ("--name", "terraform", "--role", "owner", "--days", "30", "--replace")
    return stack[0].stack.manage("create_token", "test@example.org", *options)


@pytest.fixture
def wide(tf: Workspace, wide_token: str) -> Workspace:
    """Return Terraform for an organization; the project `test` is the default project."""
    tf.variables["ANDROMEDE_TOKEN"] = wide_token
    return tf


# Of a project of this name, which is made first.
InProject = Callable[[str], tuple[Workspace, Api]]


@pytest.fixture
def in_project(tmp_path: Path, installation: Installation, stack: tuple[Cloud, Api]) -> Iterator[InProject]:
    """Return a project of its own, whose policy affects no other test."""
    with ExitStack() as opened:

        def make(name: str) -> tuple[Workspace, Api]:
            token, _ = stack[0].make_project(name)
            api = Api(stack[0].stack.url, token, project=name)
            opened.callback(api.close)
            variables = {"ANDROMEDE_URL": stack[0].stack.url, "ANDROMEDE_TOKEN": token}
            return opened.enter_context(workspace(tmp_path / name, installation, variables)), api

        yield make
