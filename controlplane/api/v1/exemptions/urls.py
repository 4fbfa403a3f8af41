from django.urls import path

from controlplane.api.v1.exemptions import views

urlpatterns = [
    path("exemptions", views.ExemptionList.as_view()),
    path("exemptions/report", views.ExemptionReport.as_view()),
    path("exemptions/<str:exemption>", views.ExemptionDetail.as_view()),
    path("exemptions/<str:exemption>/actions/approve", views.ExemptionApprove.as_view()),
]
