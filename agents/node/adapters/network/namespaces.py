"""Named network namespaces, with the files of ip-netns(8), created, entered and removed without a process.

A thread that enters a namespace ends afterwards: one that failed to come back would act in the wrong namespace.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pyroute2 import netns

from agents.node.errors import AdapterError

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def create(name: str) -> None:
    """Create the namespace.

    Raises:
        FileExistsError: there is a file of this name.
        OSError: the kernel refuses.
    """

    def create_here() -> None:
        leave()
        netns.attach(str(NAMESPACES / name), "thread-self", libc=LIBC)

    in_own_thread(create_here)


def leave() -> None:
    """Leave for a new namespace without a name, with this thread alone, which must be one of `in_own_thread`.

    Raises:
        OSError: the kernel refuses.
    """
    if LIBC.unshare(CLONE_NEWNET) != 0:  # before Python 3.12 os has no unshare
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def remove(name: str) -> None:
    """Remove the namespace, or the empty file of one whose mount is gone; it may be absent."""
    with suppress(FileNotFoundError):
        netns.remove(str(NAMESPACES / name), libc=LIBC)


def is_alive(name: str) -> bool:
    """Return whether the namespace exists;

    False for the empty file that it leaves behind when its mount went, as after a reset.
    """
    path = NAMESPACES / name
    return path.exists() and path.stat().st_dev != NAMESPACES.stat().st_dev


def inside(name: str, act: Callable[[], T]) -> T:
    """Call `act` in the namespace: its sockets, the programs that it runs and /proc/sys/net are those of the namespace.

    Raises:
        AdapterError: there is no such namespace.
    """

    def enter_and_act() -> T:
        enter(name)
        return act()

    return in_own_thread(enter_and_act)


def enter(name: str) -> None:
    """Enter the namespace with this thread alone, which must be one of `in_own_thread`.

    Raises:
        AdapterError: there is no such namespace.
    """
    try:
        with (NAMESPACES / name).open() as file:
            netns.setns(file.fileno(), libc=LIBC)
    except OSError as exc:
        raise AdapterError(f"The network namespace {name} cannot be entered: {exc}", retryable=True) from exc


def in_own_thread(act: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1, thread_name_prefix="namespace") as thread:
        return thread.submit(act).result()
