"""Base of the sign-in views: failures are counted, and signed-in users are recorded."""

from typing import Any, cast
from uuid import UUID

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.sessions.schemas import SessionOut
from controlplane.audit.request_records import RequestActor
from controlplane.identity.authorization_rules import rule_of
from controlplane.identity.authorization_terms import PUBLIC
from controlplane.identity.errors import NobodyMay
from controlplane.kernel.errors import CloudError
from controlplane.kernel.views import Route, View
from controlplane.signin import second_factors, sessions
from controlplane.signin.client_info import ClientInfo, client_info
from controlplane.signin.errors import SessionNeeded
from controlplane.signin.models import Session

SECRET = {"Cache-Control": "no-store"}


class SignInView(ActorView):
    """View for signed-in users; an API token is not enough.

    A failure is counted after the rollback of the request's writes.

    `open_methods` need no session, `unfinished_methods` also accept sessions without a second factor
    (api/authentication.py).
    """

    open_methods: tuple[str, ...] = ()
    unfinished_methods: tuple[str, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if self._is_open():
            self._admit_anybody(request, *args, **kwargs)
            return
        super().initial(request, *args, **kwargs)
        if not isinstance(request.auth, Session):
            raise SessionNeeded()

    def _admit_anybody(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Admit a request without permission check, as the authorization table has to say: there is no user yet."""
        View.initial(self, request, *args, **kwargs)
        operation = cast(Route, self.route_of(request)).operation_id
        if rule_of(operation).roles != PUBLIC:
            raise NobodyMay(operation=operation)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self._is_open() else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [] if self._is_open() else [*super().get_permissions()]

    def _is_open(self) -> bool:
        return self.request is not None and self.request.method in self.open_methods

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, CloudError) and "account" in exc.facts:
            user = sessions.record_failure(self.origin, exc.facts)
            if user is not None:
                self.set_account(user.pk)
        return super().handle_exception(exc)

    @property
    def origin(self) -> ClientInfo:
        return client_info(self.request._request)

    @property
    def session(self) -> Session:
        return cast(Session, self.request.auth)

    def begun(self, session: Session, secret: str) -> Response:
        """Return 201 with the secret of a new session."""
        self.set_account(session.user_id, credential_id=session.pk)
        needs = not session.is_two_factor and second_factors.needs_one(session.user)
        document = SessionOut(session, context={"current": session}).data
        document |= {"secret": secret, "needs_second_factor": needs}
        return Response(document, status=201, headers={"Location": f"/v1/sessions/{session.pk}", **SECRET})

    def set_account(self, user_id: UUID, *, credential_id: UUID | None = None) -> None:
        """Set the account for the request audit (api/request_audit.py): the request began without an authenticated
        user.
        """
        request_audit = getattr(self.request._request, "request_audit", None)
        if request_audit is not None:
            request_audit.set_account(RequestActor(user_id=user_id, credential_id=credential_id))
