from django.urls import path

from controlplane.api.v1.address_pools import views

urlpatterns = [
    path("address-pools", views.AddressPoolList.as_view()),
    path("address-pools/<str:address_pool>", views.AddressPoolDetail.as_view()),
    path("address-pools/<str:address_pool>/reverse-zone", views.AddressPoolReverseZone.as_view()),
    path("projects/<str:project>/address-pools", views.UsableAddressPoolList.as_view()),
]
