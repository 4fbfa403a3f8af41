from django.urls import path

from controlplane.api.v1.evidence_exports import views

urlpatterns = [
    path("evidence/export", views.Export.as_view()),
    path("organizations/<str:organization>/evidence-exports", views.ExportList.as_view()),
    path("evidence-exports/<str:export>", views.ExportDetail.as_view()),
    path("evidence-exports/<str:export>/file", views.ExportFile.as_view()),
]
