from django.urls import path

from controlplane.compute.urls import INSTANCE
from controlplane.metrics import api

urlpatterns = [
    path(f"{INSTANCE}/metrics", api.InstanceMetrics.as_view()),
    path("nodes/<str:node>/metrics", api.NodeMetrics.as_view()),
]
