"""nft(8), in the agent's own network namespace or in a named one.

A process for each call, fed with text: see docs/adr/0049.
"""

import json
from typing import Any

from agents.node.adapters.network import namespaces
from agents.node.process import run


def apply(ruleset: str, *, namespace: str | None = None) -> None:
    """Apply the ruleset in one transaction: all of it or nothing."""
    _nft("-f", "-", text=ruleset, namespace=namespace)


def listing(*arguments: str, namespace: str | None = None, is_stateless: bool = True) -> list[dict[str, Any]]:
    """Return the objects of `nft list`, without the head with nft's version.

    `is_stateless`: without the counts of rules.
    """
    options = ("-j", "-s") if is_stateless else ("-j",)
    document = json.loads(_nft(*options, "list", *arguments, namespace=namespace) or b"{}")
    return [each for each in document.get("nftables", []) if "metainfo" not in each]


def _nft(*arguments: str, text: str = "", namespace: str | None) -> bytes:
    def call() -> bytes:
        return run(["nft", *arguments], input_bytes=text.encode()).stdout

    return call() if namespace is None else namespaces.inside(namespace, call)
