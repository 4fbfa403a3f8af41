from django.urls import path

from controlplane.api.v1.instance_migrations import views

INSTANCE = "instances/<str:instance>"

urlpatterns = [
    path(f"{INSTANCE}/actions/migrate", views.InstanceMigrate.as_view()),
    path(f"{INSTANCE}/actions/cancel-migrate", views.InstanceMigrateCancel.as_view()),
    path(f"{INSTANCE}/migration-plan", views.InstanceMigrationPlan.as_view()),
    path(f"{INSTANCE}/migrations", views.InstanceMigrations.as_view()),
]
