"""Routes of passkeys (WebAuthn)."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.sign_in_views import SECRET, SignInView
from controlplane.api.v1.passkeys.schemas import ChallengeOut, PasskeyAnswerIn, PasskeyIn, PasskeyOut
from controlplane.api.v1.sessions.schemas import SessionWithSecretOut
from controlplane.kernel.listing import Listing, created_after
from controlplane.kernel.views import Body, created, route
from controlplane.signin import credentials, passkeys, sessions
from controlplane.signin.models import Passkey

PASSKEYS = Listing({"created_after": created_after()}, sorts=("-created_at", "created_at"))


def answer_in(body: Body) -> passkeys.Response:
    return passkeys.Response(body["ceremony"], body["credential"])


def _shown(challenge: passkeys.Challenge) -> Response:
    ceremony = challenge.ceremony
    document = {"ceremony": ceremony.pk, "options": challenge.options, "expires_at": ceremony.expires_at}
    return Response(ChallengeOut(document).data, status=201, headers=SECRET)


class RegisterChallenge(SignInView):
    unfinished_methods = ("POST",)

    @route("passkey_challenge", ChallengeOut, status=201)
    def post(self, request: Request) -> Response:
        return _shown(credentials.passkey_begin(self.session))


class PasskeyList(SignInView):
    unfinished_methods = ("POST",)

    @route("passkey_list", PasskeyOut, listing=PASSKEYS)
    def get(self, request: Request) -> Response:
        return PASSKEYS.page(request, Passkey.objects.filter(user=self.session.user_id)).answer(PasskeyOut)

    @route("passkey_register", PasskeyOut, body=PasskeyIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        passkey = credentials.passkey_register(self.actor, self.session, answer_in(body), name=body["name"])
        return created(PasskeyOut(passkey).data, request=request)


class PasskeyDetail(SignInView):
    @route("passkey_remove", status=204)
    def delete(self, request: Request) -> Response:
        credentials.passkey_remove(self.actor, self.session, self.kwargs["passkey"])
        return Response(status=204)


class SignInChallenge(SignInView):
    open_methods = ("POST",)

    @route("passkey_sign_in_challenge", ChallengeOut, status=201)
    def post(self, request: Request) -> Response:
        return _shown(passkeys.challenge_to_sign_in())


class PasskeySessionList(SignInView):
    open_methods = ("POST",)

    @route("passkey_session_create", SessionWithSecretOut, body=PasskeyAnswerIn, status=201, error_statuses=(403,))
    def post(self, request: Request, body: Body) -> Response:
        return self.begun(*sessions.session_create_by_passkey(self.origin, answer_in(body)))
