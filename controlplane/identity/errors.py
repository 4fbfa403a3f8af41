from controlplane.kernel.errors import Conflict, Forbidden, InvalidRequest, NotFound


class RoleNeeded(Forbidden):
    code = "identity.role_needed"
    detail = "This credential may not do that: it needs the role {role}."


class DutiesMixed(Conflict):
    code = "identity.duties_mixed"
    title = "Separate duties"
    detail = "{email} has a duty for the platform and cannot be a sovereignty officer: that takes another person."


class OrganizationNotFound(NotFound):
    code = "identity.organization.not_found"
    detail = "There is no organization {name!r} here."


class ProjectNotFound(NotFound):
    code = "identity.project.not_found"
    detail = "There is no project {name!r} here."


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
