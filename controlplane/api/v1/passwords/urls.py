from django.urls import path

from controlplane.api.v1.passwords import views

urlpatterns = [
    path("users/<str:user>/password-links", views.PasswordLinkList.as_view()),
    path("users/<str:user>/password-resets", views.UserPasswordResets.as_view()),
    path("password-resets", views.PasswordResetList.as_view()),
    path("password-resets/<str:reset>", views.PasswordResetDetail.as_view()),
    path("password-resets/<str:reset>/actions/confirm", views.PasswordResetConfirm.as_view()),
    path("password/actions/change", views.PasswordChange.as_view()),
    path("password/actions/set", views.PasswordSet.as_view()),
]
