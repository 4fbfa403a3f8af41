"""Building images, and how the tiny one reads the seeds that real cloud-init reads."""

import json
import lzma
import struct
import subprocess
from pathlib import Path

import pytest

from agents.lab import LabError
from agents.lab.images import aptsources, build, kernel, tiny

CARD = {
    "match": {"macaddress": "52:54:00:00:00:0A"},
    "set-name": "eth0",
    "mtu": 1450,
    "addresses": ["10.0.0.5/24", "fd00::5/64"],
    "routes": [{"to": "default", "via": "10.0.0.1"}, {"to": "::/0", "via": "fd00::1"}],
    "nameservers": {"addresses": ["10.0.0.2"], "search": ["a.example"]},
}

BLOCK_STYLE = """# written by hand
network:
  version: 2
  ethernets:
    net0:
      match: {macaddress: '52:54:00:00:00:0A'}
      set-name: eth0
      mtu: 1450   # room for VXLAN
      addresses:
      - 10.0.0.5/24
      - "fd00::5/64"
      routes:
        - to: default
          via: 10.0.0.1
        - {to: "::/0", via: fd00::1}
      nameservers:
        addresses: [10.0.0.2]
        search:
        - a.example
"""

OBEYED = """52:54:00:00:00:0a mtu 1450
52:54:00:00:00:0a address 10.0.0.5/24
52:54:00:00:00:0a address fd00::5/64
52:54:00:00:00:0a route default 10.0.0.1
52:54:00:00:00:0a route default fd00::1
52:54:00:00:00:0a dns 10.0.0.2
52:54:00:00:00:0a search a.example
"""


def awk(*programs: str, text: str, key: str = "") -> str:
    files = [option for name in programs for option in ("-f", str(tiny.SCRIPTS / name))]
    argv = ["busybox", "awk", *files, "-v", f"key={key}", "-"]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({"version": 2, "ethernets": {"net0": CARD}}), id="json"),
        pytest.param(json.dumps({"version": 2, "ethernets": {"net0": CARD}}, indent=1), id="indented json"),
        pytest.param(BLOCK_STYLE, id="block style"),
    ],
)
def test_tiny_reads_network_configurations(text: str) -> None:
    assert awk("yaml.awk", "network.awk", text=text) == OBEYED


def test_tiny_uses_dhcp_as_configured() -> None:
    two = {"a": {"match": {"macaddress": "aa"}, "dhcp4": True}, "b": {"match": {"macaddress": "bb"}}}
    text = json.dumps({"version": 2, "ethernets": two})
    assert awk("yaml.awk", "network.awk", text=text) == "aa dhcp\n"


@pytest.mark.parametrize(
    "text",
    [
        '{"instance-id": "i-1", "local-hostname": "web", "public-keys": ["ssh-ed25519 AAAA \\"x\\""]}',
        'instance-id: i-1\nlocal-hostname: web\npublic-keys:\n- ssh-ed25519 AAAA "x"\n',
    ],
)
def test_tiny_reads_meta_data(text: str) -> None:
    def values(key: str) -> str:
        return awk("yaml.awk", "values.awk", text=text, key=key)

    assert values("/(local-)?hostname") == "web\n"
    assert values("/public-keys/[0-9]+") == 'ssh-ed25519 AAAA "x"\n'


@pytest.mark.parametrize("text", ["", "{", '{"a": [', '"', "a:\n  - b: c\n d", "[[[[", '{"a": "b'])
def test_tiny_survives_malformed_seeds(text: str) -> None:
    awk("yaml.awk", "network.awk", text=text)


@pytest.mark.lab
def test_image_is_rebuilt_only_after_a_change(tmp_path: Path) -> None:
    path = tmp_path / "tiny.qcow2"
    build("tiny", path)
    first = path.stat()
    build("tiny", path)
    assert path.stat().st_ino == first.st_ino

    (tmp_path / "tiny.qcow2.stamp").write_text("made from something else")
    build("tiny", path)
    assert path.stat().st_ino != first.st_ino


def test_unknown_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="debian-13"):
        build("windows", tmp_path / "image.qcow2")
    assert list(tmp_path.iterdir()) == []


def test_a_release_without_sources_is_an_error() -> None:
    with pytest.raises(LabError, match="potato"):
        aptsources.of_release("potato")


def test_modules_lose_only_their_signature(tmp_path: Path) -> None:
    guest_kernel = kernel.installed()
    kernel.copy_modules(guest_kernel, ["virtio_blk"], to=tmp_path / "modules")
    (file,) = (tmp_path / "modules").glob("virtio*blk.ko")
    (source,) = guest_kernel.modules.rglob("virtio_blk.ko.xz")
    signed = lzma.decompress(source.read_bytes())
    assert signed.endswith(kernel.SIGNED)
    assert signed.startswith(file.read_bytes())
    module = file.read_bytes()
    # It ends with the table of its sections, whose place and size its header tells.
    (begin,), (size, number) = struct.unpack("<Q", module[0x28:0x30]), struct.unpack("<HH", module[0x3A:0x3E])
    assert begin + size * number == len(module)
    assert kernel.without_signature(module) == module
