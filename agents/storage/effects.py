"""Receipts of the storage agent's effects, written and stored as those of nodes.

| kind             | opened                                 | closed                                |
|------------------|----------------------------------------|---------------------------------------|
| `image`          | the pool has the image                 | it was removed                        |
| `cluster-volume` | the volume was made, grown or found    | it was moved to the trash             |
| `key`            | a node has a key of the volume         | the key was removed                   |
| `snapshot`       | the snapshot was taken                 | it was removed                        |
| `revert`         | the volume has a snapshot's content    | the volume was removed                |
| `reading`        | a snapshot's content begins to be sent | it was sent, or the sending has ended |

An opening is known by its place: pool, node or volume, and the resource last. An intent is on disk before the cluster
is asked. If the agent is killed before the receipt, or the cluster does not say what it did, the next call about the
resource writes it: its repetition, or its removal.

The data of a volume in the trash, or of a snapshot with clones, is deleted later: then the receipt of the removal is
followed by one with the event `erased`. The intent to write it is on disk before the removal.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from agents.node.trust.receipts import Opening, Receipts
from andromede_core.permits.permit import Permit

IMAGE, VOLUME, KEY, SNAPSHOT, REVERT, READING = "image", "cluster-volume", "key", "snapshot", "revert", "reading"
# Of intents, before and after the receipt of the removal: pool, name in the trash, volume, and of a snapshot its id.
REMOVING, TRASH = "removing", "trash"
PLACES = {KEY: "for_node", SNAPSHOT: "volume", READING: "volume"}  # what is between the pool and the resource


class Erasure:
    """A volume or snapshot that is in the trash or on its way, by the intent to write the receipt of its erasure."""

    def __init__(self, intent: Opening) -> None:
        pool, self.trash, *rest = intent.id.split("/")
        self.intent, self.place = intent, (pool, *rest)
        self.kind = VOLUME if len(rest) == 1 else SNAPSHOT
        self.is_removed = intent.kind == TRASH


class Effects:
    """Safe for use by many threads, each of which holds the locks of what it is about."""

    def __init__(self, receipts: Receipts) -> None:
        self.receipts = receipts

    @contextmanager
    def under(self, permit: Permit, kind: str, *place: str, **measured: object) -> Iterator[None]:
        """Write the receipt when the block has ended without an error: what it did was done under the permit."""
        resource = place[-1]
        generation = permit.gen if permit.resource == resource else 0
        opening = Opening(kind, "/".join(place), permit.jti, generation)
        self.receipts.begin(opening)
        yield
        self.receipts.opened(opening, _where(kind, place) | measured)

    def settle(self, kind: str, *place: str, has_happened: bool) -> None:
        """Write the receipt of an interrupted effect, if there is one and it has happened."""
        where = _where(kind, place)
        self.receipts.resolve_intent(kind, "/".join(place), is_there=has_happened, measured=where)

    def ended(self, kind: str, *place: str, was_present: bool, **measured: object) -> None:
        """Write the receipt that something is gone, after that of its opening if it lacks."""
        self.settle(kind, *place, has_happened=was_present)
        self.receipts.closed(kind, "/".join(place), _where(kind, place) | measured)

    def removing(self, kind: str, *place: str, trash: str) -> None:
        """Record the intent to write the receipt of the erasure.

        `trash`: what is removed, by RBD's ids: IMAGE, or IMAGE@NUMBER of a snapshot; empty: it is gone already.
        """
        if not trash:
            return
        self.settle(kind, *place, has_happened=True)
        opening = self.receipts.opening(kind, "/".join(place))
        if opening is not None:
            pool, *rest = place
            self.receipts.begin(replace(opening, kind=REMOVING, id="/".join((pool, trash, *rest))))

    def trashed(self, kind: str, *place: str, was_present: bool, trash: str = "") -> None:
        """Write the receipt that a volume or a snapshot is in the trash. `trash`: as in `removing`, or the last one."""
        with self.receipts.together():
            expected = self.expected_erasures(place[0]).values()
            alike = [each for each in expected if each.place == place and trash in ("", each.trash)]
            removing = next((each for each in reversed(alike) if not each.is_removed), None)
            if removing is None:
                self.ended(kind, *place, was_present=was_present)
                return
            self.ended(kind, *place, was_present=was_present, trash=removing.trash)
            self.receipts.forget(removing.intent)
            self.receipts.begin(replace(removing.intent, kind=TRASH))

    def volume_removed(self, pool: str, volume: str, *, was_present: bool, trash: str = "") -> None:
        """Write the receipts that the volume is in the trash, and all its keys are gone. `trash`: as in `trashed`."""
        of_volume = f"/{volume}"
        keys = (*self.receipts.openings(KEY), *(each for each in self.receipts.intents() if each.kind == KEY))
        for key in {each.id for each in keys if each.id.startswith(f"{pool}/") and each.id.endswith(of_volume)}:
            self.ended(KEY, *key.split("/"), was_present=False)
        self.ended(REVERT, pool, volume, was_present=False)
        self.trashed(VOLUME, pool, volume, was_present=was_present, trash=trash)

    def expected_erasures(self, pool: str) -> dict[str, Erasure]:
        """Return what is in the trash of the pool or on its way, by the names that it has there."""
        intents = (each for each in self.receipts.intents() if each.kind in (REMOVING, TRASH))
        found = (Erasure(each) for each in intents if each.id.startswith(f"{pool}/"))
        return {each.trash: each for each in found}

    def erased(self, pool: str, trash: str) -> None:
        """Write the receipt that the data is deleted, after that of the removal if it lacks."""
        with self.receipts.together():
            erasure = self.expected_erasures(pool)[trash]
            if not erasure.is_removed:
                self._write_removal(erasure)
                erasure = self.expected_erasures(pool)[trash]
            measured = _where(erasure.kind, erasure.place) | {"trash": trash}
            self.receipts.settled(erasure.intent, "erased", replace(erasure.intent, kind=erasure.kind), measured)

    def _write_removal(self, erasure: Erasure) -> None:
        """Write the receipts of a removal that was interrupted, unless there is another volume in its place since."""
        opening = self.receipts.opening(erasure.kind, "/".join(erasure.place))
        if opening is None or opening.jti != erasure.intent.jti:
            return
        write = self.volume_removed if erasure.kind == VOLUME else partial(self.trashed, erasure.kind)
        write(*erasure.place, was_present=True, trash=erasure.trash)

    @contextmanager
    def reading(self, permit: Permit, *place: str) -> Iterator[dict[str, object]]:
        """Write receipts before the block sends the content, and after it, of what the block says that it has sent."""
        with self.under(permit, READING, *place):
            pass
        sent: dict[str, object] = {"is_whole": False}
        try:
            yield sent
        finally:
            self.receipts.closed(READING, "/".join(place), _where(READING, place) | sent)


def _where(kind: str, place: Sequence[str]) -> dict[str, object]:
    """Return the parts of the place by their names, without the resource."""
    return dict(zip(("pool", PLACES.get(kind, "")), place[:-1], strict=False))
