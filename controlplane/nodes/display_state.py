"""The display state of a node: one word from its state and its admin state. No other code derives it."""

DISPLAY_STATES = (
    "enrolled",
    "ready",
    "cordoned",
    "draining",
    "maintenance",
    "unreachable",
    "fenced",
    "retired",
)
# A missing heartbeat is expected in these states.
UNREACHABLE_AS_EXPECTED = frozenset({"maintenance", "fenced", "retired"})


def display_state(state: str, admin_state: str) -> str:
    """Return one of DISPLAY_STATES: the more important of the two.

    A node that becomes unreachable while it drains is unreachable first of all; one in maintenance may be switched off.
    """
    if admin_state in UNREACHABLE_AS_EXPECTED or state == "ready":
        return "ready" if admin_state == "in-service" else admin_state
    return state
