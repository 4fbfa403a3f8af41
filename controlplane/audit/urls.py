from django.urls import path

from controlplane.audit import api

urlpatterns = [
    path("resources/<str:resource>/residency", api.Residency.as_view()),
    path("evidence/records", api.RecordList.as_view()),
    path("evidence/records/<str:record>/proof", api.RecordProof.as_view()),
    path("evidence/checkpoint", api.CheckpointNewest.as_view()),
    path("evidence/cosignatures", api.Cosign.as_view()),
]
