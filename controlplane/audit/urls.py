from django.urls import path

from controlplane.audit import api, exports_api

urlpatterns = [
    path("resources/<str:resource>/residency", api.Residency.as_view()),
    path("evidence/records", api.RecordList.as_view()),
    path("evidence/records/<str:record>/proof", api.RecordProof.as_view()),
    path("evidence/checkpoint", api.CheckpointNewest.as_view()),
    path("evidence/witness-request", api.WitnessRequested.as_view()),
    path("evidence/cosignatures", api.Cosign.as_view()),
    path("evidence/export", exports_api.Export.as_view()),
    path("organizations/<str:organization>/evidence-exports", exports_api.ExportList.as_view()),
    path("evidence-exports/<str:export>", exports_api.ExportDetail.as_view()),
    path("evidence-exports/<str:export>/file", exports_api.ExportFile.as_view()),
]
