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
    """Create a link for the first password of a new account, which has no password, no membership and no platform role
    yet. For other accounts there are resets.
    """

    @route("password_link_create", PasswordLinkOut, status=201)
    def post(self, request: Request) -> Response:
        user = selectors.user_get(self.kwargs["user"])
        secret, until = resets.first_link_create(self.actor, self.session, user)
        return Response(PasswordLinkOut({"secret": secret, "expires_at": until}).data, status=201, headers=SECRET)


class UserPasswordResets(SignInView):
    """Request a password reset for an account in use.

    It takes two people: an operator, and another operator or an owner of an organization of the user, who confirms it.
    """

    @route("password_reset_create", PasswordResetOut, status=201)
    def post(self, request: Request) -> Response:
        reset = resets.reset_create(self.actor, self.session, selectors.user_get(self.kwargs["user"]))
        location = {"Location": f"/v1/password-resets/{reset.pk}"}
        return Response(PasswordResetOut(reset).data, status=201, headers=location)


class PasswordResetList(SignInView):
    """List the resets that wait, and those with an unused link: of members of organizations that the caller owns, the
    caller's own, and for operators all.
    """

    @route("password_reset_list", PasswordResetOut, listing=RESETS)
    def get(self, request: Request) -> Response:
        return RESETS.page(request, resets.resets(self.actor)).answer(PasswordResetOut)


class PasswordResetDetail(SignInView):
    @route("password_reset_get", PasswordResetOut)
    def get(self, request: Request) -> Response:
        return Response(PasswordResetOut(resets.reset_get(self.actor, self.kwargs["reset"])).data)

    @route("password_reset_withdraw", status=204)
    def delete(self, request: Request) -> Response:
        """Cancel the reset and its link, also one for the caller's own account that the caller did not request."""
        resets.reset_withdraw(self.actor, resets.reset_get(self.actor, self.kwargs["reset"]))
        return Response(status=204)


class PasswordResetConfirm(SignInView):
    """Confirm the reset as a second person.

    First verify through another channel that the user requested it. The link becomes valid after a delay, and the
    user's second factors do not change.
    """

    @route("password_reset_confirm", PasswordResetLinkOut)
    def post(self, request: Request) -> Response:
        reset = resets.reset_get(self.actor, self.kwargs["reset"])
        secret, reset = resets.reset_confirm(self.actor, self.session, reset)
        return Response({**PasswordResetOut(reset).data, "secret": secret}, headers=SECRET)
