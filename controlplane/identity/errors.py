from controlplane.kernel.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unauthenticated,
    Unprocessable,
)


class RoleNeeded(Forbidden):
    code = "identity.role_needed"
    detail = "This credential may not do that: it needs the role {role}."


class ScopeNeeded(Forbidden):
    code = "identity.scope_needed"
    title = "Out of scope"
    detail = "This token may not do that: it needs the scope {scope}. Use another one, or issue one that has it."


class NobodyMay(Forbidden):
    """The authorization table has no rule for the route."""

    code = "identity.nobody_may"
    detail = "Nobody may do that: {operation} has no rule."


class MoreThanOwn(Forbidden):
    code = "identity.token.more_than_own"
    title = "More than its own"
    detail = "A token cannot issue one that may more than itself: leave {what} out, or use a token that has it."


class TokenExpired(Unauthenticated):
    code = "identity.token.expired"
    title = "Token expired"
    detail = "This token was good until {at}. Issue another one."


class TokenRevoked(Unauthenticated):
    code = "identity.token.revoked"
    title = "Token revoked"
    detail = "This token was revoked at {at}. Issue another one."


class TokensMany(Conflict):
    code = "identity.token.too_many"
    title = "Too many tokens"
    detail = "There are {limit} good tokens of this owner already, as many as may be. Revoke one that nobody uses."


class ServiceAccountDisabled(Unauthenticated):
    code = "identity.service_account.disabled"
    title = "Service account disabled"
    detail = "The service account {name!r} is disabled. Whoever administers its organization can enable it again."


class UserSuspended(Unauthenticated):
    code = "identity.user.suspended"
    title = "Account suspended"
    detail = "This account has been suspended since {at}. An operator of the platform can reinstate it."


class UserEnded(Unauthenticated):
    code = "identity.user.ended"
    title = "Account ended"
    detail = "This account ended at {at}. An operator of the platform can reinstate it, without what it had."


class UserIsOver(Conflict):
    code = "identity.user.is_over"
    title = "The account has ended"
    detail = "The account {email} has ended. An operator can reinstate it first."


class LastOperator(Conflict):
    code = "identity.last_operator"
    title = "Last operator"
    detail = (
        "{email} is the last operator who can sign in. Make another operator first (manage.py create_user --operator), "
        "or do this with manage.py on a machine of the control plane."
    )


class DutiesMixed(Conflict):
    code = "identity.duties_mixed"
    title = "Separate duties"
    detail = "{email} has a duty for the platform and cannot be a sovereignty officer: that takes another person."


class LastOwner(Conflict):
    code = "identity.last_owner"
    title = "Last owner"
    detail = "{email} is the last owner of the organization. Make another member an owner first."


class ProjectInUse(Conflict):
    code = "identity.project.in_use"
    title = "Project in use"
    detail = "The project still has {count} resources: {dependents}. Delete them first."


class OrganizationInUse(Conflict):
    code = "identity.organization.in_use"
    title = "Organization in use"
    detail = "The organization still has {count} projects: {dependents}. Delete them first."


class OrganizationNotFound(NotFound):
    code = "identity.organization.not_found"
    detail = "There is no organization {name!r} here."


class ProjectNotFound(NotFound):
    code = "identity.project.not_found"
    detail = "There is no project {name!r} here."


class ProjectAmbiguous(Conflict):
    code = "identity.project.ambiguous"
    title = "Ambiguous name"
    detail = "Several projects that you see are named {name!r}. Name it by its id."


class MemberNotFound(NotFound):
    code = "identity.member.not_found"
    detail = "There is no member {name!r} here."


class UserNotFound(NotFound):
    code = "identity.user.not_found"
    detail = "There is no user {name!r} here."


class InvitationNotFound(NotFound):
    code = "identity.invitation.not_found"
    detail = "There is no invitation {name!r} here."


class InvitationInvalid(Unprocessable):
    code = "identity.invitation.invalid"
    title = "Invitation not valid"
    detail = (
        "This invitation is not valid, or not any more: it was accepted, revoked or has expired. Ask for a new one."
    )


class InvitationForAnother(Unprocessable):
    code = "identity.invitation.for_another"
    title = "Invitation for somebody else"
    detail = "This invitation is for a user who is known here: sign in as that user, and accept it then."


class AlreadyMember(Conflict):
    code = "identity.member.already"
    title = "Already a member"
    detail = "{email} is a member already. Change the member's role instead."


class ServiceAccountNotFound(NotFound):
    code = "identity.service_account.not_found"
    detail = "There is no service account {name!r} here."


class PersonsRole(Unprocessable):
    code = "identity.persons_role"
    title = "A person's role"
    detail = "A service account cannot be {role}: that takes a person."


class TokenNotFound(NotFound):
    code = "identity.token.not_found"
    detail = "There is no token {name!r} here."


class NameTaken(Conflict):
    code = "identity.name_taken"
    title = "Name taken"
    detail = "There is already a {kind} named {name!r}."


class TokenLifetimeInvalid(InvalidRequest):
    code = "identity.token.lifetime_invalid"
    detail = "A token lives from 1 to {limit_days} days."


class AddressInvalid(InvalidRequest):
    code = "identity.address_invalid"
    detail = "{email!r} is not an e-mail address."
