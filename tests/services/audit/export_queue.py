"""Run an export from the request to its file, without Celery."""

from dataclasses import dataclass, field

from controlplane.audit import exports


@dataclass
class ExportQueue:
    """Replaces the queue of the signer: stores the wake-ups that were sent, and does nothing by itself."""

    hints: list[str] = field(default_factory=list)

    def send_task(self, name: str, *, queue: str, retry: bool) -> None:
        assert (name, queue, retry) == (exports.MAKE, "signer", False)
        self.hints.append(name)
