"""KVM only where a guest was seen to run under it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.node import process
from agents.node.adapters import accelerator
from agents.node.adapters.accelerator import Accelerator
from agents.node.errors import AdapterError
from tests.limits import PATIENCE_S


@dataclass
class Kvm:
    """A device that opens, and the result of its probe guests; counts them."""

    folder: Path
    problem: str
    probes: int = 0

    def accelerator(self, boot_id: str = "boot-1") -> Accelerator:
        return Accelerator(self.folder, requested="auto", boot_id=boot_id, probe_kvm=self.probe)

    def probe(self) -> str:
        self.probes += 1
        return self.problem


@pytest.fixture
def broken_kvm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kvm:
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(accelerator, "DEVICE", device)
    return Kvm(tmp_path, "emulation failure")


@pytest.fixture
def working_kvm(broken_kvm: Kvm) -> Kvm:
    broken_kvm.problem = ""
    return broken_kvm


def test_the_probe_guest_runs_under_tcg() -> None:
    assert accelerator.runs_guests("tcg", cpu="max", timeout_s=60) == ""


def test_failed_probe_is_reported() -> None:
    """The limit is generous: the first start of QEMU reads it from the disk."""
    problem = accelerator.runs_guests("no-such-accelerator", cpu="max", timeout_s=PATIENCE_S)
    assert problem.startswith("The probe guest ended with")


def test_unusable_kvm_device_selects_tcg(broken_kvm: Kvm) -> None:
    assert broken_kvm.accelerator().virt_type == "qemu"


def test_probe_result_holds_until_the_next_boot(broken_kvm: Kvm, tmp_path: Path) -> None:
    for boot_id in ("boot-1", "boot-1", "boot-2"):
        broken_kvm.accelerator(boot_id)
    assert broken_kvm.probes == 2
    assert "emulation failure" in json.loads((tmp_path / "accelerator.json").read_text())["reason"]


def test_missing_kvm_device_selects_tcg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(accelerator, "DEVICE", tmp_path / "missing")
    assert Accelerator(tmp_path, requested="auto", boot_id="boot-1").virt_type == "qemu"


def test_kvm_that_fails_later_is_disabled_for_the_boot(working_kvm: Kvm) -> None:
    first = working_kvm.accelerator()
    assert first.virt_type == "kvm"
    assert first.give_up_kvm("a guest stopped")
    assert not first.give_up_kvm("another one too")
    assert first.virt_type == working_kvm.accelerator().virt_type == "qemu"
    assert working_kvm.accelerator("boot-2").virt_type == "kvm"


def test_forced_accelerator_is_kept(tmp_path: Path) -> None:
    forced = Accelerator(tmp_path, requested="kvm", boot_id="x")
    assert not forced.give_up_kvm("a guest stopped")
    assert forced.virt_type == "kvm"


def test_unlisted_program_is_refused() -> None:
    with pytest.raises(AdapterError, match="not a program"):
        process.run(["sh", "-c", "true"])


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(AdapterError, match="did not end") as caught:
        process.run(["qemu-system-x86_64", "-M", "none", "-display", "none", "-S"], timeout_s=0.2)
    assert caught.value.retryable


def test_process_limits_are_enforced() -> None:
    limits = process.Limits(cpu_s=5, address_space_bytes=2**20, file_size_bytes=0)
    with pytest.raises(AdapterError):
        process.run(["qemu-img", "--version"], limits=limits)
