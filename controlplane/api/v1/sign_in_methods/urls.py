from django.urls import path

from controlplane.api.v1.sign_in_methods import views

urlpatterns = [
    path("sign-in-methods", views.Methods.as_view()),
    path("totp", views.Totp.as_view()),
    path("totp/actions/confirm", views.TotpConfirm.as_view()),
    path("recovery-codes", views.RecoveryCodes.as_view()),
]
