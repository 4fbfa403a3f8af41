"""Keeps tables of nftables in the kernel: changes them by elements, and restores lost ones."""

from collections.abc import Sequence
from typing import Any

from agents.node.adapters.network import nft, rule_table
from agents.node.adapters.network.nft_changes import generation
from agents.node.adapters.network.rule_table import Table
from agents.node.adapters.network.rules_present import comparable
from agents.node.errors import AdapterError


class KeptTables:
    """Tables with these names, of which any may be absent. Not thread-safe: the caller holds a lock."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._wanted: tuple[Table, ...] = ()
        self._written: tuple[Table, ...] | None = None  # None: the kernel may have those of an earlier agent
        self._seen: int | None = None  # the generation in which the kernel's rules were as written
        self._good: dict[str, list[Any]] | None = None  # their listing

    def want(self, tables: Sequence[Table]) -> None:
        """Set what must hold."""
        self._wanted = tuple(tables)

    def write(self) -> None:
        """Change the kernel's rules to those that must hold; `keep` comes before, so that lost ones are noticed.

        Raises:
            AdapterError: they cannot be written.
        """
        if self._written is None:
            self._write_whole()
            return
        text = rule_table.changes(self._written, self._wanted)
        if not text:
            return
        is_new = not self._written  # the text replaces what may be there
        before = generation()
        try:
            nft.apply(text)
        except AdapterError:  # of a table that was changed since
            self._write_whole()
            return
        self._written = self._wanted
        self._remember(is_good=is_new or before == self._seen, before=before)

    def keep(self) -> bool:
        """Write the rules again if the kernel's differ from those written; returns whether they had been lost.

        Raises:
            AdapterError: they cannot be written.
        """
        if not self._written:
            return False
        now = generation()
        if now == self._seen:
            return False
        present = self._present()
        if present == self._good:
            self._seen = now
            return False
        nft.apply(rule_table.whole(self._written))
        return self._remember(is_good=True, before=now) != present

    def text(self) -> str:
        """Return the statements that replace the tables."""
        return "".join(map(rule_table.removal, self._names)) + rule_table.whole(self._wanted)

    def _write_whole(self) -> None:
        before = generation()
        nft.apply(self.text())
        self._written = self._wanted
        self._remember(is_good=True, before=before)

    def _remember(self, *, is_good: bool, before: int) -> dict[str, list[Any]]:
        """Return the kernel's listing; remember it if it is the agent's work alone: no other commit came in between."""
        present = self._present()
        is_good = is_good and generation() == before + 1
        self._good, self._seen = (present, before + 1) if is_good else (None, None)
        return present

    def _present(self) -> dict[str, list[Any]]:
        """Return the kernel's rules; a table that is missing has none."""
        present: dict[str, list[Any]] = {}
        for table in self._names:
            try:
                listing = nft.listing("table", *table.split())
            except AdapterError:
                continue
            present[table] = [{kind: comparable(value)} for each in listing for kind, value in each.items()]
        return present
