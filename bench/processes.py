"""CPU and memory of the processes of a cloud, each with its children."""

from contextlib import suppress
from dataclasses import dataclass

import psutil

from scripts.cloud import Cloud
from scripts.control_plane import Stack

PROCESSES = ("web", "worker", "signer", "sentinel", "periodic", "transfer", "watcher", "stream", "webhooks")


@dataclass(frozen=True)
class Reading:
    """Figures of a process. `pss_mib` counts shared pages once over the processes that share them."""

    cpu_s: float
    pss_mib: float


def read(cloud: Cloud) -> dict[str, Reading]:
    families = {name: _family(process) for name in PROCESSES if (process := cloud.stack.process(name))}
    if (loaded := cloud.stack.loaded_pid) is not None:
        families["copied"] = [psutil.Process(loaded)]
    families["postgresql"] = _by_pid_file(cloud.stack, "pg/postmaster.pid")
    families["redis"] = _by_pid_file(cloud.stack, "run/redis.pid")
    for name in cloud.zones:
        families[f"agent {name}"] = _agent(cloud, name)
    return {name: _sum(family) for name, family in families.items()}


def _agent(cloud: Cloud, name: str) -> list[psutil.Process]:
    if cloud.is_fake:
        process = cloud.stack.process(f"agent-{name}")
        return [process] if process else []
    return [psutil.Process(pid) for pid in cloud.node(name).pids(containing="agents.node.main")]


def _by_pid_file(stack: Stack, name: str) -> list[psutil.Process]:
    return _family(psutil.Process(int((stack.var / name).read_text().split()[0])))


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _sum(family: list[psutil.Process]) -> Reading:
    cpu, pss = 0.0, 0.0
    for process in family:
        with suppress(psutil.NoSuchProcess):  # a server of a connection that was just closed
            times, memory = process.cpu_times(), process.memory_full_info()
            cpu += times.user + times.system
            pss += memory.pss
    return Reading(cpu, pss / 2**20)


def postgresql_cpu_s(stack: Stack) -> float:
    """Return the CPU seconds of all PostgreSQL servers so far, ended ones included."""
    return family_cpu_s(psutil.Process(int((stack.var / "pg/postmaster.pid").read_text().split()[0])))


def family_cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds so far, with those of ended children."""
    total = sum(process.cpu_times()[:4])
    for child in process.children():
        with suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:2])
    return total
