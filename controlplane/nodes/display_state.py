"""The life of a node in one word, of whether it is heard and of what operators want of it. Nothing else makes it."""

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
# Its silence is no news then.
SILENT_BY_DUTY = frozenset({"maintenance", "fenced", "retired"})


def display_state(state: str, duty: str) -> str:
    """One of LIFE: what matters most of the two. A node that falls silent while it drains is unreachable first of all;
    one in maintenance may be switched off."""
    if duty in SILENT_BY_DUTY or state == "ready":
        return "ready" if duty == "in-service" else duty
    return state
