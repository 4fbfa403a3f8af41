"""Map libvirt's states and reasons to the agent's terms. Pure."""

import libvirt

from agents.node.adapters.interfaces import GuestState, Power

OFF_REASONS = {
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: "The guest powered itself off.",
    libvirt.VIR_DOMAIN_SHUTOFF_SAVED: "The guest was saved to disk.",
    libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED: "The guest has moved to another node.",
}
CRASH_REASONS = {
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: "The guest's process died, or the guest panicked.",
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: "The guest's process could not be started.",
    libvirt.VIR_DOMAIN_SHUTOFF_DAEMON: "libvirtd ended the guest when it could not take it over again.",
}
PAUSE_REASONS = {
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: "A disk of the guest failed; perhaps the node's disk is full.",
    libvirt.VIR_DOMAIN_PAUSED_CRASHED: "The guest panicked.",
    libvirt.VIR_DOMAIN_PAUSED_WATCHDOG: "The guest's watchdog fired.",
    libvirt.VIR_DOMAIN_PAUSED_UNKNOWN: "The accelerator could not go on running the guest.",
}
# At both ends of a move: what has come is not whole yet, what is to go has not been let go of.
ON_ITS_WAY = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION)
STARTING = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
STOPPING = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_SHUTTING_DOWN)
RUNNING = frozenset(
    {libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED, libvirt.VIR_DOMAIN_SHUTDOWN, libvirt.VIR_DOMAIN_NOSTATE}
)


def guest_state(state: int, reason: int, *, virt_type: str) -> GuestState:
    if (state, reason) == STARTING:
        return GuestState(Power.OFF, virt_type, is_between=True)  # not a running one before its first instruction
    if state in RUNNING or (state, reason) == STOPPING:
        return GuestState(Power.RUNNING, virt_type)
    if state == libvirt.VIR_DOMAIN_PAUSED:
        is_between = (state, reason) == ON_ITS_WAY
        return GuestState(Power.PAUSED, virt_type, PAUSE_REASONS.get(reason, ""), is_between=is_between)
    if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
        return GuestState(Power.PAUSED, virt_type, "The guest has suspended itself.")
    if state == libvirt.VIR_DOMAIN_CRASHED or reason in CRASH_REASONS:
        return GuestState(Power.CRASHED, virt_type, CRASH_REASONS.get(reason, "The guest crashed."))
    is_known = reason != libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN
    return GuestState(Power.OFF, virt_type, OFF_REASONS.get(reason, ""), is_reason_known=is_known)
