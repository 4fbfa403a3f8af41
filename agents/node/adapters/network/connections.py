"""Usage of the connection tracking table, which all networks of a node share.

A full table refuses new connections of every network, so the alarm comes before: at ALARM_PERCENT, until less than
CALM_PERCENT are in use. The kernel counts the entries of the network namespace that reads.
"""

from pathlib import Path

NETFILTER = Path("/proc/sys/net/netfilter")
ALARM_PERCENT, CALM_PERCENT = 80, 70


class ConnectionTable:
    """Reads the table.

    `folder` holds `nf_conntrack_count` and `nf_conntrack_max`; they are missing while nothing is tracked.
    """

    def __init__(self, folder: Path = NETFILTER) -> None:
        self._folder = folder
        self._is_alarmed = False

    def problem(self) -> str:
        """Return the problem, for an operator, with the same text as long as it lasts; empty: none."""
        try:
            used, most = (int((self._folder / f"nf_conntrack_{name}").read_text()) for name in ("count", "max"))
        except FileNotFoundError:
            return ""
        percent = CALM_PERCENT if self._is_alarmed else ALARM_PERCENT
        self._is_alarmed = most > 0 and used * 100 >= most * percent
        if not self._is_alarmed:
            return ""
        return (
            f"At least {ALARM_PERCENT} % of the {most} entries of the connection tracking table (nf_conntrack_max) "
            f"were in use, and {CALM_PERCENT} % still are."
        )
