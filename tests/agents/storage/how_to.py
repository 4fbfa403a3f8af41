"""The storage agent's user of Ceph, as the how-to makes it."""

import re
import shlex
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs/how-to/operate-ceph.md"


def capabilities() -> list[str]:
    """Return them as the monitors' command takes them: kind, capabilities, kind, …"""
    match = re.search(
        r"^ *ceph auth get-or-create client.andromede(.*?) -o ", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert match is not None, "the how-to does not make the user"
    return shlex.split(match[1].replace("\\\n", " "))
