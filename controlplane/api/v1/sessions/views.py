"""Routes of sessions."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.sign_in_views import SignInView
from controlplane.api.v1.sessions.schemas import EndOthersIn, SessionOut, SessionWithSecretOut, SignInIn, VerifyIn
from controlplane.kernel.listing import Listing, created_after
from controlplane.kernel.views import Body, route
from controlplane.signin import selectors, sessions
from controlplane.signin.models import Session
from controlplane.signin.passkeys import Response as Answer
from controlplane.signin.second_factors import Proof

SESSIONS = Listing({"created_after": created_after()}, sorts=("-created_at", "created_at"))


def proof_in(body: Body) -> Proof:
    passkey = Answer(**body["passkey"]) if body["passkey"] is not None else None
    return Proof(totp=body["totp"], recovery_code=body["recovery_code"], passkey=passkey)


class SessionList(SignInView):
    open_methods = ("POST",)

    @route("session_list", SessionOut, listing=SESSIONS)
    def get(self, request: Request) -> Response:
        page = SESSIONS.page(request, selectors.sessions_of(self.session.user_id))
        return page.answer(SessionOut, context={"current": self.session})

    @route("session_create", SessionWithSecretOut, body=SignInIn, status=201, error_statuses=(403,))
    def post(self, request: Request, body: Body) -> Response:
        session, secret = sessions.session_create(
            self.origin, email=body["email"], password=body["password"], proof=proof_in(body)
        )
        return self.begun(session, secret)


class SessionDetail(SignInView):
    """A session; `current` is the session of the request."""

    unfinished_methods = ("GET", "DELETE")

    @route("session_get", SessionOut)
    def get(self, request: Request) -> Response:
        return Response(SessionOut(self.named(), context={"current": self.session}).data)

    @route("session_end", status=204)
    def delete(self, request: Request) -> Response:
        sessions.session_end(self.actor, self.named())
        return Response(status=204)

    def named(self) -> Session:
        return selectors.session_get(self.session.user_id, self.kwargs["session"], current=self.session)


class SessionVerify(SignInView):
    unfinished_methods = ("POST",)

    @route("session_verify", SessionOut, body=VerifyIn)
    def post(self, request: Request, body: Body) -> Response:
        session = sessions.session_verify(
            self.actor, self.session, self.origin, password=body["password"], proof=proof_in(body)
        )
        return Response(SessionOut(session, context={"current": session}).data)


class SessionEndOthers(SignInView):
    @route("session_end_others", body=EndOthersIn, status=204)
    def post(self, request: Request, body: Body) -> Response:
        sessions.session_end_others(self.actor, self.session, **body)
        return Response(status=204)


class UserSessions(ActorView):
    @route("user_sessions_end", status=204)
    def delete(self, request: Request) -> Response:
        """End the session, and revoke the API tokens that the user's sessions have issued."""
        sessions.sessions_end_all(self.actor, selectors.user_get(self.kwargs["user"]))
        return Response(status=204)
