"""Signed inventory: everything that the node runs and stores, signed with its key, so that unpermitted resources are
found.
"""

import re
from collections.abc import Collection
from dataclasses import asdict
from uuid import UUID

from agents.node.adapters.interfaces import RBD
from agents.node.context import Node
from agents.node.services import quarantine, volumes
from agents.node.specs import AttachmentSpec
from andromede_core.documents.parsing import as_rfc3339

KIND = "inventory"
UUID_TEXT = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
VOLUME = re.compile(rf"volumes/({UUID_TEXT})\.qcow2")
IMAGE = re.compile(r"images/([0-9a-f]{64})")
SEED = "seed.iso"


def document(node: Node) -> bytes:
    """Return the signed document of kind "inventory". It lists what exists, not what the state store expects.

    Raises:
        HypervisorUnavailable: it is unknown now which guests run.
    """
    files = node.adapters.disks.files()
    snapshot = node.permits.store.held
    return node.permits.key.document(
        KIND,
        {
            "node": str(node.identity.node_id),
            "zone": node.identity.zone,
            "at": as_rfc3339(node.permits.clock.now()),
            "boot_id": node.boot_id,
            "domains": _domains(node),
            "unknown_domains": quarantine.unknown_domains(node),
            "volumes": [_id_or_path(path, VOLUME) for path in files if path.startswith("volumes/")],
            "images": [_id_or_path(path, IMAGE) for path in files if path.startswith("images/")],
            "attachments": [_attachment(entry.id, entry.spec) for entry in node.state_store.attachments.held()],
            "pools": [{"name": pool.name, "uuid": str(pool.uuid)} for pool in node.adapters.disks.pools()],
            "hook": asdict(node.hook_state),
            "trust": {
                "keyset": snapshot.keyset.version,
                "charter": snapshot.charter.version if snapshot.charter else 0,
                "epoch": snapshot.floor.epoch if snapshot.floor else 0,
                "deny": snapshot.deny.version,
            },
            "last_receipt": node.permits.receipts.last_number,
            "refusals": dict(node.permits.admission.refusals.counts),
        },
    )


def _domains(node: Node) -> list[dict[str, object]]:
    """List the domains with a guest's name.

    `permit` is empty where the agent started nothing under one: looked up before and after, since guests start and stop
    in between.
    """
    before, folders = _permits(node), volumes.folders(node)
    states = sorted(node.adapters.hypervisor.states().items())
    permits = before | _permits(node)
    return [
        {
            "id": str(guest_id),
            "power": state.power.value,
            "permit": permits.get(str(guest_id), ""),
            "disks": _disks(node, guest_id, folders),
        }
        for guest_id, state in states
    ]


def _permits(node: Node) -> dict[str, str]:
    """Map each guest to the permit under which it was started, is being started, or has arrived."""
    receipts = node.permits.receipts
    begun = [intent for intent in receipts.intents() if intent.kind == "instance"]
    return {each.id: each.jti for each in [*receipts.openings("arrival"), *begun, *receipts.openings("instance")]}


def _disks(node: Node, guest_id: UUID, folders: Collection[str]) -> list[str]:
    """List the disks plugged in now, without the seed: ids of volumes, and the path of anything else."""
    seed = str(node.adapters.disks.console_path(guest_id).with_name(SEED))
    plugged = (source for source in node.adapters.hypervisor.plugged(guest_id) if source != seed)
    return sorted(_volume_or_place(source, folders) for source in plugged)


def _volume_or_place(source: str, folders: Collection[str]) -> str:
    folder, _, name = source.rpartition("/")
    if folder not in folders:
        return source
    if source.startswith(RBD):
        return name if re.fullmatch(UUID_TEXT, name) else source
    return _id_or_path(f"volumes/{name}", VOLUME)


def _id_or_path(path: str, pattern: re.Pattern[str]) -> str:
    """Return the id if the file has exactly the managed name, else the path: no other name may pass for an id."""
    match = pattern.fullmatch(path)
    return match[1] if match else path


def _attachment(attachment_id: str, spec: AttachmentSpec) -> dict[str, object]:
    return {"id": attachment_id, "instance": str(spec.instance_id), "volume": str(spec.volume_id)}
