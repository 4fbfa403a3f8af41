"""Copies of volumes between the own folders of two nodes: the parts that other copies (volume_copies.py) lack."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from agents.node.context import Node
from agents.node.errors import Conflict
from agents.node.services import volume_mirrors
from agents.node.specs import Subject, VolumeCopySpec
from agents.node.state_store import Entry, Phase


def expect(node: Node, entry: Entry[VolumeCopySpec]) -> str:
    """Expect the volume of the entry. Return where its source sends it.

    Raises:
        AdapterError: this node accepts none.
    """
    peer = entry.spec.received_from
    assert peer is not None, "only a received copy is expected"
    volume_id = UUID(entry.id)
    keep = partial(_keep, node, Subject(volume_id, entry.generation))
    return node.adapters.transfers.expect(
        volume_id, size_bytes=entry.spec.size_bytes, certificate_sha256=peer.certificate_sha256, keep=keep
    )


def _keep(node: Node, subject: Subject, publish: Callable[[], None]) -> None:
    """Keep the volume, all of which has arrived.

    Raises:
        Conflict: it is not expected any more.
    """
    with node.locks.hold(("volume", subject.id)):
        entry = node.state_store.copies.get(subject.id)
        if entry is None or not entry.is_wanted or entry.generation != subject.generation:
            raise Conflict(f"Volume {subject.id} is not expected here any more.")
        if entry.phase is Phase.MAKING:
            publish()
            node.state_store.copies.confirm(subject.id)


def end(node: Node, subject: Subject, entry: Entry[VolumeCopySpec]) -> None:
    """End the copy. What a destination has of it is erased, unless the volume has come there in another way."""
    node.state_store.copies.begin_removal(subject)
    if entry.spec.received_from is None:
        return
    node.adapters.transfers.refuse(subject.id)
    held = node.state_store.volumes.get(subject.id)
    if held is None or not held.is_held:
        node.adapters.disks.engine().remove(subject.id)


def become_volume(node: Node, subject: Subject, entry: Entry[VolumeCopySpec]) -> None:
    """Let the volume be the received copy, in one transaction.

    A volume that this node has removed under a later generation stays removed.

    Raises:
        Conflict: the copy is not complete: without its source the volume would be lost.
    """
    with node.state_store.transaction():
        held = node.state_store.volumes.get(subject.id)
        is_later = held is not None and held.generation >= subject.generation
        if entry.phase is not Phase.PRESENT and not is_later:
            raise Conflict(f"The copy of volume {subject.id} is not complete: without its source it would be lost.")
        node.state_store.copies.begin_removal(subject)
        if not is_later:
            node.state_store.volumes.accept(subject, volume_mirrors.spec_there(entry.spec, held), uses=())
            node.state_store.volumes.confirm(subject.id)
    node.adapters.transfers.refuse(subject.id)
