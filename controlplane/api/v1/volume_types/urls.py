from django.urls import path

from controlplane.api.v1.volume_types import views

urlpatterns = [
    path("volume-types", views.VolumeTypeList.as_view()),
]
