"""Batches for ip(8), bridge(8) and nft(8), in the agent's own network namespace or in a named one."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agents.node.errors import AdapterError
from agents.node.process import run

NAMESPACES = Path("/run/netns")


def inside(namespace: str) -> list[str]:
    """Return the prefix of a command. Unlike `ip netns exec` it makes no mount namespace, which a daemon would keep."""
    return ["nsenter", f"--net={NAMESPACES / namespace}"]


def ip_batch(lines: Iterable[str], *, namespace: str | None = None) -> None:
    """Run the lines in order; the first that fails ends the batch, and those before it stay done."""
    text = "".join(f"{line}\n" for line in lines)
    if text:
        where = [] if namespace is None else ["-n", namespace]
        run(["ip", *where, "-batch", "-"], input_bytes=text.encode())


def delete_link(name: str) -> None:
    """Delete the link; a link that is missing, or that disappears by itself, counts as deleted.

    The kernel clears a removed namespace in the background, and ip(8) has several texts for a missing link. So after a
    failure the links are read again.

    Raises:
        AdapterError: the link is still there.
    """
    done = run(["ip", "link", "del", name], check=False)
    if done.returncode != 0 and any(link["ifname"] == name for link in ip_json(["link", "show"])):
        raise AdapterError(f"{name} could not be deleted: {done.stderr}", retryable=True)


def ip_json(arguments: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(["ip", "-j", *arguments]).stdout or b"[]")
    return found


def bridge_batch(lines: Iterable[str], *, force: bool = False) -> None:
    """Run the lines. With `force` each line is tried after failures before it: a link to delete may be gone."""
    text = "".join(f"{line}\n" for line in lines)
    if text:
        run(["bridge", *(["-force"] if force else []), "-batch", "-"], input_bytes=text.encode(), check=not force)


def bridge_json(arguments: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(["bridge", "-j", *arguments]).stdout or b"[]")
    return found


def nft_json(arguments: Sequence[str], *, namespace: str | None = None) -> list[dict[str, Any]]:
    """Return the objects of `nft list`, without counters and without the head with nft's version."""
    where = [] if namespace is None else inside(namespace)
    found = json.loads(run([*where, "nft", "-j", "-s", "list", *arguments]).stdout or b"{}")
    return [each for each in found.get("nftables", []) if "metainfo" not in each]


def nft(ruleset: str, *, namespace: str | None = None) -> None:
    """Apply the ruleset in one transaction: all of it or nothing."""
    where = [] if namespace is None else inside(namespace)
    run([*where, "nft", "-f", "-"], input_bytes=ruleset.encode())


def namespace_is_alive(namespace: str) -> bool:
    """Return whether the namespace exists;

    False for the empty file that it leaves behind when its mount went, as after a reset.
    """
    path = NAMESPACES / namespace
    return path.exists() and path.stat().st_dev != NAMESPACES.stat().st_dev


def set_kernel_switch(path: str, value: str) -> None:
    """Write a file of /proc/sys, which shows the writer's own network namespace; absent features are skipped."""
    with suppress(FileNotFoundError), (Path("/proc/sys") / path).open("r+") as switch:
        switch.write(value)
