"""Several worker processes, and their CPU time."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench import processes
from scripts.cloud import Cloud
from scripts.control_plane import STOP_LIMIT_S


class Workers:
    """The workers. The first is the stack's own."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.names = ["worker"]

    def be(self, count: int) -> None:
        """Run exactly this number of workers; surplus workers finish their operations first."""
        while len(self.names) > count:
            self._end(self.names.pop())
        while len(self.names) < count:
            name = f"worker-{len(self.names) + 1}"
            command = [*self._cloud.stack.commands()["worker"], "--hostname", f"{name}@%h"]
            self._cloud.stack.spawn(name, command)
            self.names.append(name)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause all workers until the block ends."""
        self.be(1)
        self._end("worker")
        yield
        self._cloud.stack.start_process("worker")

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds by process, the workers as one."""
        seconds = {name: reading.cpu_s for name, reading in processes.read(self._cloud).items()}
        more = [process for name in self.names[1:] if (process := self._cloud.stack.process(name))]
        return seconds | {"worker": seconds["worker"] + sum(processes.family_cpu_s(process) for process in more)}

    def _end(self, name: str) -> None:
        process = self._cloud.stack.process(name)
        if process is not None:
            process.terminate()
            psutil.wait_procs([process], timeout=STOP_LIMIT_S)
        self._cloud.stack.kill(name)
