from django.urls import path

from controlplane.audit import api, exports_api, trail_api

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
    path("projects/<str:project>/audit", trail_api.ProjectTrail.as_view()),
    path("projects/<str:project>/audit/export", trail_api.ProjectExport.as_view()),
    path("projects/<str:project>/audit/deeds", trail_api.ProjectDeeds.as_view()),
    path("organizations/<str:organization>/audit", trail_api.OrganizationTrail.as_view()),
    path("organizations/<str:organization>/audit/export", trail_api.OrganizationExport.as_view()),
    path("organizations/<str:organization>/audit/deeds", trail_api.OrganizationDeeds.as_view()),
    path("audit", trail_api.PlatformTrail.as_view()),
    path("audit/export", trail_api.PlatformExport.as_view()),
    path("audit/deeds", trail_api.PlatformDeeds.as_view()),
]
