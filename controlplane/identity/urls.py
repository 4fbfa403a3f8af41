from django.urls import path

from controlplane.identity import api

urlpatterns = [
    path("projects", api.ProjectList.as_view()),
    path("projects/<str:project>", api.ProjectDetail.as_view()),
    path("projects/<str:project>/tokens", api.TokenList.as_view()),
    path("projects/<str:project>/tokens/<str:token>", api.TokenDetail.as_view()),
]
