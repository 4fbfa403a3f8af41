from django.urls import path

from controlplane.api.v1.evidence import views

urlpatterns = [
    path("resources/<str:resource>/residency", views.Residency.as_view()),
    path("evidence/records", views.RecordList.as_view()),
    path("evidence/records/<str:record>/proof", views.RecordProof.as_view()),
    path("evidence/checkpoint", views.CheckpointNewest.as_view()),
    path("evidence/witness-request", views.WitnessRequested.as_view()),
    path("evidence/cosignatures", views.Cosign.as_view()),
]
