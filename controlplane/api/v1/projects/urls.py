from django.urls import path

from controlplane.api.v1.projects import views

urlpatterns = [
    path("projects", views.ProjectList.as_view()),
    path("projects/<str:project>", views.ProjectDetail.as_view()),
]
