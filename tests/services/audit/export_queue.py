"""Run an export from the request to its file, without Celery."""

from dataclasses import dataclass, field

from controlplane.kernel.wakeups import Task


@dataclass
class ExportQueue:
    """Replaces the queue of the signer: stores the wake-ups that were sent, and does nothing by itself."""

    hints: list[Task] = field(default_factory=list)

    def send_wakeup(self, task: Task) -> None:
        self.hints.append(task)
