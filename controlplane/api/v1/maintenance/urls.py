from django.urls import path

from controlplane.api.v1.maintenance import views

urlpatterns = [
    path("maintenance", views.MaintenanceList.as_view()),
    path("maintenance/<str:maintenance>", views.MaintenanceDetail.as_view()),
    path("maintenance/<str:maintenance>/actions/end", views.MaintenanceEnd.as_view()),
]
