"""All that the node runs and holds, signed with its key, so that what nobody permitted is found."""

from dataclasses import asdict

from agents.node.context import Node
from agents.node.services import inventory
from agents.node.wishes import AttachmentWish
from controlplane.placement.core.reading import as_rfc3339

KIND = "inventory"
VOLUMES, IMAGES = "volumes/", "images/"
SUFFIX = ".qcow2"


def document(node: Node) -> bytes:
    """The signed document of kind "inventory". It lists what is there, not what the agent was told.

    Raises:
        HypervisorUnavailable: nobody can say now what runs.
    """
    files = node.adapters.disks.files()
    held = node.permits.store.held
    return node.permits.key.document(
        KIND,
        {
            "node": str(node.identity.node_id),
            "zone": node.identity.zone,
            "at": as_rfc3339(node.permits.clock.now()),
            "boot_id": node.boot_id,
            "domains": _domains(node),
            "unknown_domains": inventory.unknown_domains(node),
            "volumes": [_name(name, VOLUMES) for name in files if name.startswith(VOLUMES)],
            "images": [_name(name, IMAGES) for name in files if name.startswith(IMAGES)],
            "attachments": [_attachment(entry.id, entry.wish) for entry in node.ledger.attachments.held()],
            "hook": asdict(node.hook_state),
            "trust": {
                "keyset": held.keyset.version,
                "charter": held.charter.version if held.charter else 0,
                "epoch": held.floor.epoch if held.floor else 0,
                "deny": held.deny.version,
            },
            "last_receipt": node.permits.receipts.last_number,
            "refusals": dict(node.permits.admission.refusals.counts),
        },
    )


def _domains(node: Node) -> list[dict[str, object]]:
    """Those with the name of one of our guests."""
    states = sorted(node.adapters.hypervisor.states().items())
    return [{"id": str(guest_id), "power": state.power.value} for guest_id, state in states]


def _name(name: str, folder: str) -> str:
    return name.removeprefix(folder).removesuffix(SUFFIX)


def _attachment(attachment_id: str, wish: AttachmentWish) -> dict[str, object]:
    return {"id": attachment_id, "instance": str(wish.instance_id), "volume": str(wish.volume_id)}
