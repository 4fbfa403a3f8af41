"""The pages, by where they are. The API has /v1; everything else is here."""

from django.urls import path

from controlplane.dashboard.views import (
    about,
    console,
    home,
    instance_create,
    instances,
    live,
    operations,
    overview,
    sign_in,
)

PROJECT = "projects/<str:project>"
INSTANCE = f"{PROJECT}/instances/<str:instance>"

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
    path(INSTANCE, instances.InstanceOverview.as_view(), name="instance"),
    path(f"{INSTANCE}/log", instances.InstanceLog.as_view(), name="instance-log"),
    path(f"{INSTANCE}/activity", instances.InstanceActivity.as_view(), name="instance-activity"),
    path(f"{INSTANCE}/console", console.Console.as_view(), name="instance-console"),
    path(f"{INSTANCE}/console/ticket", console.ConsoleTicket.as_view(), name="instance-console-ticket"),
    path(f"{INSTANCE}/delete", instances.InstanceDelete.as_view(), name="instance-delete"),
    path(f"{INSTANCE}/actions/<str:action>", instances.InstanceAction.as_view(), name="instance-action"),
]
