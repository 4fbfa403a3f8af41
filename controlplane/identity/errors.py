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
    detail = "This credential lacks the role {role}, which this request needs."


class ScopeNeeded(Forbidden):
    code = "identity.scope_needed"
    title = "Out of scope"
    detail = "This token lacks the scope {scope}. Use another token, or create one with that scope."


class NobodyMay(Forbidden):
    """The authorization table has no rule for the route."""

    code = "identity.nobody_may"
    detail = "{operation} has no authorization rule and is refused to everyone."


class MoreThanOwn(Forbidden):
    code = "identity.token.more_than_own"
    title = "Exceeds the token's rights"
    detail = "A token cannot create one with more rights than its own: leave {what} out, or use a token that has it."


class TokenExpired(Unauthenticated):
    code = "identity.token.expired"
    title = "Token expired"
    detail = "This token expired at {at}. Create another one."


class TokenRevoked(Unauthenticated):
    code = "identity.token.revoked"
    title = "Token revoked"
    detail = "This token was revoked at {at}. Create another one."


class TokensMany(Conflict):
    code = "identity.token.too_many"
    title = "Too many tokens"
    detail = "This owner has the maximum of {limit} valid tokens. Revoke one that is not used."


class ServiceAccountDisabled(Unauthenticated):
    code = "identity.service_account.disabled"
    title = "Service account disabled"
    detail = "The service account {name!r} is disabled. An administrator of its organization can enable it."


class UserSuspended(Unauthenticated):
    code = "identity.user.suspended"
    title = "Account suspended"
    detail = "This account has been suspended since {at}. An operator of the platform can reinstate it."


class UserEnded(Unauthenticated):
    code = "identity.user.ended"
    title = "Account ended"
    detail = (
        "This account was ended at {at}. An operator of the platform can reinstate it, without its memberships and "
        "tokens."
    )


class UserIsOver(Conflict):
    code = "identity.user.is_over"
    title = "The account has ended"
    detail = "The account {email} was ended. Ask an operator to reinstate it first."


class LastOperator(Conflict):
    code = "identity.last_operator"
    title = "Last operator"
    detail = (
        "{email} is the last operator who can sign in. Create another operator first (manage.py create_user "
        "--operator), or use manage.py on a machine of the control plane."
    )


class DutiesMixed(Conflict):
    code = "identity.duties_mixed"
    title = "Separation of duties"
    detail = "{email} has a platform role and cannot be a sovereignty officer. Choose another person."


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
    detail = "Several of your projects are named {name!r}. Use the id of the project."


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
    detail = "This invitation is not valid: it was accepted, revoked or has expired. Ask for a new one."


class InvitationForAnother(Unprocessable):
    code = "identity.invitation.for_another"
    title = "Invitation for another user"
    detail = "This invitation is for an existing user. Sign in as that user, then accept it."


class AlreadyMember(Conflict):
    code = "identity.member.already"
    title = "Already a member"
    detail = "{email} is already a member. Change the member's role instead."


class ServiceAccountNotFound(NotFound):
    code = "identity.service_account.not_found"
    detail = "There is no service account {name!r} here."


class PersonsRole(Unprocessable):
    code = "identity.persons_role"
    title = "A person's role"
    detail = "A service account cannot have the role {role}; only a user can."


class TokenNotFound(NotFound):
    code = "identity.token.not_found"
    detail = "There is no token {name!r} here."


class NameTaken(Conflict):
    code = "identity.name_taken"
    title = "Name taken"
    detail = "There is already a {kind} named {name!r}."


class TokenLifetimeInvalid(InvalidRequest):
    code = "identity.token.lifetime_invalid"
    detail = "A token can be valid for 1 to {limit_days} days."


class AddressInvalid(InvalidRequest):
    code = "identity.address_invalid"
    detail = "{email!r} is not an e-mail address."
