"""Start authorizations: guests that libvirt may start now, because the agent starts or expects them under a valid
permit.
"""

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from agents.node import domain_check
from agents.node.adapters.interfaces import GuestSpec
from agents.node.domain_check import ForeignDomain
from agents.node.trust.clock import Clock

# The agent restarts a guest that dies under KVM in its first seconds, under emulation.
KVM_AFTERMATH = timedelta(seconds=15)
NONE = timedelta(0)
# The hook calls of libvirt for one start, and for one guest that arrives from another node.
START = ("prepare", "start")
ARRIVAL = ("migrate", "prepare", "start")
PREPARED = "start"  # libvirt has made its own choices before this call


@dataclass(slots=True)
class StartAuthorization:
    """Authorizes a start.

    `attempts`: the number of further starts, each with all of `questions` in order; `due`: the questions still open in
    a start that has begun.
    """

    guest: GuestSpec
    until: datetime
    attempts: int
    questions: tuple[str, ...] = START
    due: tuple[str, ...] = ()


class StartAuthorizations:
    """Holds the start authorizations, in memory only: after a crash the agent starts nothing.

    Safe for use by many threads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._authorizations: dict[UUID, StartAuthorization] = {}
        self._lock = threading.Lock()

    @contextmanager
    def allow(self, guest: GuestSpec, until: datetime | None, *, aftermath: timedelta = NONE) -> Iterator[None]:
        """Allow the holder of the guest's lock to start the guest with this definition.

        The start is allowed once within the block, and once more there or within `aftermath` of a success, but not
        after `until`. None: not at all.
        """
        if until is not None:
            with self._lock:
                self._authorizations[guest.id] = StartAuthorization(guest, until, attempts=2 if aftermath else 1)
        try:
            yield
        except BaseException:
            self.end(guest.id)
            raise
        with self._lock:
            authorization = self._authorizations.get(guest.id)
            if authorization is not None:
                authorization.until = min(authorization.until, self._clock.now() + aftermath)

    def expect(self, guest: GuestSpec, until: datetime) -> None:
        """Allow the guest to arrive from another node once, beginning no later than `until`."""
        with self._lock:
            self._authorizations[guest.id] = StartAuthorization(guest, until, attempts=1, questions=ARRIVAL)

    def end(self, instance_id: UUID) -> None:
        with self._lock:
            self._authorizations.pop(instance_id, None)

    def end_all(self) -> None:
        with self._lock:
            self._authorizations.clear()

    def use(self, instance_id: UUID, operation: str, domain: ET.Element) -> str | None:
        """Use up the authorization for this start and return None, or return the reason for the refusal.

        `domain` is the definition that libvirt would start. In that of a guest that arrives, the disks of Ceph clusters
        get this node's clients.
        """
        with self._lock:
            authorization = self._authorizations.get(instance_id)
            if authorization is None or self._clock.now() >= authorization.until:
                return f"The agent is not starting instance {instance_id}: no permit is in force for it."
            try:
                is_arrival, is_prepared = authorization.questions == ARRIVAL, operation == PREPARED
                if is_arrival and operation == ARRIVAL[0]:
                    domain_check.use_own_clients(authorization.guest, domain)
                domain_check.check(authorization.guest, domain, is_prepared=is_prepared, may_share_user=is_arrival)
            except ForeignDomain as exc:
                return f"Instance {instance_id} is not as the agent defined it: {exc}."
            if operation == authorization.questions[0] and authorization.attempts > 0:
                authorization.attempts, authorization.due = authorization.attempts - 1, authorization.questions[1:]
                return None
            if authorization.due and operation == authorization.due[0]:
                authorization.due = authorization.due[1:]
                return None
        return f"The agent has not begun another start of instance {instance_id}."
