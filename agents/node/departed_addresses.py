"""Public addresses that have left this node lately. Packets to them are sent on to their new node for a while."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agents.node.adapters.network_specs import Address

SENT_ON_S = 60.0


@dataclass(frozen=True, slots=True)
class Home:
    """Ids of the network and of the port of an address."""

    network: str
    port: str


class DepartedAddresses:
    """Remembers the addresses, in memory only. Safe for use by many threads."""

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._here: dict[Address, Home] = {}
        self._left: dict[Address, tuple[Home, float]] = {}

    def record(self, here: Mapping[Address, Home]) -> dict[Address, Home]:
        """Note which addresses are here now; returns those that have left within the last SENT_ON_S seconds."""
        with self._lock:
            now_s = self._now_s()
            gone = {address: (home, now_s) for address, home in self._here.items() if address not in here}
            self._here = dict(here)
            self._left = {
                address: (home, since_s)
                for address, (home, since_s) in (self._left | gone).items()
                if address not in here and now_s - since_s < SENT_ON_S
            }
            return {address: home for address, (home, _) in self._left.items()}

    def has_been_here(self, address: Address) -> bool:
        """Return whether the address is here, or has left within the last SENT_ON_S seconds."""
        return address in self._here or address in self._left

    @property
    def is_any(self) -> bool:
        return bool(self._left)
