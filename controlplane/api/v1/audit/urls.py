from django.urls import path

from controlplane.api.v1.audit import views

PROJECT = "projects/<str:project>"
ORGANIZATION = "organizations/<str:organization>"

urlpatterns = [
    path(f"{PROJECT}/audit", views.ProjectRequestLog.as_view()),
    path(f"{PROJECT}/audit/export", views.ProjectExport.as_view()),
    path(f"{PROJECT}/audit/deeds", views.ProjectDeeds.as_view()),
    path(f"{ORGANIZATION}/audit", views.OrganizationRequestLog.as_view()),
    path(f"{ORGANIZATION}/audit/export", views.OrganizationExport.as_view()),
    path(f"{ORGANIZATION}/audit/deeds", views.OrganizationDeeds.as_view()),
    path("audit", views.PlatformRequestLog.as_view()),
    path("audit/export", views.PlatformExport.as_view()),
    path("audit/deeds", views.PlatformDeeds.as_view()),
]
