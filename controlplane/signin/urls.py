from django.urls import path

from controlplane.signin import api, factors_api

urlpatterns = [
    path("sessions", api.SessionList.as_view()),
    path("sessions/actions/verify", api.SessionVerify.as_view()),
    path("sessions/actions/end-others", api.SessionEndOthers.as_view()),
    path("sessions/<str:session>", api.SessionDetail.as_view()),
    path("users/<str:user>/sessions", api.UserSessions.as_view()),
    path("users/<str:user>/password-links", api.PasswordLinkList.as_view()),
    path("password/actions/change", api.PasswordChange.as_view()),
    path("password/actions/set", api.PasswordSet.as_view()),
    path("sign-in-methods", factors_api.Methods.as_view()),
    path("totp", factors_api.Totp.as_view()),
    path("totp/actions/confirm", factors_api.TotpConfirm.as_view()),
    path("recovery-codes", factors_api.RecoveryCodes.as_view()),
]
