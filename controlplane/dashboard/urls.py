"""The pages, by where they are. The API has /v1; everything else is here."""

from django.urls import path

from controlplane.dashboard.views import (
    about,
    console,
    home,
    instance_bulk,
    instance_create,
    instance_settings,
    instance_volumes,
    instances,
    live,
    metrics,
    operations,
    overview,
    sign_in,
    volume_create,
    volumes,
)

PROJECT = "projects/<str:project>"
INSTANCE = f"{PROJECT}/instances/<str:instance>"
VOLUME = f"{PROJECT}/volumes/<str:volume>"

urlpatterns = [
    path("", home.Home.as_view(), name="home"),
    path("search", home.Search.as_view(), name="search"),
    path("live", live.Live.as_view(), name="stream"),
    path("accessibility", about.Accessibility.as_view(), name="accessibility"),
    path("sign-in", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-in/second-factor", sign_in.SecondFactor.as_view(), name="second-factor"),
    path("sign-in/prove", sign_in.Prove.as_view(), name="prove"),
    path("sign-out", sign_in.SignOut.as_view(), name="sign-out"),
    path("preferences", sign_in.Preferences.as_view(), name="preferences"),
    path(PROJECT, overview.Overview.as_view(), name="overview"),
    path(f"{PROJECT}/activity", operations.OperationList.as_view(), name="operations"),
    path(f"{PROJECT}/activity/<str:operation>", operations.Operation.as_view(), name="operation"),
    path(f"{PROJECT}/activity/<str:operation>/cancel", operations.OperationCancel.as_view(), name="operation-cancel"),
    path(f"{PROJECT}/instances", instances.InstanceList.as_view(), name="instances"),
    path(f"{PROJECT}/instances/create", instance_create.InstanceCreate.as_view(), name="instance-create"),
    path(f"{PROJECT}/instances/several", instance_bulk.InstanceBulk.as_view(), name="instances-bulk"),
    path(INSTANCE, instances.InstanceOverview.as_view(), name="instance"),
    path(f"{INSTANCE}/log", instances.InstanceLog.as_view(), name="instance-log"),
    path(f"{INSTANCE}/activity", instances.InstanceActivity.as_view(), name="instance-activity"),
    path(f"{INSTANCE}/console", console.Console.as_view(), name="instance-console"),
    path(f"{INSTANCE}/console/ticket", console.ConsoleTicket.as_view(), name="instance-console-ticket"),
    path(f"{INSTANCE}/delete", instances.InstanceDelete.as_view(), name="instance-delete"),
    path(f"{INSTANCE}/actions/<str:action>", instances.InstanceAction.as_view(), name="instance-action"),
    path(f"{INSTANCE}/metrics", metrics.InstanceMetrics.as_view(), name="instance-metrics"),
    path(f"{INSTANCE}/network", instances.InstanceNetwork.as_view(), name="instance-network"),
    path(f"{INSTANCE}/placement", instances.InstancePlacement.as_view(), name="instance-placement"),
    path(f"{INSTANCE}/settings", instance_settings.InstanceSettings.as_view(), name="instance-settings"),
    path(f"{INSTANCE}/resize", instance_settings.InstanceResize.as_view(), name="instance-resize"),
    path(f"{INSTANCE}/rebuild", instance_settings.InstanceRebuild.as_view(), name="instance-rebuild"),
    path(f"{INSTANCE}/volumes", instance_volumes.InstanceVolumes.as_view(), name="instance-volumes"),
    path(f"{INSTANCE}/volumes/new", instance_volumes.InstanceNewVolume.as_view(), name="instance-new-volume"),
    path(
        f"{INSTANCE}/volumes/<str:attachment>/detach",
        instance_volumes.InstanceDetach.as_view(),
        name="instance-detach",
    ),
    path(f"{PROJECT}/volumes", volumes.VolumeList.as_view(), name="volumes"),
    path(f"{PROJECT}/volumes/create", volume_create.VolumeCreate.as_view(), name="volume-create"),
    path(VOLUME, volumes.VolumeOverview.as_view(), name="volume"),
    path(f"{VOLUME}/placement", volumes.VolumePlacement.as_view(), name="volume-placement"),
    path(f"{VOLUME}/activity", volumes.VolumeActivity.as_view(), name="volume-activity"),
    path(f"{VOLUME}/settings", volumes.VolumeSettings.as_view(), name="volume-settings"),
    path(f"{VOLUME}/grow", volumes.VolumeGrow.as_view(), name="volume-grow"),
    path(f"{VOLUME}/delete", volumes.VolumeDelete.as_view(), name="volume-delete"),
]
