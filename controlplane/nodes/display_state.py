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
SILENT_BY_DUTY = frozenset({"maintenance", "fenced", "retired"})


def display_state(state: str, duty: str) -> str:
    """Return one of LIFE: the more important of the two.

    A node that becomes unreachable while it drains is unreachable first of all; one in maintenance may be switched off.
    """
    if duty in SILENT_BY_DUTY or state == "ready":
        return "ready" if duty == "in-service" else duty
    return state
