# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Openid(Resource):
    def link_begin(self, provider: str, *, redirect_uri: str, idempotency_key: str | None = None) -> models.Begun:
        """POST /v1/openid-providers/{provider}/links

        Begin of a sign-in.

        `redirect_uri`: where the provider sends the browser afterwards; one of those that the operator has listed.
        """
        return self._scope.one(
            models.Begun,
            Ask(
                "POST",
                "/v1/openid-providers/{provider}/links",
                names={"provider": provider},
                body={"redirect_uri": redirect_uri},
                key=idempotency_key,
            ),
        )

    def session_create(
        self,
        provider: str,
        *,
        state: str,
        code: str,
        binding: str,
        iss: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SessionWithSecret:
        """POST /v1/openid-providers/{provider}/sessions

        Completion of a sign-in.

        `state`, `code` and `iss` (if present, RFC 9207) are the parameters that the browser returned with, `binding` is
        from the beginning.
        """
        return self._scope.one(
            models.SessionWithSecret,
            Ask(
                "POST",
                "/v1/openid-providers/{provider}/sessions",
                names={"provider": provider},
                body={"state": state, "code": code, "binding": binding, "iss": iss},
                key=idempotency_key,
            ),
        )

    def sign_in_begin(self, provider: str, *, redirect_uri: str, idempotency_key: str | None = None) -> models.Begun:
        """POST /v1/openid-providers/{provider}/sign-ins

        Begin of a sign-in.

        `redirect_uri`: where the provider sends the browser afterwards; one of those that the operator has listed.
        """
        return self._scope.one(
            models.Begun,
            Ask(
                "POST",
                "/v1/openid-providers/{provider}/sign-ins",
                names={"provider": provider},
                body={"redirect_uri": redirect_uri},
                key=idempotency_key,
            ),
        )
