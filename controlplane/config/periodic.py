"""Table of all periodic jobs: interval, time limit, and the queue whose processes run them (kernel/periodic.py)."""

from django.conf import settings

from controlplane.kernel.periodic import Job

HOUR_S = 3600

JOBS = (
    Job("redeliver", "controlplane.operations.leases.requeue_due", settings.OPERATION_SWEEP_S, 30),
    Job("node_liveness", "controlplane.reconcilers.node_liveness.reconcile", 3, 30),
    Job("lost_nodes", "controlplane.node_lifecycle.recovery.auto_recovery.reconcile", 2, 120),
    Job("recoveries", "controlplane.node_lifecycle.recovery.reconciler.reconcile", 2, 300),
    Job("drains", "controlplane.node_lifecycle.drain.post_drain_start.drains_and_returns", 2, 300),
    Job("node_removals", "controlplane.reconcilers.node_removals.reconcile", 5, 600),
    Job("network_peers", "controlplane.reconcilers.network_peers.reconcile", 5, 600),
    Job("port_rules", "controlplane.reconcilers.port_rules.reconcile", 5, 600),
    Job("instance_metadata", "controlplane.reconcilers.instance_metadata.reconcile", 5, 600),
    Job("announcements", "controlplane.reconcilers.announcements.reconcile", 5, 60),
    Job("storage_clusters", "controlplane.reconcilers.storage_clusters.reconcile", 10, 60),
    Job("snapshot_schedules", "controlplane.storage.schedule_runs.take_due", 15, 300),
    Job("egress_gateways", "controlplane.reconcilers.egress_gateways.reconcile", 2, 60),
    Job("guest_power", "controlplane.reconcilers.guest_power.reconcile", 5, 60),
    Job("guest_restart", "controlplane.reconcilers.guest_restart.reconcile", 5, 60),
    Job("drift", "controlplane.reconcilers.compliance_drift.reconcile", 10, 600),
    Job("policy_proposals", "controlplane.reconcilers.policy_proposals.reconcile", 30, 60),
    Job("capacity_drift", "controlplane.reconcilers.capacity_drift.reconcile", 60, 300),
    Job("quota_drift", "controlplane.reconcilers.quota_drift.reconcile", 300, 300),
    Job("orphans", "controlplane.reconcilers.orphans.reconcile", 60, 900),
    Job("snapshot_expiry", "controlplane.reconcilers.snapshot_expiry.reconcile", 60, 300),
    Job("audit", "controlplane.reconcilers.request_log.reconcile", 60, 600),
    Job("image_files", "controlplane.reconcilers.image_files.reconcile", HOUR_S, HOUR_S),
    Job("idempotency_records", "controlplane.reconcilers.idempotency_records.reconcile", HOUR_S, 600),
    Job("plain_user_data", "controlplane.compute.user_data.seal_plain", HOUR_S, 600),
    Job("retention", "controlplane.audit.retention.erase_old", 24 * HOUR_S, HOUR_S),
    Job("events_retention", "controlplane.events.services.delete_expired", HOUR_S, 600),
    Job("old_operations", "controlplane.reconcilers.operation_retention.reconcile", 24 * HOUR_S, HOUR_S),
    Job("old_placement", "controlplane.reconcilers.placement_retention.reconcile", 24 * HOUR_S, HOUR_S),
    Job("metrics", "controlplane.metrics.services.roll_up", 60, 300),
    Job("metrics_retention", "controlplane.metrics.services.delete_expired", HOUR_S, 600),
    Job("sessions", "controlplane.signin.sessions.purge", HOUR_S, 600),
    Job("permits", "controlplane.signer.permits.sign_all", 2, 60, queue="signer"),
    Job("floors", "controlplane.signer.floors.sign_missing_floors", 2, 60, queue="signer"),
    Job("segments", "controlplane.signer.segments.sign_all", 10, 60, queue="signer"),
    Job("port_rules_documents", "controlplane.signer.port_rules.sign_all", 10, 60, queue="signer"),
    Job("instance_metadata_documents", "controlplane.signer.instance_metadata.sign_all", 5, 60, queue="signer"),
    Job("announcements_documents", "controlplane.signer.announcements.sign_all", 2, 60, queue="signer"),
    Job("retired_nodes", "controlplane.signer.revoke_retired.deny_all", 10, 60, queue="signer"),
    Job("evidence_sequence", "controlplane.audit.evidence_log.sequence", 2, 60, queue="signer"),
    Job("evidence_checkpoint", "controlplane.audit.evidence_log.checkpoint", 60, 60, queue="signer"),
    Job("evidence_exports", "controlplane.audit.exports.make_all", 10, HOUR_S, queue="signer"),
    Job("cosignatures", "controlplane.signer.sentinel.cosign_all", 2, 60, queue="sentinel"),
    Job("webhooks", "controlplane.webhooks.dispatch.dispatch", 2, 60, queue="webhooks"),
)
