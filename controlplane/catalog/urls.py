from django.urls import path

from controlplane.catalog import api

urlpatterns = [
    path("regions", api.RegionList.as_view()),
    path("zones", api.ZoneList.as_view()),
    path("zones/<str:zone>", api.ZoneDetail.as_view()),
    path("flavors", api.FlavorList.as_view()),
    path("volume-types", api.VolumeTypeList.as_view()),
    path("projects/<str:project>/images", api.ImageList.as_view()),
    path("projects/<str:project>/images/<str:image>", api.ImageDetail.as_view()),
    path("projects/<str:project>/images/<str:image>/file", api.ImageFile.as_view()),
]
