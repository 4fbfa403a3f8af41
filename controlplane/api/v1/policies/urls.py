from django.urls import path

from controlplane.api.v1.policies import views

urlpatterns = [
    path("platform/policy", views.PlatformPolicy.as_view()),
    path("platform/policy/actions/undo", views.PlatformPolicyUndo.as_view()),
    path("organizations/<str:organization>/policy", views.OrganizationPolicy.as_view()),
    path("organizations/<str:organization>/policy/actions/undo", views.OrganizationPolicyUndo.as_view()),
    path("projects/<str:project>/policy", views.ProjectPolicy.as_view()),
    path("projects/<str:project>/policy/actions/undo", views.ProjectPolicyUndo.as_view()),
    path("classifications/<str:classification>/policy", views.ClassificationPolicy.as_view()),
    path("classifications/<str:classification>/policy/actions/undo", views.ClassificationPolicyUndo.as_view()),
]
