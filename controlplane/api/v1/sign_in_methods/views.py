"""Routes of sign-in methods: TOTP (RFC 6238) and recovery codes."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.sign_in_views import SECRET, SignInView
from controlplane.api.v1.sign_in_methods.schemas import MethodsOut, RecoveryCodesOut, TotpConfirmIn, TotpOut
from controlplane.kernel.views import Body, route
from controlplane.signin import credentials, second_factors


class Methods(SignInView):
    unfinished_methods = ("GET",)

    @route("sign_in_methods_get", MethodsOut)
    def get(self, request: Request) -> Response:
        return Response(MethodsOut(second_factors.methods_of(self.session.user)).data)


class Totp(SignInView):
    unfinished_methods = ("POST",)

    @route("totp_enrol", TotpOut, status=201)
    def post(self, request: Request) -> Response:
        secret, uri = credentials.totp_enrol(self.actor, self.session)
        return Response(TotpOut({"secret": secret, "otpauth_uri": uri}).data, status=201, headers=SECRET)

    @route("totp_remove", status=204)
    def delete(self, request: Request) -> Response:
        credentials.totp_remove(self.actor, self.session)
        return Response(status=204)


class TotpConfirm(SignInView):
    unfinished_methods = ("POST",)

    @route("totp_confirm", RecoveryCodesOut, body=TotpConfirmIn)
    def post(self, request: Request, body: Body) -> Response:
        codes = credentials.totp_confirm(self.actor, self.session, self.origin, code=body["code"])
        return Response(RecoveryCodesOut({"recovery_codes": codes}).data, headers=SECRET)


class RecoveryCodes(SignInView):
    @route("recovery_codes_replace", RecoveryCodesOut)
    def post(self, request: Request) -> Response:
        codes = credentials.recovery_codes_replace(self.actor, self.session)
        return Response(RecoveryCodesOut({"recovery_codes": codes}).data, headers=SECRET)
