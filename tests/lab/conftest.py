"""A lab for the tests of a session, and the guest image that boots in seconds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.lab import Lab, LabNode
from agents.lab.images import build
from agents.lab.shell import run
from tests.lab.guests import Guest, ensure_bridge

VAR = Path(__file__).parents[2] / "var"


@pytest.fixture(scope="package")
def lab_folder() -> Iterator[Path]:
    """Return a folder of this process's own; labs of killed test processes are removed."""
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    for folder in (VAR / "test-labs").glob("*"):
        if not Path("/proc", folder.name).exists():
            Lab(folder).remove()
    folder = VAR / "test-labs" / str(os.getpid())
    folder.mkdir(parents=True)
    yield folder
    Lab(folder).remove()


@pytest.fixture(scope="package")
def lab(lab_folder: Path) -> Lab:
    """Return nodes hv1 and hv2, powered on, for guests without an agent. A test that breaks one starts it again."""
    lab = Lab(lab_folder, is_guarded=False)
    lab.up(["hv1", "hv2"])
    return lab


@pytest.fixture
def hv1(lab: Lab) -> LabNode:
    node = lab.node("hv1")
    node.start()
    return node


@pytest.fixture
def hv2(lab: Lab) -> LabNode:
    node = lab.node("hv2")
    node.start()
    return node


@pytest.fixture(scope="package")
def image_folder() -> Path:
    """Return the images' folder, shared by sessions; an image is only rebuilt when its sources changed."""
    return VAR / "images"


@pytest.fixture(scope="package")
def tiny_image(image_folder: Path) -> Path:
    """Return the qcow2 file of the image that boots in seconds."""
    path = image_folder / "tiny.qcow2"
    build("tiny", path)
    return path


@pytest.fixture(scope="package")
def ssh_key(lab_folder: Path) -> Path:
    """Return a private key; the public one is beside it as .pub."""
    path = lab_folder / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)])
    return path


@pytest.fixture
def make_guest(lab: Lab, ssh_key: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Guest]]:
    """Make guests that are removed after the test: make_guest(node, image, memory_mib=..., **create arguments)."""
    created: list[Guest] = []

    def make(node: LabNode, image: Path, *, memory_mib: int = 128, **creation: Any) -> Guest:
        ensure_bridge(node)
        name = f"{request.node.name[5:40].replace('_', '-')}-{len(created)}"
        folder = lab.shared_folder / name
        guest = Guest(name, 10 + len(created), node, folder, ssh_key, memory_mib)
        created.append(guest)
        guest.create(image, **creation)
        return guest

    yield make
    for guest in created:
        guest.node.start()
        guest.remove()
