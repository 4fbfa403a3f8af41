from django.urls import path

from controlplane.api.v1.service_accounts import views

urlpatterns = [
    path("organizations/<str:organization>/service-accounts", views.ServiceAccountList.as_view()),
    path(
        "organizations/<str:organization>/service-accounts/<str:service_account>", views.ServiceAccountDetail.as_view()
    ),
]
