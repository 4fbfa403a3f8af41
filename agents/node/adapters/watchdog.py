"""The node's watchdog: a device that resets the machine unless it is fed within some seconds.

It uses the kernel's watchdog API: any write feeds it, and a "V" just before closing disarms it ("magic close"). A FIFO
in its place counts as a watchdog that another program emulates, with the requested timeout.
"""

import errno
import fcntl
import os
import stat
import struct
from pathlib import Path

SETTIMEOUT, GETTIMEOUT = 0xC0045706, 0x80045707
FEED, MAGIC_CLOSE = b"\0", b"V"
ABOUT = 0.1
# What a device answers whose timeout cannot be set.
FIXED = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL)


class Watchdog:
    """An armed watchdog. Opening does not feed it: an agent that only ever restarts must not feed it.

    `timeout_s` is the device's choice for the requested timeout; `problem`: the reason why the last feeding failed, or
    empty.
    """

    def __init__(self, path: Path, timeout_s: int) -> None:
        """Open and arm the watchdog.

        Raises:
            OSError: the device is missing, in use by another program, or no watchdog.
        """
        self._fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            is_fifo = stat.S_ISFIFO(os.fstat(self._fd).st_mode)
            self.timeout_s = timeout_s if is_fifo else _timeout(self._fd, timeout_s)
        except OSError:
            os.close(self._fd)
            raise
        self.problem = ""

    def feed(self) -> None:
        """Feed the watchdog; never raises: callers read `problem`."""
        try:
            os.write(self._fd, FEED)
        except OSError as exc:
            self.problem = exc.strerror or str(exc)
        else:
            self.problem = ""

    def close(self, *, disarm: bool) -> None:
        """Close the watchdog. Unless it is disarmed, the machine is reset if it is not opened again in time."""
        try:
            if disarm:
                os.write(self._fd, MAGIC_CLOSE)
        finally:
            os.close(self._fd)


def _timeout(fd: int, wanted_s: int) -> int:
    """Set the timeout and return the effective one. Setting it feeds the device, so a close value stays."""
    found_s = _ask(fd, GETTIMEOUT, 0)
    if abs(found_s - wanted_s) <= wanted_s * ABOUT:
        return found_s
    try:
        return _ask(fd, SETTIMEOUT, wanted_s)
    except OSError as exc:
        if exc.errno not in FIXED:
            raise
        return found_s


def _ask(fd: int, request: int, value: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(fd, request, struct.pack("i", value)))[0])
