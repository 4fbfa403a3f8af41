"""Whether somebody keeps this machine's clock right, by what its kernel says."""

import ctypes

MAX_ERROR_US = 2_000_000
STA_UNSYNC = 0x0040  # include/uapi/linux/timex.h


class _Timex(ctypes.Structure):
    """The head of struct timex, see adjtimex(2); the rest is room for what the kernel writes."""

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


_libc = ctypes.CDLL(None, use_errno=True)


def is_synchronised() -> bool:
    """Whether the kernel knows the time to two seconds, because a daemon such as chrony keeps telling it."""
    timex = _Timex()  # modes 0: only read
    if _libc.adjtimex(ctypes.byref(timex)) < 0:
        return False
    return not timex.status & STA_UNSYNC and timex.maxerror < MAX_ERROR_US
