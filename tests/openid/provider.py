"""A real OpenID provider (idpyoidc) as a process: python provider.py CONFIG, which says on stdout where it listens.

CONFIG is JSON: client_id, client_secret, redirect_uri, users (name → password and claims), is_in_id_token (whether ID
tokens have the claims). POST /rotate gives it new keys, POST /claims other claims of a user, as administrators would.
"""

import json
import sys
import tempfile
import threading
import warnings
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptojwt.key_jar import build_keyjar
from idpyoidc.message.oidc import AuthorizationRequest
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.exception import FailedAuthentication, UnAuthorizedClient
from idpyoidc.server.user_authn.user import UserAuthnMethod, create_signed_jwt, verify_signed_jwt

KEYS = [{"type": "RSA", "use": ["sig"]}, {"type": "EC", "crv": "P-256", "use": ["sig"]}]
SESSION_KEYS = ("password", "salt")
USERS: dict[str, Any] = {}
CLAIMS = ("email", "email_verified", "groups")


class Form(UserAuthnMethod):
    """A page with a form for name and password."""

    url_endpoint = "/verify"

    def __call__(self, **kwargs: Any) -> str:
        context = self.upstream_get("context")
        token = create_signed_jwt(context.issuer, self.upstream_get("attribute", "keyjar"), **kwargs)
        return (
            '<form method="post" action="/verify">'
            f'<input type="hidden" name="token" value="{escape(token)}">'
            '<input name="username"><input name="password" type="password"></form>'
        )

    def verify(self, **kwargs: Any) -> str:
        user = USERS.get(kwargs["username"])
        if user is None or user["password"] != kwargs["password"]:
            raise FailedAuthentication()
        return str(kwargs["username"])


class Users:
    """The users, in the interface of idpyoidc."""

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, user_id: str, client_id: str, user_info_claims: Any = None) -> dict[str, Any]:
        return dict(USERS[user_id]["claims"])


def endpoints() -> dict[str, Any]:
    def endpoint(path: str, kind: str, **kwargs: Any) -> dict[str, Any]:
        return {"path": path, "class": f"idpyoidc.server.oidc.{kind}", "kwargs": kwargs}

    return {
        "provider_info": endpoint(
            ".well-known/openid-configuration", "provider_config.ProviderConfiguration", client_authn_method=None
        ),
        "authorization": endpoint(
            "authorization",
            "authorization.Authorization",
            client_authn_method=None,
            response_types_supported=["code"],
            response_modes_supported=["query"],
        ),
        "token": endpoint("token", "token.Token", client_authn_method=["client_secret_basic"]),
        "userinfo": endpoint("userinfo", "userinfo.UserInfo"),
    }


def configuration(issuer: str, config: dict[str, Any]) -> OPConfiguration:
    in_tokens = {name: {"essential": False} for name in CLAIMS} if config.get("is_in_id_token", True) else {}
    token = {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": 3600}}
    document = {
        "issuer": issuer,
        "base_url": issuer,
        "key_conf": {"key_defs": KEYS, "uri_path": "jwks.json"},
        "scopes_to_claims": {"openid": ["sub"], "email": ["email", "email_verified"], "profile": ["groups"]},
        "token_handler_args": {
            "jwks_def": {"key_defs": [{"type": "oct", "bytes": "24", "use": ["enc"], "kid": "code"}]},
            "code": {"kwargs": {"lifetime": 600}},
            "token": token,
            "refresh": token,
            "id_token": {
                "class": "idpyoidc.server.token.id_token.IDToken",
                "kwargs": {"lifetime": 300, "base_claims": in_tokens},
            },
        },
        "endpoint": endpoints(),
        "add_on": {
            "pkce": {
                "function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                "kwargs": {"essential": True, "code_challenge_methods": {"S256": {"type": "sha256"}}},
            }
        },
        "authentication": {"user": {"acr": "password", "class": Form, "kwargs": {}}},
        "userinfo": {"class": Users, "kwargs": {}},
        "claims_interface": {"class": "idpyoidc.server.session.claims.ClaimsInterface", "kwargs": {}},
        "session_params": {
            "encrypter": {
                "kwargs": {
                    "keys": {"key_defs": [{"type": "OCT", "use": ["enc"], "kid": k} for k in ("password", "salt")]}
                }
            },
            "sub_func": {
                "public": {"class": "idpyoidc.server.session.manager.PublicID", "kwargs": {"salt": "a"}},
            },
        },
        "preference": {"subject_types_supported": ["public"]},
    }
    return OPConfiguration(conf=document, base_path=tempfile.mkdtemp(), domain="127.0.0.1", port=0)


class Provider:
    def __init__(self, issuer: str, config: dict[str, Any]) -> None:
        self.config = config
        self.server = Server(configuration(issuer, config), cwd=tempfile.mkdtemp())
        self.server.context.cdb[config["client_id"]] = {
            "client_secret": config["client_secret"],
            "redirect_uris": [(config["redirect_uri"], {})],
            "token_endpoint_auth_method": "client_secret_basic",
            "response_types_supported": ["code"],
            "allowed_scopes": ["openid", "email", "profile"],
            "id_token_signed_response_alg": "RS256",
        }
        self.server.keyjar.add_symmetric(config["client_id"], config["client_secret"])
        self.lock = threading.Lock()

    def rotate(self) -> None:
        new = build_keyjar(KEYS)
        for issuer in ("", self.server.issuer):
            self.server.keyjar.import_jwks(new.export_jwks(private=True), issuer)
            kept = self.server.keyjar._issuers[issuer]
            kept._bundles = kept._bundles[-1:]

    def answer(self, method: str, path: str, query: str, body: str, headers: dict[str, str]) -> tuple[int, Any, str]:
        """Return status, body and redirection."""
        if path == "/jwks.json":
            return 200, self.server.keyjar.export_jwks(), ""
        if path == "/rotate":
            self.rotate()
            return 200, {}, ""
        if path == "/claims":
            change = json.loads(body)
            USERS[change["user"]]["claims"] |= change["claims"]
            return 200, {}, ""
        if path == "/verify":
            return self.verified({name: values[0] for name, values in parse_qs(body).items()})
        names = {each.endpoint_path.strip("/"): name for name, each in self.server.endpoint.items()}
        endpoint = self.server.endpoint[names[path.strip("/")]]
        http = {"headers": headers, "method": method, "url": path}
        try:
            request: Any = endpoint.parse_request(query if method == "GET" else body, http_info=http)
        except UnAuthorizedClient:
            return 401, {"error": "invalid_client"}, ""
        return self.answer_of(endpoint, request)

    def answer_of(self, endpoint: Any, request: Any) -> tuple[int, Any, str]:
        if "error" in request:
            return 400, request.to_dict(), ""
        answer = endpoint.process_request(request)
        if "http_response" in answer:
            return 200, answer["http_response"], ""
        return self.done(endpoint, request, answer)

    def verified(self, form: dict[str, str]) -> tuple[int, Any, str]:
        method = self.server.context.authn_broker.get_method_by_id("user")
        try:
            user = method.verify(username=form["username"], password=form["password"])
        except FailedAuthentication:
            return 401, "<p>No.</p>", ""
        carried = verify_signed_jwt(form["token"], self.server.keyjar)
        endpoint = self.server.endpoint["authorization"]
        request = AuthorizationRequest().from_urlencoded(carried["query"])
        session = endpoint.create_session(request, user, carried["authn_class_ref"], carried["iat"], method)
        return self.done(endpoint, request, endpoint.authz_part2(request=request, session_id=session))

    def done(self, endpoint: Any, request: Any, answer: dict[str, Any]) -> tuple[int, Any, str]:
        if "error" in answer:
            return 400, {"error": answer["error"]}, ""
        shown = endpoint.do_response(request=request, **answer)["response"]
        if isinstance(shown, str) and shown.startswith(self.config["redirect_uri"]):
            return 302, "", shown
        return 200, json.loads(shown) if isinstance(shown, str) else shown, ""


def handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.respond("")

        def do_POST(self) -> None:
            self.respond(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def respond(self, body: str) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            with provider.lock:
                status, answer, where = provider.answer(self.command, parts.path, parts.query, body, headers)
            is_json = not isinstance(answer, str)
            data = json.dumps(answer).encode() if is_json else answer.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if is_json else "text/html")
            self.send_header("Content-Length", str(len(data)))
            if where:
                self.send_header("Location", where)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main() -> None:
    warnings.simplefilter("ignore")
    with open(sys.argv[1]) as file:
        config = json.load(file)
    USERS.update(config["users"])
    server = ThreadingHTTPServer(("127.0.0.1", config.get("port", 0)), BaseHTTPRequestHandler)
    issuer = f"http://127.0.0.1:{server.server_port}"
    server.RequestHandlerClass = handler(Provider(issuer, config))
    print(issuer, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
