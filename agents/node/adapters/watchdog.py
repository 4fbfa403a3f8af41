"""The node's watchdog: a device that resets the machine when nobody writes to it for some seconds.

It speaks the kernel's watchdog API: any write feeds it, and a "V" just before it is closed disarms it ("magic close").
A FIFO in its place is taken for a watchdog that another program plays, with the timeout that was asked for.
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
    """Armed from its opening on, and not fed by that: an agent that only ever begins must not keep it quiet.

    `timeout_s` is what the device makes of the one that was asked for; `problem`: why the last feeding failed, or
    nothing.
    """

    def __init__(self, path: Path, timeout_s: int) -> None:
        """
        Raises:
            OSError: it is not there, is fed by somebody else, or is no watchdog.
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
        """Never raises: whoever relies on it reads `problem`."""
        try:
            os.write(self._fd, FEED)
        except OSError as exc:
            self.problem = exc.strerror or str(exc)
        else:
            self.problem = ""

    def close(self, *, disarm: bool) -> None:
        """Unless it is disarmed, the machine is reset when nobody opens it again in time."""
        try:
            if disarm:
                os.write(self._fd, MAGIC_CLOSE)
        finally:
            os.close(self._fd)


def _timeout(fd: int, wanted_s: int) -> int:
    """What it is from now on. Setting it feeds the device, so one that is about right stays."""
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
