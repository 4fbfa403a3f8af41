from django.urls import path

from controlplane.api.v1.affinity_groups import views

urlpatterns = [
    path("projects/<str:project>/affinity-groups", views.AffinityGroupList.as_view()),
    path("projects/<str:project>/affinity-groups/<str:affinity_group>", views.AffinityGroupDetail.as_view()),
]
