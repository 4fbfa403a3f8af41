from django.urls import path

from controlplane.signin import api, factors_api, openid_api, passkeys_api

urlpatterns = [
    path("sessions", api.SessionList.as_view()),
    path("sessions/actions/verify", api.SessionVerify.as_view()),
    path("sessions/actions/end-others", api.SessionEndOthers.as_view()),
    path("sessions/<str:session>", api.SessionDetail.as_view()),
    path("users/<str:user>/sessions", api.UserSessions.as_view()),
    path("users/<str:user>/password-links", api.PasswordLinkList.as_view()),
    path("users/<str:user>/password-resets", api.UserPasswordResets.as_view()),
    path("password-resets", api.PasswordResetList.as_view()),
    path("password-resets/<str:reset>", api.PasswordResetDetail.as_view()),
    path("password-resets/<str:reset>/actions/confirm", api.PasswordResetConfirm.as_view()),
    path("password/actions/change", api.PasswordChange.as_view()),
    path("password/actions/set", api.PasswordSet.as_view()),
    path("sign-in-methods", factors_api.Methods.as_view()),
    path("totp", factors_api.Totp.as_view()),
    path("totp/actions/confirm", factors_api.TotpConfirm.as_view()),
    path("openid-providers", openid_api.ProviderList.as_view()),
    path("openid-providers/<str:provider>/sign-ins", openid_api.SignInList.as_view()),
    path("openid-providers/<str:provider>/sessions", openid_api.OpenIdSessionList.as_view()),
    path("openid-providers/<str:provider>/links", openid_api.LinkList.as_view()),
    path("openid-providers/<str:provider>/identities", openid_api.LinkCompletion.as_view()),
    path("identities", openid_api.IdentityList.as_view()),
    path("identities/<str:identity>", openid_api.IdentityDetail.as_view()),
    path("passkeys", passkeys_api.PasskeyList.as_view()),
    path("passkeys/actions/challenge", passkeys_api.RegisterChallenge.as_view()),
    path("passkeys/<str:passkey>", passkeys_api.PasskeyDetail.as_view()),
    path("passkey-sessions", passkeys_api.PasskeySessionList.as_view()),
    path("passkey-sessions/actions/challenge", passkeys_api.SignInChallenge.as_view()),
    path("recovery-codes", factors_api.RecoveryCodes.as_view()),
]
