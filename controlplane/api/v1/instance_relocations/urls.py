from django.urls import path

from controlplane.api.v1.instance_relocations import views

INSTANCE = "projects/<str:project>/instances/<str:instance>"

urlpatterns = [
    path(f"{INSTANCE}/actions/relocate", views.InstanceRelocate.as_view()),
    path(f"{INSTANCE}/relocation-plan", views.InstanceRelocationPlan.as_view()),
]
