from controlplane.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable, Unprocessable


class SignInRefused(Unauthenticated):
    code = "signin.refused"
    title = "Sign-in refused"
    detail = (
        "The address, password or code is wrong. If you have no password yet, ask an operator for a link to set one."
    )


class CodeNeeded(Unauthenticated):
    code = "signin.code_needed"
    title = "Second factor needed"
    detail = "This account has a second factor: send with the password a code of it in totp, or a recovery_code."


class WrongProof(Forbidden):
    code = "signin.wrong_proof"
    title = "Identity not confirmed"
    detail = "The password or code is wrong, or was already used."


class SignInLocked(Forbidden):
    code = "signin.locked"
    title = "Sign-in is locked"
    detail = (
        "Sign-in to this account from your address is locked until {until} after too many failures. Try again after "
        "that."
    )


class SessionNeeded(Forbidden):
    code = "signin.session_needed"
    title = "Session needed"
    detail = "This request needs a user session; API tokens are not accepted. Sign in first."


class SecondFactorDemanded(Forbidden):
    code = "signin.second_factor_demanded"
    title = "Second factor demanded"
    detail = (
        "This session has no second factor, and your account or role requires one. Confirm one with POST "
        "/v1/sessions/actions/verify; if you have none, enrol one first."
    )


class ProofTooOld(Forbidden):
    code = "signin.proof_too_old"
    title = "Confirm your identity"
    detail = (
        "You confirmed your identity more than {minutes} minutes ago. Confirm it again with POST "
        "/v1/sessions/actions/verify, then repeat the request."
    )


class PasswordRefused(Unprocessable):
    code = "signin.password_refused"
    title = "Choose another password"
    detail = "This password is not accepted: {reason}"


class LinkRefused(Unauthenticated):
    code = "signin.link_refused"
    title = "Invalid link"
    detail = "The link was used, has expired or is not valid. Request a new one."


class LinkTooEarly(Forbidden):
    code = "signin.link_too_early"
    title = "Link not valid yet"
    detail = "This link is valid from {at}. Until then, the user of the account can object. Try again after that."


class ResetNeeded(Conflict):
    code = "signin.reset_needed"
    title = "Two people are needed"
    detail = (
        "The account {email} is in use, and a new link for it needs two people. Request a reset (password-resets); "
        "another operator, or an owner of an organization of the user, confirms it."
    )


class SecondPersonNeeded(Forbidden):
    code = "signin.second_person_needed"
    title = "Another person is needed"
    detail = "The requester of a reset and the user of the account cannot confirm it. Ask another person."


class PasswordResetNotFound(NotFound):
    code = "signin.password_reset.not_found"
    detail = "There is no pending reset {name!r} here."


class SessionNotFound(NotFound):
    code = "signin.session.not_found"
    detail = "There is no session {name!r} here."


class UserNotFound(NotFound):
    code = "signin.user.not_found"
    detail = "There is no user {name!r} here."


class TotpThere(Conflict):
    code = "signin.totp_there"
    title = "Codes already enrolled"
    detail = "An application for codes is enrolled already. Remove it first: DELETE /v1/totp."


class LastFactor(Conflict):
    code = "signin.last_factor"
    title = "Last second factor"
    detail = "Your role requires a second factor, and this is your last one. Enrol another one first."


class ProviderNotFound(NotFound):
    code = "signin.provider.not_found"
    detail = "There is no OpenID provider {name!r} here."


class ProviderUnavailable(Unavailable):
    code = "signin.provider.unavailable"
    title = "The provider does not answer"
    detail = "The OpenID provider {name!r} does not answer correctly. Try again, or inform an operator."


class RedirectRefused(Unprocessable):
    code = "signin.redirect_refused"
    title = "Redirect not allowed"
    detail = "The redirect URI is not allowed for the provider {name!r}. Ask an operator to add it."


class OpenIdRefused(Unauthenticated):
    code = "signin.openid.refused"
    title = "Sign-in refused"
    detail = "The answer of the OpenID provider was rejected: {reason}"


class OpenIdOver(Unauthenticated):
    code = "signin.openid.over"
    title = "Start again"
    detail = "This sign-in was started elsewhere, has expired or is already complete. Start a new one."


class AddressTaken(Conflict):
    code = "signin.openid.address_taken"
    title = "Account exists"
    detail = (
        "An account with your address exists and is not linked to this provider. Sign in to it as before, then link "
        "the provider."
    )


class IdentityTaken(Conflict):
    code = "signin.openid.identity_taken"
    title = "Already linked"
    detail = "This identity is already linked to another account."


class IdentityNotFound(NotFound):
    code = "signin.identity.not_found"
    detail = "There is no linked identity {name!r} here."


class PasskeysOff(Unprocessable):
    code = "signin.passkeys_off"
    title = "No passkeys here"
    detail = "Passkeys are not configured on this platform. Ask an operator to set the pages that may use them."


class PasskeyRefused(Forbidden):
    code = "signin.passkey_refused"
    title = "Passkey refused"
    detail = (
        "The passkey was not accepted. Start again on the page that the passkey is for, and let the device verify you."
    )


class PasskeyTaken(Conflict):
    code = "signin.passkey_taken"
    title = "Passkey already registered"
    detail = "A passkey named {name!r} exists, or this device is already registered."


class PasskeyNotFound(NotFound):
    code = "signin.passkey.not_found"
    detail = "There is no passkey {name!r} here."
