from controlplane.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable, Unprocessable


class SignInRefused(Unauthenticated):
    code = "signin.refused"
    title = "Sign-in refused"
    detail = (
        "This is not the right address, password and code. Whoever has no password yet needs a link for a first one."
    )


class CodeNeeded(Unauthenticated):
    code = "signin.code_needed"
    title = "Second factor needed"
    detail = "This account has a second factor: send with the password a code of it in totp, or a recovery_code."


class WrongProof(Forbidden):
    code = "signin.wrong_proof"
    title = "Not proved"
    detail = "This does not prove that it is you: the password or the code is not right, or was used before."


class SignInLocked(Forbidden):
    code = "signin.locked"
    title = "Sign-in is locked"
    detail = (
        "After too many failures this account cannot be signed in to from here until {until}. Try again after that."
    )


class SessionNeeded(Forbidden):
    code = "signin.session_needed"
    title = "Session needed"
    detail = "Only somebody who has signed in may do that, with a session and not with an API token."


class SecondFactorDemanded(Forbidden):
    code = "signin.second_factor_demanded"
    title = "Second factor demanded"
    detail = (
        "This session has no second factor, and your account or your duties demand one. Prove one with POST "
        "/v1/sessions/actions/verify; if you have none, enrol one first."
    )


class ProofTooOld(Forbidden):
    code = "signin.proof_too_old"
    title = "Prove that it is you"
    detail = (
        "It is over {minutes} minutes since you proved who you are. Do it again with POST /v1/sessions/actions/verify, "
        "and then repeat this."
    )


class PasswordRefused(Unprocessable):
    code = "signin.password_refused"
    title = "Choose another password"
    detail = "This password is not accepted: {reason}"


class LinkRefused(Unauthenticated):
    code = "signin.link_refused"
    title = "Link no longer good"
    detail = "This link was used, has expired, or never was one. Ask for a new one."


class LinkTooEarly(Forbidden):
    code = "signin.link_too_early"
    title = "Link not good yet"
    detail = "This link is good from {at} on: until then, whoever has the account can object. Try again after that."


class ResetNeeded(Conflict):
    code = "signin.reset_needed"
    title = "It takes two people"
    detail = (
        "The account {email} is in use, and nobody gets a link for it alone. Ask for a reset (password-resets); "
        "another operator, or an owner of an organization of the user, confirms it."
    )


class SecondPersonNeeded(Forbidden):
    code = "signin.second_person_needed"
    title = "It takes another person"
    detail = "Neither who asked for this reset nor whose password it is can confirm it."


class PasswordResetNotFound(NotFound):
    code = "signin.password_reset.not_found"
    detail = "There is no reset {name!r} here that waits."


class SessionNotFound(NotFound):
    code = "signin.session.not_found"
    detail = "There is no session {name!r} here."


class UserNotFound(NotFound):
    code = "signin.user.not_found"
    detail = "There is no user {name!r} here."


class TotpThere(Conflict):
    code = "signin.totp_there"
    title = "There are codes already"
    detail = "An application for codes is enrolled already. Remove it first: DELETE /v1/totp."


class LastFactor(Conflict):
    code = "signin.last_factor"
    title = "It is the last factor"
    detail = "Your duties demand a second factor, and this is your last one. Enrol another one first."


class ProviderNotFound(NotFound):
    code = "signin.provider.not_found"
    detail = "There is no OpenID provider {name!r} here."


class ProviderUnavailable(Unavailable):
    code = "signin.provider.unavailable"
    title = "The provider does not answer"
    detail = "The OpenID provider {name!r} does not answer as it should now. Try again, or tell your operator."


class RedirectRefused(Unprocessable):
    code = "signin.redirect_refused"
    title = "Redirect not allowed"
    detail = "The provider {name!r} is not configured to send anybody back to this URI. Your operator can list it."


class OpenIdRefused(Unauthenticated):
    code = "signin.openid.refused"
    title = "Sign-in refused"
    detail = "What the OpenID provider says is not accepted: {reason}"


class OpenIdOver(Unauthenticated):
    code = "signin.openid.over"
    title = "Begin again"
    detail = "This sign-in was not begun here, took too long, or was completed before. Begin a new one."


class AddressTaken(Conflict):
    code = "signin.openid.address_taken"
    title = "There is an account already"
    detail = (
        "There is an account with your address, and it is not known to be yours. Sign in to it as before, and link the "
        "provider there."
    )


class IdentityTaken(Conflict):
    code = "signin.openid.identity_taken"
    title = "Linked already"
    detail = "Another account is linked to whom the provider says you are."


class IdentityNotFound(NotFound):
    code = "signin.identity.not_found"
    detail = "There is no linked identity {name!r} here."


class PasskeysOff(Unprocessable):
    code = "signin.passkeys_off"
    title = "No passkeys here"
    detail = "This platform has no passkeys: its operator has not said for which pages they are."


class PasskeyRefused(Forbidden):
    code = "signin.passkey_refused"
    title = "Passkey refused"
    detail = (
        "This is no good answer of a known passkey: begin again, on the page that it is for, and let the device verify "
        "that it is you."
    )


class PasskeyTaken(Conflict):
    code = "signin.passkey_taken"
    title = "Passkey known already"
    detail = "There is a passkey named {name!r} already, or this device is registered."


class PasskeyNotFound(NotFound):
    code = "signin.passkey.not_found"
    detail = "There is no passkey {name!r} here."
