"""Sign-in with OpenID providers, and who is linked to whom."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.kernel.fields import In, Out, Text
from controlplane.kernel.listing import Listing, created_after
from controlplane.kernel.rest import Body, route
from controlplane.signin.models import Identity
from controlplane.signin.openid import services
from controlplane.signin.openid.providers import Provider, all_providers, provider_named
from controlplane.signin.rest import SECRET, SignInView
from controlplane.signin.serializers import SessionWithSecretOut

IDENTITIES = Listing({"created_after": created_after()}, sorts=("-created_at", "created_at"))
URI_MAX = 500
CODE_MAX = 4000
ASKED = "The provider is asked between two transactions, and a sign-in is used up also when that fails."


class ProviderOut(Out):
    name = serializers.CharField()
    title = serializers.CharField()


class ProvidersOut(Out):
    items = ProviderOut(many=True)


class BeginIn(In):
    """`redirect_uri`: where the provider sends the browser afterwards; one of those that the operator has listed."""

    example = {"redirect_uri": "https://console.example/signed-in"}

    redirect_uri = Text(max_length=URI_MAX)


class BegunOut(Out):
    """Send the browser to `authorization_url`. Keep `binding` where only this sign-in reaches it: it is in this answer
    alone, and completes it."""

    authorization_url = serializers.CharField()
    binding = serializers.CharField()
    expires_at = serializers.DateTimeField()


class CompleteIn(In):
    """`state`, `code` and `iss` (if there is one, RFC 9207) are what the browser came back with, `binding` is that of
    the beginning."""

    example = {"state": "8yPqkW…", "code": "Z0FBQUFB…", "binding": "andromede_binding_…"}

    state = Text(max_length=200)
    code = Text(max_length=CODE_MAX)
    binding = Text(max_length=200)
    iss = Text(max_length=URI_MAX, default="")


class IdentityOut(Out):
    """Whom the provider `issuer` calls `subject` is you."""

    id = serializers.UUIDField()
    issuer = serializers.CharField()
    subject = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


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

    @route("openid_sign_in_begin", BegunOut, body=BeginIn, status=201, apart=ASKED, is_tryable=False)
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
        apart=ASKED,
        is_tryable=False,
        refusals=(403,),
    )
    def post(self, request: Request, body: Body) -> Response:
        return self.begun(*services.session_create(self.provider, self.origin, services.Answer(**body)))


class LinkList(OfProvider):
    @route("openid_link_begin", BegunOut, body=BeginIn, status=201, apart=ASKED, is_tryable=False)
    def post(self, request: Request, body: Body) -> Response:
        begun_now = services.begin(self.provider, redirect_uri=body["redirect_uri"], user=self.session.user)
        return Response(BegunOut(begun_now).data, status=201, headers=SECRET)


class LinkCompletion(OfProvider):
    @route("identity_link", IdentityOut, body=CompleteIn, status=201, apart=ASKED, is_tryable=False)
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
