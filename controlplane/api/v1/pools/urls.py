from django.urls import path

from controlplane.api.v1.pools import views

urlpatterns = [
    path("pools", views.PoolList.as_view()),
    path("pools/<str:pool>", views.PoolDetail.as_view()),
    path("pools/<str:pool>/instances", views.PoolInstances.as_view()),
    path("pools/<str:pool>/volumes", views.PoolVolumes.as_view()),
]
