"""One open session of the process `stream`: its traffic, its time limits, and its audit entries."""

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from controlplane.api.session_ends import TIMED_OUT, End, Ended
from controlplane.audit.services import record
from controlplane.compute.guest_sessions import GuestSession
from controlplane.identity.actor import Actor


@dataclass(eq=False)
class OpenSession:
    """An open session. `address`: of the client. `typed_bytes` come from the client, `shown_bytes` from the guest."""

    of: GuestSession
    address: str | None
    organization_id: UUID | None
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    typed_bytes: int = 0
    shown_bytes: int = 0

    def record_traffic(self, *, typed: int = 0, shown: int = 0) -> None:
        self.last = time.monotonic()
        self.typed_bytes += typed
        self.shown_bytes += shown

    def check_time(self) -> None:
        """Check the time limits. Raises Ended."""
        now = time.monotonic()
        if now - self.last > settings.CONSOLE_IDLE_MINUTES * 60:
            raise Ended(End(TIMED_OUT, _("The session was idle for too long.")))
        if now - self.began > settings.CONSOLE_HOURS * 3600:
            raise Ended(End(TIMED_OUT, _("The session reached its maximum duration.")))

    def record_begin(self) -> None:
        """Write the audit entry of the session's begin."""
        facts: dict[str, Any] = {"is_read_only": self.of.is_read_only}
        if self.of.is_tunnel:
            facts = {"guest_address": self.of.address, "tcp_port": self.of.tcp_port}
        self._record("open", facts)

    def record_end(self, end: End) -> None:
        """Write the audit entry of the session's end."""
        duration_s = round(time.monotonic() - self.began, 1)
        traffic = {"typed_bytes": self.typed_bytes, "shown_bytes": self.shown_bytes}
        if self.of.is_tunnel:
            traffic = {"sent_bytes": self.typed_bytes, "received_bytes": self.shown_bytes}
        self._record("close", {"code": end.code, "duration_s": duration_s, **traffic})

    @transaction.atomic
    def _record(self, verb: str, facts: dict[str, Any]) -> None:
        of = self.of
        noun = "tunnel" if of.is_tunnel else "console"
        who = Actor(of.user_id, of.credential_id, None, "", request_id=of.request_id)
        common = {noun: str(of.id), "kind": of.kind.value, "address": self.address}
        record(who, f"{noun}.{verb}", of.instance_id, project_id=of.project_id, **common, **facts)
