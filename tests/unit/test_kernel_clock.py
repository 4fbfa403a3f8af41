"""Synchronisation of this machine's clock, from its kernel."""

import ctypes
from collections.abc import Callable

import pytest

from telemetry import kernel_clock

SYNCHRONISED, UNSYNCHRONISED = 0x2001, 0x2041  # STA_PLL and STA_NANO, with and without STA_UNSYNC


class Kernel:
    def __init__(self, answer: Callable[[kernel_clock._Timex], int]) -> None:
        self._answer = answer

    def adjtimex(self, pointer: object) -> int:
        return self._answer(ctypes.cast(pointer, ctypes.POINTER(kernel_clock._Timex)).contents)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "error_us", "is_kept"),
    [
        (SYNCHRONISED, 20_000, True),
        (SYNCHRONISED, 1_999_999, True),
        (SYNCHRONISED, 2_000_000, False),
        (UNSYNCHRONISED, 20_000, False),
    ],
)
def test_a_clock_is_kept_while_the_kernel_knows_the_time(
    monkeypatch: pytest.MonkeyPatch, status: int, error_us: int, is_kept: bool
) -> None:
    def answer(timex: kernel_clock._Timex) -> int:
        assert timex.modes == 0  # it is only read
        timex.status, timex.maxerror = status, error_us
        return 0

    monkeypatch.setattr(kernel_clock, "_libc", Kernel(answer))
    assert kernel_clock.is_synchronised() is is_kept


def test_kernel_error_means_unsynchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_clock, "_libc", Kernel(lambda timex: -1))
    assert not kernel_clock.is_synchronised()


def test_timex_structure_has_the_layout_of_the_kernel() -> None:
    """Read at another place, the tolerance would not be what Linux allows everywhere: 500 ppm, in units of 2**-16."""
    timex = kernel_clock._Timex()
    assert kernel_clock._libc.adjtimex(ctypes.byref(timex)) >= 0
    assert timex.tolerance == 500 << 16
