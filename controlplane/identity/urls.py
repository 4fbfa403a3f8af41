from django.urls import path

from controlplane.identity import accounts_api, api, organizations_api

ORGANIZATION = "organizations/<str:organization>"
SERVICE_ACCOUNT = f"{ORGANIZATION}/service-accounts/<str:service_account>"

urlpatterns = [
    path("me", accounts_api.Me.as_view()),
    path("organizations", organizations_api.OrganizationList.as_view()),
    path(ORGANIZATION, organizations_api.OrganizationDetail.as_view()),
    path(f"{ORGANIZATION}/projects", organizations_api.OrganizationProjects.as_view()),
    path(f"{ORGANIZATION}/members", organizations_api.MemberList.as_view()),
    path(f"{ORGANIZATION}/members/<str:member>", organizations_api.MemberDetail.as_view()),
    path(f"{ORGANIZATION}/invitations", organizations_api.InvitationList.as_view()),
    path(f"{ORGANIZATION}/invitations/<str:invitation>", organizations_api.InvitationDetail.as_view()),
    path("invitations/actions/accept", organizations_api.InvitationAccept.as_view()),
    path(f"{ORGANIZATION}/service-accounts", accounts_api.ServiceAccountList.as_view()),
    path(SERVICE_ACCOUNT, accounts_api.ServiceAccountDetail.as_view()),
    path(f"{SERVICE_ACCOUNT}/tokens", accounts_api.ServiceAccountTokens.as_view()),
    path(f"{ORGANIZATION}/tokens", accounts_api.OrganizationTokens.as_view()),
    path(f"{ORGANIZATION}/tokens/<str:token>", accounts_api.OrganizationToken.as_view()),
    path("tokens", accounts_api.OwnTokens.as_view()),
    path("tokens/<str:token>", accounts_api.OwnToken.as_view()),
    path("platform/tokens", accounts_api.PlatformTokens.as_view()),
    path("platform/tokens/<str:token>", accounts_api.PlatformToken.as_view()),
    path("projects", api.ProjectList.as_view()),
    path("projects/<str:project>", api.ProjectDetail.as_view()),
    path("projects/<str:project>/tokens", api.TokenList.as_view()),
    path("projects/<str:project>/tokens/<str:token>", api.TokenDetail.as_view()),
]
