from django.urls import path

from controlplane.api.v1.instances import views

PROJECT = "projects/<str:project>"
INSTANCE = f"{PROJECT}/instances/<str:instance>"

urlpatterns = [
    path(f"{PROJECT}/instances", views.InstanceList.as_view()),
    path(INSTANCE, views.InstanceDetail.as_view()),
    path(f"{INSTANCE}/actions/start", views.InstanceStart.as_view()),
    path(f"{INSTANCE}/actions/shutdown", views.InstanceShutdown.as_view()),
    path(f"{INSTANCE}/actions/power-off", views.InstancePowerOff.as_view()),
    path(f"{INSTANCE}/actions/reboot", views.InstanceReboot.as_view()),
    path(f"{INSTANCE}/actions/reset", views.InstanceReset.as_view()),
    path(f"{INSTANCE}/actions/resize", views.InstanceResize.as_view()),
    path(f"{INSTANCE}/actions/rebuild", views.InstanceRebuild.as_view()),
    path(f"{INSTANCE}/console-log", views.InstanceConsole.as_view()),
    path(f"{INSTANCE}/consoles", views.InstanceConsoles.as_view()),
    path(f"{INSTANCE}/tunnels", views.InstanceTunnels.as_view()),
    path(f"{INSTANCE}/placement", views.InstancePlacement.as_view()),
]
