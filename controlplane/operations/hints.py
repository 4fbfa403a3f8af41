"""Tell a worker that an operation is due. A hint may be lost, doubled or late: the row is the truth, and the sweep
sends another one."""

from uuid import UUID

from celery import current_app

RUN = "controlplane.workflows.tasks.run"


def send(operation_id: UUID, *, delay_s: float = 0) -> None:
    current_app.send_task(RUN, args=[str(operation_id)], countdown=delay_s or None, retry=False)
