"""Cut and restore the power of a fake node."""

from agents.node.adapters.fake import FakeNode
from agents.node.adapters.interfaces import Power


def lose_power(fake: FakeNode) -> None:
    """Cut the power: guests stay defined, and off for an unknown reason; an arriving guest is gone."""
    for guest_id, guest in list(fake.guests.items()):
        if guest.is_between:
            del fake.guests[guest_id]
        guest.stop(Power.OFF)
        guest.is_reason_known = False
    fake.tunnel.expected.clear()
    fake.ports.clear()
