"""Users of guests: each QEMU runs as a user of its own, a number without an entry in /etc/passwd.

A guest's number follows from its id, so that it is the same on each node: nodes that share a disk must agree on its
owner. If another guest of the node has the number, which is rare among millions of numbers, the guest gets the next
number that follows from its id; it cannot migrate to a node that has another number for it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

ATTEMPTS = 64
# Lower numbers belong to packages, people and their containers; higher numbers exceed a signed 32-bit integer.
LOWEST, HIGHEST = 2**16, 2**31 - 2
FEWEST = 2**16


@dataclass(frozen=True, slots=True)
class GuestUsers:
    """The range of numbers that this node gives to guests, including `last`. systemd leaves the default range
    unused.
    """

    first: int = 1_879_048_192
    last: int = 2_147_352_575

    def __post_init__(self) -> None:
        if not (LOWEST <= self.first <= self.last <= HIGHEST and self.last - self.first >= FEWEST - 1):
            raise ValueError(
                f"{self.first}-{self.last} is no range of users for guests: it needs at least {FEWEST} numbers between"
                f" {LOWEST} and {HIGHEST}."
            )

    @classmethod
    def parse(cls, text: str) -> "GuestUsers":
        """Parse FIRST-LAST.

        Raises:
            ValueError: it is not FIRST-LAST, or no range that guests can have.
        """
        first, _, last = text.partition("-")
        if not (first.isdecimal() and last.isdecimal()):
            raise ValueError(f"{text!r} is no range of users: FIRST-LAST is.")
        return cls(int(first), int(last))

    def candidates(self, guest_id: UUID) -> Iterator[int]:
        """Return the numbers that the guest may have, the most likely one first."""
        for attempt in range(ATTEMPTS):
            digest = hashlib.sha256(guest_id.bytes + attempt.to_bytes()).digest()
            yield self.first + int.from_bytes(digest[:8]) % (self.last - self.first + 1)
