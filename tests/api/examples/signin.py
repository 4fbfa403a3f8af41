"""Examples of sign-in: passwords, codes, passkeys, OpenID providers, sessions."""

from datetime import timedelta

from controlplane.identity.models import User
from controlplane.identity.services import token_issue, user_create
from controlplane.signin import passwords
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.sessions import create_session
from tests.api.authenticator import Authenticator
from tests.api.client import Caller
from tests.api.examples.sample_cloud import SampleCloud
from tests.api.test_openid import BACK, Staff
from tests.api.user_accounts import PASSWORD, code

MONTH = timedelta(days=30)
NEW_PASSWORD = "four large blue windows"


def by_password(story: SampleCloud) -> Caller:
    """Sign Ada in with a password, in a browser session."""
    book = story.book
    passwords.put(User.objects.get(email="ada@acme.example"), PASSWORD)
    signed = book.show(story.nobody, "session_create").body
    book.do(story.nobody, "session_create")
    browser = Caller(token=signed["secret"])
    book.show(browser, "sign_in_methods_get")
    book.show(browser, "session_get", session="current")
    book.show(browser, "session_list")
    book.show(browser, "password_change")
    return browser


def by_code(story: SampleCloud, browser: Caller) -> None:
    book = story.book
    secret = book.show(browser, "totp_enrol").body["secret"]
    book.show(browser, "totp_confirm", {"code": code(secret, steps=-1)})
    book.show(browser, "session_verify", {"totp": code(secret)})
    book.show(browser, "recovery_codes_replace")


def by_passkey(story: SampleCloud, browser: Caller) -> None:
    book, device = story.book, Authenticator()
    challenge = book.show(browser, "passkey_challenge").body
    credential = device.create(challenge["options"])
    body = {"ceremony": challenge["ceremony"], "credential": credential, "name": "the key on my ring"}
    passkey = book.show(browser, "passkey_register", body).body
    book.show(browser, "passkey_list")
    challenge = book.show(story.nobody, "passkey_sign_in_challenge").body
    body = {"ceremony": challenge["ceremony"], "credential": device.get(challenge["options"])}
    book.show(story.nobody, "passkey_session_create", body)
    book.show(browser, "passkey_remove", passkey=passkey["id"])
    book.show(browser, "totp_remove")


def by_openid(story: SampleCloud, staff: Staff, browser: Caller) -> None:
    book, staff_names = story.book, {"provider": "staff"}
    book.show(story.nobody, "openid_provider_list")
    begun = book.show(browser, "openid_link_begin", {"redirect_uri": BACK}, **staff_names).body
    back = staff.browse(begun["authorization_url"], "ada") | {"binding": begun["binding"]}
    book.show(browser, "identity_link", back, **staff_names)
    begun = book.show(story.nobody, "openid_sign_in_begin", {"redirect_uri": BACK}, **staff_names).body
    back = staff.browse(begun["authorization_url"], "ada") | {"binding": begun["binding"]}
    book.show(story.nobody, "openid_session_create", back, **staff_names)
    linked = book.show(browser, "identity_list").body["items"][0]
    book.show(browser, "identity_unlink", identity=linked["id"])


def in_session(email: str) -> Caller:
    """Return an operator who has just signed in with two factors."""
    user = User.objects.filter(email=email).first() or user_create(email=email, is_operator=True)
    return Caller(token=create_session(user, ClientInfo(), ["password", "totp"], is_two_factor=True)[1])


def out(story: SampleCloud, browser: Caller) -> None:
    book, ada = story.book, str(User.objects.get(email="ada@acme.example").pk)
    others = book.do(browser, "session_list").body["items"]
    book.show(browser, "session_end", session=next(each["id"] for each in others if not each["is_current"]))
    book.show(browser, "session_end_others")
    oscar, orla = (in_session(email) for email in ("oscar@cloud.example", "orla@cloud.example"))
    new = str(user_create(email="nia@acme.example").pk)
    link = book.show(oscar, "password_link_create", user=new).body["secret"]
    book.show(story.nobody, "password_set", {"secret": link, "new_password": "six quiet yellow boats"})
    reset = book.show(oscar, "password_reset_create", user=ada).body["id"]
    book.show(orla, "password_reset_list")
    book.show(orla, "password_reset_get", reset=reset)
    book.show(orla, "password_reset_confirm", reset=reset)
    book.show(orla, "password_reset_withdraw", reset=reset)
    book.show(story.oscar, "user_sessions_end", user=ada)


def leaving(story: SampleCloud) -> None:
    """Show Lea, an operator, leaving."""
    book, lea = story.book, user_create(email="lea@cloud.example", is_operator=True)
    named = {"user": str(lea.pk)}
    tokens = [token_issue(lea, project=None, name=name, role="", lifetime=MONTH)[0] for name in ("nodes", "racks")]
    book.show(story.oscar, "user_list")
    book.show(story.oscar, "user_get", **named)
    book.show(story.oscar, "platform_token_list")
    book.show(story.oscar, "platform_token_revoke", token=str(tokens[0].pk))
    book.show(story.oscar, "user_suspend", **named)
    book.show(story.oscar, "user_reinstate", **named)
    book.show(story.oscar, "user_duty_remove", **named)
    auditor = user_create(email="ines@cloud.example", is_auditor=True)
    own = token_issue(auditor, project=None, name="laptop", role="", lifetime=MONTH)[1]
    book.show(Caller(token=own), "own_duty_remove")
    book.show(story.oscar, "user_end", **named)
