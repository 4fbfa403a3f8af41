from django.urls import path

from controlplane.api.v1.passkeys import views

urlpatterns = [
    path("passkeys", views.PasskeyList.as_view()),
    path("passkeys/actions/challenge", views.RegisterChallenge.as_view()),
    path("passkeys/<str:passkey>", views.PasskeyDetail.as_view()),
    path("passkey-sessions", views.PasskeySessionList.as_view()),
    path("passkey-sessions/actions/challenge", views.SignInChallenge.as_view()),
]
