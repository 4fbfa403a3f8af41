from controlplane.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unprocessable


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
