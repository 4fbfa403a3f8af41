from django.urls import path

from controlplane.api.v1.volume_types import views

urlpatterns = [
    path("volume-types", views.VolumeTypeList.as_view()),
    path("volume-types/<str:volume_type>", views.VolumeTypeDetail.as_view()),
    path("projects/<str:project>/volume-types", views.UsableVolumeTypeList.as_view()),
]
