"""Switches of the kernel in /proc/sys, which shows each thread its own network namespace."""

from contextlib import suppress
from pathlib import Path


def set_switch(path: str, value: object) -> None:
    """Write the file of /proc/sys; absent features are skipped."""
    with suppress(FileNotFoundError), (Path("/proc/sys") / path).open("r+") as switch:
        switch.write(str(value))
