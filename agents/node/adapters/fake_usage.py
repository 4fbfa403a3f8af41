"""Usage of guests that do not exist."""

from agents.node.adapters.interfaces import DiskUsage, GuestSpec, GuestUsage, NicUsage


def usage_of(spec: GuestSpec, number: int, readings: int) -> GuestUsage:
    """Return the usage: a percentage of the maximum, another one for each guest of a node."""
    percent = 25 + 37 * number % 70
    worked = percent * readings
    disks = tuple(DiskUsage(disk.volume_id, 4096 * worked, 8192 * worked, worked, 2 * worked) for disk in spec.disks)
    nics = tuple(
        NicUsage(nic.device, 1500 * worked, 500 * worked, worked, readings, 2 * readings, 0) for nic in spec.nics
    )
    return GuestUsage(
        vcpus=spec.vcpus,
        cpu_ns=spec.vcpus * worked * 10**8,
        memory_resident_mib=spec.memory_mib,
        memory_used_mib=spec.memory_mib * percent // 100,
        disks=disks,
        nics=nics,
    )
