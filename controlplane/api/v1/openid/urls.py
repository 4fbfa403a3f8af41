from django.urls import path

from controlplane.api.v1.openid import views

PROVIDER = "openid-providers/<str:provider>"

urlpatterns = [
    path("openid-providers", views.ProviderList.as_view()),
    path(f"{PROVIDER}/sign-ins", views.SignInList.as_view()),
    path(f"{PROVIDER}/sessions", views.OpenIdSessionList.as_view()),
    path(f"{PROVIDER}/links", views.LinkList.as_view()),
    path(f"{PROVIDER}/identities", views.LinkCompletion.as_view()),
    path("identities", views.IdentityList.as_view()),
    path("identities/<str:identity>", views.IdentityDetail.as_view()),
]
