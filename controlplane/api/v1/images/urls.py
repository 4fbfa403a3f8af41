from django.urls import path

from controlplane.api.v1.images import views

PROJECT = "projects/<str:project>"

urlpatterns = [
    path(f"{PROJECT}/images", views.ImageList.as_view()),
    path(f"{PROJECT}/images/<str:image>", views.ImageDetail.as_view()),
    path(f"{PROJECT}/images/<str:image>/file", views.ImageFile.as_view()),
]
