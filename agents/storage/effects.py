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

The data of a volume in the trash are deleted later: then the receipt of its removal is followed by one with the event
`erased`. The intent to write it is on disk before the volume goes to the trash.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from agents.node.trust.receipts import Opening, Receipts
from andromede_core.permits.permit import Permit

IMAGE, VOLUME, KEY, SNAPSHOT, REVERT, READING = "image", "cluster-volume", "key", "snapshot", "revert", "reading"
TRASH = "trash"  # of intents: pool, RBD's id of the image, volume
PLACES = {KEY: "for_node", SNAPSHOT: "volume", READING: "volume"}  # what is between the pool and the resource


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

    def removing(self, pool: str, volume: str, *, image: str) -> None:
        """Record the intent to write the receipt of the erasure. `image`: RBD's id of the volume; empty: it is gone."""
        if not image:
            return
        self.settle(VOLUME, pool, volume, has_happened=True)
        opening = self.receipts.opening(VOLUME, f"{pool}/{volume}")
        if opening is not None:
            self.receipts.begin(replace(opening, kind=TRASH, id=f"{pool}/{image}/{volume}"))

    def volume_removed(self, pool: str, volume: str, *, was_present: bool, image: str = "") -> None:
        """Write the receipts that the volume is in the trash, and all its keys are gone.

        `image`: as in `removing`; that of the last one by default.
        """
        of_volume = f"/{volume}"
        keys = (*self.receipts.openings(KEY), *(each for each in self.receipts.intents() if each.kind == KEY))
        for key in {each.id for each in keys if each.id.startswith(f"{pool}/") and each.id.endswith(of_volume)}:
            self.ended(KEY, *key.split("/"), was_present=False)
        image = image or self._image_of(self.receipts.opening(VOLUME, f"{pool}/{volume}"))
        self.ended(REVERT, pool, volume, was_present=False)
        self.ended(VOLUME, pool, volume, was_present=was_present, **({"trash": image} if image else {}))

    def expected_erasures(self, pool: str) -> dict[str, Opening]:
        """Return the volumes that are in the trash or on their way, by the RBD ids of their images."""
        intents = (each for each in self.receipts.intents() if each.kind == TRASH)
        of_pool = (each for each in intents if each.id.startswith(f"{pool}/"))
        return {each.id.split("/")[1]: each for each in of_pool}

    def erased(self, pool: str, volume: str, *, image: str) -> None:
        """Write the receipt that the data of the volume are deleted, after that of its removal if it lacks."""
        intent = self.expected_erasures(pool)[image]
        if self._image_of(self.receipts.opening(VOLUME, f"{pool}/{volume}")) == image:
            self.volume_removed(pool, volume, was_present=True, image=image)
        measured = {"pool": pool, "trash": image}
        self.receipts.settled(intent, "erased", replace(intent, kind=VOLUME), measured)

    def _image_of(self, opening: Opening | None) -> str:
        """Return the image of an opened volume that is in the trash or on its way; empty: there is none."""
        if opening is None:
            return ""
        expected = self.expected_erasures(opening.id.partition("/")[0])
        named = [
            image for image, each in expected.items() if (each.resource, each.jti) == (opening.resource, opening.jti)
        ]
        return named[-1] if named else ""

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
