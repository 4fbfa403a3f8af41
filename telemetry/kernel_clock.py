"""Reads from the kernel whether this machine's clock is synchronised."""

import ctypes
from collections.abc import Callable
from typing import Any

MAX_ERROR_US = 2_000_000
STA_UNSYNC = 0x0040  # include/uapi/linux/timex.h


class Timex(ctypes.Structure):
    """Head of struct timex, see adjtimex(2); the rest is room for the kernel's other fields."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("rest", ctypes.c_char * 256),
    ]


LIBC = ctypes.CDLL(None, use_errno=True)


def is_synchronised(adjtimex: Callable[[Any], int] = LIBC.adjtimex) -> bool:
    """Return whether a daemon such as chrony keeps the kernel's time within two seconds."""
    timex = Timex()  # modes 0: only read
    if adjtimex(ctypes.byref(timex)) < 0:
        return False
    return not timex.status & STA_UNSYNC and timex.maxerror < MAX_ERROR_US
