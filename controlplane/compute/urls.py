from django.urls import path

from controlplane.compute import (
    api,
    drain_api,
    drift_api,
    keys_and_groups_api,
    migration_api,
    node_api,
    pool_api,
    recovery_api,
    volume_api,
)

INSTANCE = "projects/<str:project>/instances/<str:instance>"
NODE = "nodes/<str:node>"

urlpatterns = [
    path("projects/<str:project>/instances", api.InstanceList.as_view()),
    path(INSTANCE, api.InstanceDetail.as_view()),
    path(f"{INSTANCE}/actions/start", api.InstanceStart.as_view()),
    path(f"{INSTANCE}/actions/shutdown", api.InstanceShutdown.as_view()),
    path(f"{INSTANCE}/actions/power-off", api.InstancePowerOff.as_view()),
    path(f"{INSTANCE}/actions/reboot", api.InstanceReboot.as_view()),
    path(f"{INSTANCE}/actions/reset", api.InstanceReset.as_view()),
    path(f"{INSTANCE}/actions/resize", api.InstanceResize.as_view()),
    path(f"{INSTANCE}/actions/rebuild", api.InstanceRebuild.as_view()),
    path(f"{INSTANCE}/console-log", api.InstanceConsole.as_view()),
    path(f"{INSTANCE}/consoles", api.InstanceConsoles.as_view()),
    path(f"{INSTANCE}/placement", api.InstancePlacement.as_view()),
    path(f"{INSTANCE}/attachments", volume_api.AttachmentList.as_view()),
    path(f"{INSTANCE}/attachments/<str:attachment>", volume_api.AttachmentDetail.as_view()),
    path("instances/<str:instance>/actions/migrate", migration_api.InstanceMigrate.as_view()),
    path("instances/<str:instance>/actions/cancel-migrate", migration_api.InstanceMigrateCancel.as_view()),
    path("instances/<str:instance>/migration-plan", migration_api.InstanceMigrationPlan.as_view()),
    path("instances/<str:instance>/migrations", migration_api.InstanceMigrations.as_view()),
    path("nodes/<str:node>/instances", node_api.NodeInstances.as_view()),
    path("pools", pool_api.PoolList.as_view()),
    path("pools/<str:pool>", pool_api.PoolDetail.as_view()),
    path("pools/<str:pool>/instances", pool_api.PoolInstances.as_view()),
    path("pools/<str:pool>/volumes", pool_api.PoolVolumes.as_view()),
    path("projects/<str:project>/volumes", volume_api.VolumeList.as_view()),
    path("projects/<str:project>/volumes/<str:volume>", volume_api.VolumeDetail.as_view()),
    path("projects/<str:project>/volumes/<str:volume>/actions/grow", volume_api.VolumeGrow.as_view()),
    path("projects/<str:project>/ssh-keys", keys_and_groups_api.SshKeyList.as_view()),
    path("projects/<str:project>/ssh-keys/<str:ssh_key>", keys_and_groups_api.SshKeyDetail.as_view()),
    path("projects/<str:project>/affinity-groups", keys_and_groups_api.AffinityGroupList.as_view()),
    path(
        "projects/<str:project>/affinity-groups/<str:affinity_group>", keys_and_groups_api.AffinityGroupDetail.as_view()
    ),
    path("drift", drift_api.Drift.as_view()),
    path("drift/images", drift_api.ImageDrift.as_view()),
    path("drains", drain_api.DrainList.as_view()),
    path(f"{NODE}/actions/plan-recover", recovery_api.NodeRecoverPlan.as_view()),
    path(f"{NODE}/actions/recover", recovery_api.NodeRecover.as_view()),
    path(f"{NODE}/drain", drain_api.NodeDrainDetail.as_view()),
    path(f"{NODE}/drain/actions/pause", drain_api.NodeDrainPause.as_view()),
    path(f"{NODE}/drain/actions/resume", drain_api.NodeDrainResume.as_view()),
    path(f"{NODE}/drain/actions/cancel", drain_api.NodeDrainCancel.as_view()),
    path(f"{NODE}/drain/actions/retry", drain_api.NodeDrainRetry.as_view()),
    path(f"{NODE}/actions/plan-drain", drain_api.NodeDrainPlan.as_view()),
    path(f"{NODE}/actions/drain", drain_api.NodeDrain.as_view()),
    path(f"{NODE}/actions/maintain", drain_api.NodeMaintain.as_view()),
]
