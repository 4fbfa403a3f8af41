"""Passkeys."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.kernel.fields import Out, Text
from controlplane.kernel.listing import Listing, created_after
from controlplane.kernel.rest import Body, created, route
from controlplane.signin import credentials, passkeys, sessions
from controlplane.signin.models import Passkey
from controlplane.signin.rest import SECRET, SignInView
from controlplane.signin.serializers import NAME_MAX, PasskeyAnswerIn, SessionWithSecretOut

PASSKEYS = Listing({"created_after": created_after()}, sorts=("-created_at", "created_at"))


class ChallengeOut(Out):
    """`options` go to the browser's navigator.credentials.create() or .get(); bytes in them are base64url. What it
    answers is sent with `ceremony`."""

    ceremony = serializers.UUIDField()
    options = serializers.DictField()
    expires_at = serializers.DateTimeField()


class PasskeyIn(PasskeyAnswerIn):
    """`name`: by which you recognise it."""

    example = {**PasskeyAnswerIn.example, "name": "the key on my ring"}

    name = Text(max_length=NAME_MAX)


class PasskeyOut(Out):
    """`is_backed_up`: its maker keeps a copy, so that other devices of yours have it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    is_backed_up = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


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

    @route("passkey_session_create", SessionWithSecretOut, body=PasskeyAnswerIn, status=201, refusals=(403,))
    def post(self, request: Request, body: Body) -> Response:
        return self.begun(*sessions.session_create_by_passkey(self.origin, answer_in(body)))
