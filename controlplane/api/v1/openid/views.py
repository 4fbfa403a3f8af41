"""Routes of sign-in by OpenID Connect, and of the identities linked to an account."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.sign_in_views import SECRET, SignInView
from controlplane.api.v1.openid.schemas import BeginIn, BegunOut, CompleteIn, IdentityOut, ProvidersOut
from controlplane.api.v1.sessions.schemas import SessionWithSecretOut
from controlplane.kernel.listing import Listing, created_after
from controlplane.kernel.views import Body, route
from controlplane.signin.models import Identity
from controlplane.signin.openid import services
from controlplane.signin.openid.providers import Provider, all_providers, provider_named

IDENTITIES = Listing({"created_after": created_after()}, sorts=("-created_at", "created_at"))
PROVIDER_CALL = "The request to the provider is between two transactions, and a failure also uses up the sign-in."


class ProviderList(SignInView):
    open_methods = ("GET",)

    @route("openid_provider_list", ProvidersOut)
    def get(self, request: Request) -> Response:
        return Response(ProvidersOut({"items": all_providers()}).data)


class OfProvider(SignInView):
    @property
    def provider(self) -> Provider:
        return provider_named(self.kwargs["provider"])


class SignInList(OfProvider):
    open_methods = ("POST",)

    @route(
        "openid_sign_in_begin", BegunOut, body=BeginIn, status=201, own_transactions=PROVIDER_CALL, has_dry_run=False
    )
    def post(self, request: Request, body: Body) -> Response:
        begun_now = services.begin(self.provider, redirect_uri=body["redirect_uri"])
        return Response(BegunOut(begun_now).data, status=201, headers=SECRET)


class OpenIdSessionList(OfProvider):
    open_methods = ("POST",)

    @route(
        "openid_session_create",
        SessionWithSecretOut,
        body=CompleteIn,
        status=201,
        own_transactions=PROVIDER_CALL,
        has_dry_run=False,
        error_statuses=(403,),
    )
    def post(self, request: Request, body: Body) -> Response:
        return self.begun(*services.session_create(self.provider, self.origin, services.Answer(**body)))


class LinkList(OfProvider):
    @route("openid_link_begin", BegunOut, body=BeginIn, status=201, own_transactions=PROVIDER_CALL, has_dry_run=False)
    def post(self, request: Request, body: Body) -> Response:
        begun_now = services.begin(self.provider, redirect_uri=body["redirect_uri"], user=self.session.user)
        return Response(BegunOut(begun_now).data, status=201, headers=SECRET)


class LinkCompletion(OfProvider):
    @route("identity_link", IdentityOut, body=CompleteIn, status=201, own_transactions=PROVIDER_CALL, has_dry_run=False)
    def post(self, request: Request, body: Body) -> Response:
        identity = services.identity_link(self.actor, self.session, self.provider, services.Answer(**body))
        headers = {"Location": f"/v1/identities/{identity.pk}"}
        return Response(IdentityOut(identity).data, status=201, headers=headers)


class IdentityList(SignInView):
    @route("identity_list", IdentityOut, listing=IDENTITIES)
    def get(self, request: Request) -> Response:
        return IDENTITIES.page(request, Identity.objects.filter(user=self.session.user_id)).answer(IdentityOut)


class IdentityDetail(SignInView):
    @route("identity_unlink", status=204)
    def delete(self, request: Request) -> Response:
        services.identity_unlink(self.actor, self.session, self.kwargs["identity"])
        return Response(status=204)
