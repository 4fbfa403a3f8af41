"""Synchronisation of this machine's clock, from its kernel."""

import ctypes
from typing import Any

import pytest

from telemetry import kernel_clock

SYNCHRONISED, UNSYNCHRONISED = 0x2001, 0x2041  # STA_PLL and STA_NANO, with and without STA_UNSYNC


@pytest.mark.parametrize(
    ("status", "error_us", "is_kept"),
    [
        (SYNCHRONISED, 20_000, True),
        (SYNCHRONISED, 1_999_999, True),
        (SYNCHRONISED, 2_000_000, False),
        (UNSYNCHRONISED, 20_000, False),
    ],
)
def test_a_clock_is_kept_while_the_kernel_knows_the_time(status: int, error_us: int, is_kept: bool) -> None:
    def adjtimex(pointer: Any) -> int:
        timex = ctypes.cast(pointer, ctypes.POINTER(kernel_clock.Timex)).contents
        assert timex.modes == 0  # it is only read
        timex.status, timex.maxerror = status, error_us
        return 0

    assert kernel_clock.is_synchronised(adjtimex) is is_kept


def test_kernel_error_means_unsynchronised() -> None:
    assert not kernel_clock.is_synchronised(lambda pointer: -1)


def test_timex_structure_has_the_layout_of_the_kernel() -> None:
    """Read at another place, the tolerance would not be what Linux allows everywhere: 500 ppm, in units of 2**-16."""
    timex = kernel_clock.Timex()
    assert kernel_clock.LIBC.adjtimex(ctypes.byref(timex)) >= 0
    assert timex.tolerance == 500 << 16
