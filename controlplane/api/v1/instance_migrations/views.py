"""Routes of migrations, for operators; auditors read them. Tenants see the operation of their instance."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.instance_migrations.schemas import MigrateIn, MigrationOut, MigrationPlanOut
from controlplane.api.v1.operations.schemas import PlatformOperationOut
from controlplane.compute.migration import MigrationOptions, instance_migrate, is_off, migration_cancel, migrations
from controlplane.compute.migration_plan import migration_plan
from controlplane.compute.models import MIGRATION, Instance
from controlplane.compute.selectors import instance_anywhere
from controlplane.kernel.listing import Listing, among, created_after
from controlplane.kernel.views import Body, resolve_reference, route
from controlplane.nodes.selectors import node_get

MIGRATIONS = Listing(
    {"state": among("state", MIGRATION.moves), "created_after": created_after()},
    sorts=("-created_at", "created_at"),
)


class AnyInstanceView(ActorView):
    def instance(self) -> Instance:
        return instance_anywhere(self.actor, self.kwargs["instance"])


class InstanceMigrate(AnyInstanceView):
    @route("instance_migrate", PlatformOperationOut, body=MigrateIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        instance, ref = self.instance(), body.get("node")
        node = resolve_reference(lambda name: node_get(self.actor, name), ref, at="node") if ref else None
        options = MigrationOptions(body.get("deadline_s"), body["convergence"])
        operation = instance_migrate(self.actor, instance, node=node, reason=body["reason"], options=options)
        return Response(PlatformOperationOut(operation).data, status=202)


class InstanceMigrateCancel(AnyInstanceView):
    """Cancel a migration, as long as the guest has not left its node."""

    @route("instance_migrate_cancel", PlatformOperationOut, status=202)
    def post(self, request: Request) -> Response:
        return Response(PlatformOperationOut(migration_cancel(self.actor, self.instance())).data, status=202)


class InstanceMigrations(AnyInstanceView):
    @route("instance_migration_list", MigrationOut, listing=MIGRATIONS)
    def get(self, request: Request) -> Response:
        return MIGRATIONS.page(request, migrations(self.actor, self.instance())).answer(MigrationOut)


class InstanceMigrationPlan(AnyInstanceView):
    """Preview a migration; nothing is written."""

    @route("instance_migration_plan", MigrationPlanOut)
    def get(self, request: Request) -> Response:
        plan = migration_plan(self.actor, self.instance())
        instance = plan.instance
        fields = {
            "instance": instance,
            "project": instance.project,
            "node": instance.node,
            "is_off": is_off(instance),
        }
        return Response(MigrationPlanOut({**fields, "nodes": plan.nodes, "reasons": plan.reasons}).data)
