from django.urls import path

from controlplane.api.v1.organizations import views

urlpatterns = [
    path("organizations", views.OrganizationList.as_view()),
    path("organizations/<str:organization>", views.OrganizationDetail.as_view()),
    path("organizations/<str:organization>/projects", views.OrganizationProjects.as_view()),
]
