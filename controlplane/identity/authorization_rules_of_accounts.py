"""Authorization of organizations and users: their accounts, credentials, sign-in and quotas."""

from controlplane.identity.authorization_rule import rules_of
from controlplane.identity.authorization_terms import (
    ACT,
    ADMINS,
    CREATE,
    DELETE,
    MEMBERS,
    METADATA,
    OPERATE,
    OPERATORS,
    OWN,
    OWNERS,
    PUBLIC,
    READ,
    STATEMENT,
    SUPERVISORS,
    UPDATE,
)

IDENTITY = {
    **rules_of(
        "organizations",
        {
            "organization_list": (READ, STATEMENT),
            "organization_get": (READ, STATEMENT),
            "organization_create": (OPERATE, OPERATORS),
            "organization_delete": (OPERATE, OPERATORS),
        },
    ),
    **rules_of("organizations", {"organization_update": (UPDATE, ADMINS)}, is_of_organization=True),
    **rules_of(
        "projects",
        {
            "project_list": (READ, STATEMENT),
            "project_get": (READ, STATEMENT),
            "project_update": (UPDATE, ADMINS),
            "project_delete": (DELETE, ADMINS),
        },
    ),
    **rules_of("projects", {"project_create": (CREATE, ADMINS)}, is_of_organization=True),
    **rules_of(
        "members",
        {
            "member_list": (READ, METADATA),
            "member_get": (READ, METADATA),
            "member_update": (UPDATE, ADMINS),
            "member_remove": (DELETE, ADMINS | OWN),
        },
        is_of_organization=True,
    ),
    **rules_of(
        "invitations",
        {
            "invitation_list": (READ, ADMINS),
            "invitation_create": (CREATE, ADMINS),
            "invitation_revoke": (DELETE, ADMINS),
        },
        is_of_organization=True,
    ),
    **rules_of("invitations", {"invitation_accept": (ACT, PUBLIC)}, is_of_organization=True),
    **rules_of(
        "service-accounts",
        {
            "service_account_list": (READ, METADATA),
            "service_account_get": (READ, METADATA),
            "service_account_create": (CREATE, ADMINS),
            "service_account_update": (UPDATE, ADMINS),
            "service_account_delete": (DELETE, ADMINS),
        },
        is_of_organization=True,
    ),
    **rules_of(
        "tokens",
        {
            "service_account_token_list": (READ, ADMINS),
            "service_account_token_create": (CREATE, ADMINS),
            "organization_token_list": (READ, ADMINS),
            "organization_token_revoke": (DELETE, ADMINS),
        },
        is_of_organization=True,
    ),
    **rules_of(
        "tokens",
        {
            "own_token_list": (READ, OWN),
            "own_token_create": (CREATE, OWN),
            "own_token_revoke": (DELETE, OWN),
            "platform_token_list": (READ, SUPERVISORS),
            "platform_token_revoke": (OPERATE, OPERATORS),
            "token_list": (READ, METADATA),
            "token_create": (CREATE, MEMBERS),
            "token_revoke": (DELETE, MEMBERS),
        },
    ),
}

SIGN_IN = {
    **rules_of(
        "sessions",
        {
            "session_create": (CREATE, PUBLIC),
            "passkey_session_create": (CREATE, PUBLIC),
            "passkey_sign_in_challenge": (CREATE, PUBLIC),
            "openid_session_create": (CREATE, PUBLIC),
            "openid_sign_in_begin": (CREATE, PUBLIC),
            "openid_provider_list": (READ, PUBLIC),
            "session_list": (READ, OWN),
            "session_get": (READ, OWN),
            "session_verify": (ACT, OWN),
            "session_end": (DELETE, OWN),
            "session_end_others": (DELETE, OWN),
            "user_sessions_end": (OPERATE, OPERATORS),
        },
    ),
    **rules_of(
        "users",
        {
            "user_list": (READ, SUPERVISORS),
            "user_get": (READ, SUPERVISORS),
            "user_suspend": (OPERATE, OPERATORS),
            "user_reinstate": (OPERATE, OPERATORS),
            "user_end": (OPERATE, OPERATORS),
            "user_duty_remove": (OPERATE, OPERATORS),
            "own_duty_remove": (DELETE, OWN),
        },
    ),
    **rules_of(
        "passwords",
        {
            "password_set": (UPDATE, PUBLIC),
            "password_change": (UPDATE, OWN),
            "password_link_create": (OPERATE, OPERATORS),
            "password_reset_create": (OPERATE, OPERATORS),
            "password_reset_list": (READ, OWN),
            "password_reset_get": (READ, OWN),
            "password_reset_withdraw": (DELETE, OWN),
            "password_reset_confirm": (ACT, OWNERS | OPERATORS),
        },
    ),
    **rules_of(
        "factors",
        {
            "sign_in_methods_get": (READ, OWN),
            "totp_enrol": (CREATE, OWN),
            "totp_confirm": (UPDATE, OWN),
            "totp_remove": (DELETE, OWN),
            "recovery_codes_replace": (UPDATE, OWN),
            "passkey_list": (READ, OWN),
            "passkey_challenge": (CREATE, OWN),
            "passkey_register": (CREATE, OWN),
            "passkey_remove": (DELETE, OWN),
        },
    ),
    **rules_of(
        "identities",
        {
            "identity_list": (READ, OWN),
            "openid_link_begin": (CREATE, OWN),
            "identity_link": (CREATE, OWN),
            "identity_unlink": (DELETE, OWN),
        },
    ),
}

QUOTAS = {
    **rules_of(
        "limits",
        {"limits_get": (READ, STATEMENT), "organization_limits_get": (READ, STATEMENT)},
    ),
    **rules_of(
        "quotas",
        {
            "quotas_get": (READ, STATEMENT),
            "quotas_set": (UPDATE, ADMINS | OPERATORS),
            "organization_quotas_get": (READ, STATEMENT),
            "organization_quotas_set": (OPERATE, OPERATORS),
        },
    ),
    **rules_of(
        "quota-requests",
        {
            "quota_request_list": (READ, STATEMENT),
            "quota_request_get": (READ, STATEMENT),
            "quota_request_create": (CREATE, ADMINS),
            "quota_request_withdraw": (UPDATE, ADMINS),
            "quota_request_approve": (OPERATE, OPERATORS),
            "quota_request_refuse": (OPERATE, OPERATORS),
        },
    ),
}
