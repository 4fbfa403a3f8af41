"""A fake node whose power is gone, and back."""

from agents.node.adapters.fake import FakeNode
from agents.node.adapters.interfaces import Power


def lose_power(fake: FakeNode) -> None:
    """Guests are still defined, and off for a reason that nobody knows; one that was still coming is gone."""
    for guest_id, guest in list(fake.guests.items()):
        if guest.is_between:
            del fake.guests[guest_id]
        guest.stop(Power.OFF)
        guest.is_reason_known = False
    fake.tunnel.expected.clear()
    fake.ports.clear()
