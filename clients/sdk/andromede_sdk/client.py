"""The client: entry point of the package."""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Self

from andromede_sdk.resource import Scope
from andromede_sdk.resources import Managers
from andromede_sdk.transport import Retry, Transport, checked_url


class Client(Managers):
    """A control plane, used with one token. Each kind of resource is an attribute: `client.instances.list()`.

    `project`: the name or id of the project for calls within a project; `within()` returns a client for another.
    `timeout_s`: how long one attempt may wait for data. `language`: of titles and details of errors, "en" or "fr".
    `verify`: an SSLContext for a control plane with a certificate of a private authority. One client may be used by
    several threads.
    """

    def __init__(  # noqa: PLR0913 - each is an option, given by name
        self,
        url: str,
        token: str = "",
        *,
        project: str | None = None,
        timeout_s: float = 60.0,
        retry: Retry | None = None,
        language: str | None = None,
        verify: bool | ssl.SSLContext = True,
        allow_http: bool = False,
    ) -> None:
        transport = Transport(
            checked_url(url, allow_http=allow_http),
            token,
            timeout_s=timeout_s,
            retry=retry or Retry(),
            language=language,
            verify=verify,
        )
        super().__init__(Scope(transport, project))

    @property
    def url(self) -> str:
        return self.scope.transport.url

    @property
    def project(self) -> str | None:
        return self.scope.project

    def within(self, project: str) -> Managers:
        """Return a client for another project over the same connection."""
        return Managers(Scope(self.scope.transport, project))

    def close(self) -> None:
        self.scope.transport.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r}, project={self.project!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
