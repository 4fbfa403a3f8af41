from django.urls import path

from controlplane.api.v1.tokens import views

ORGANIZATION = "organizations/<str:organization>"

urlpatterns = [
    path(f"{ORGANIZATION}/service-accounts/<str:service_account>/tokens", views.ServiceAccountTokens.as_view()),
    path(f"{ORGANIZATION}/tokens", views.OrganizationTokens.as_view()),
    path(f"{ORGANIZATION}/tokens/<str:token>", views.OrganizationToken.as_view()),
    path("tokens", views.OwnTokens.as_view()),
    path("tokens/<str:token>", views.OwnToken.as_view()),
    path("platform/tokens", views.PlatformTokens.as_view()),
    path("platform/tokens/<str:token>", views.PlatformToken.as_view()),
    path("projects/<str:project>/tokens", views.TokenList.as_view()),
    path("projects/<str:project>/tokens/<str:token>", views.TokenDetail.as_view()),
]
