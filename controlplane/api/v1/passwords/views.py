"""Routes of passwords, and of their resets by two people."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.sign_in_views import SECRET, SignInView
from controlplane.api.v1.passwords.schemas import (
    PasswordChangeIn,
    PasswordLinkOut,
    PasswordResetLinkOut,
    PasswordResetOut,
    PasswordSetIn,
)
from controlplane.kernel.listing import Listing, created_after
from controlplane.kernel.views import Body, route
from controlplane.signin import credentials, resets, selectors

RESETS = Listing({"created_after": created_after()}, sorts=("-created_at", "created_at"))


class PasswordChange(SignInView):
    @route("password_change", body=PasswordChangeIn, status=204)
    def post(self, request: Request, body: Body) -> Response:
        credentials.password_change(self.actor, self.session, self.origin, **body)
        return Response(status=204)


class PasswordSet(SignInView):
    open_methods = ("POST",)

    @route("password_set", body=PasswordSetIn, status=204, error_statuses=(403,))
    def post(self, request: Request, body: Body) -> Response:
        user = credentials.password_set(self.origin, link_secret=body["secret"], new_password=body["new_password"])
        self.set_account(user.pk)
        return Response(status=204)


class PasswordLinkList(SignInView):
    """For a new account alone, which has no password, no membership and no duty yet. For others there are resets."""

    @route("password_link_create", PasswordLinkOut, status=201)
    def post(self, request: Request) -> Response:
        user = selectors.user_get(self.kwargs["user"])
        secret, until = resets.first_link_create(self.actor, self.session, user)
        return Response(PasswordLinkOut({"secret": secret, "expires_at": until}).data, status=201, headers=SECRET)


class UserPasswordResets(SignInView):
    """A reset of the password of an account in use. It takes two people: you, an operator, and another operator or an
    owner of an organization of the user, who confirms it."""

    @route("password_reset_create", PasswordResetOut, status=201)
    def post(self, request: Request) -> Response:
        made = resets.reset_create(self.actor, self.session, selectors.user_get(self.kwargs["user"]))
        location = {"Location": f"/v1/password-resets/{made.pk}"}
        return Response(PasswordResetOut(made).data, status=201, headers=location)


class PasswordResetList(SignInView):
    """Resets that wait, and those whose link was not used yet: of the members of organizations that you own, your own,
    and for operators all."""

    @route("password_reset_list", PasswordResetOut, listing=RESETS)
    def get(self, request: Request) -> Response:
        return RESETS.page(request, resets.resets(self.actor)).answer(PasswordResetOut)


class PasswordResetDetail(SignInView):
    @route("password_reset_get", PasswordResetOut)
    def get(self, request: Request) -> Response:
        return Response(PasswordResetOut(resets.reset_get(self.actor, self.kwargs["reset"])).data)

    @route("password_reset_withdraw", status=204)
    def delete(self, request: Request) -> Response:
        """The reset and its link are void. Also your own: somebody asked for it, and it was not you."""
        resets.reset_withdraw(self.actor, resets.reset_get(self.actor, self.kwargs["reset"]))
        return Response(status=204)


class PasswordResetConfirm(SignInView):
    """By a second person. Make sure first, by another way, that the user wants it. The link is good after a hold, and
    the user's second factors stay as they are."""

    @route("password_reset_confirm", PasswordResetLinkOut)
    def post(self, request: Request) -> Response:
        reset = resets.reset_get(self.actor, self.kwargs["reset"])
        secret, reset = resets.reset_confirm(self.actor, self.session, reset)
        return Response({**PasswordResetOut(reset).data, "secret": secret}, headers=SECRET)
