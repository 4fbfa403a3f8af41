from django.urls import path

from controlplane.api.v1.volume_relocations import views

VOLUME = "projects/<str:project>/volumes/<str:volume>"

urlpatterns = [
    path(f"{VOLUME}/actions/relocate", views.VolumeRelocate.as_view()),
    path(f"{VOLUME}/relocation-plan", views.VolumeRelocationPlan.as_view()),
]
