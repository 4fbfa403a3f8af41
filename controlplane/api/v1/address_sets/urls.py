from django.urls import path

from controlplane.api.v1.address_sets import views

urlpatterns = [
    path("projects/<str:project>/address-sets", views.AddressSetList.as_view()),
    path("projects/<str:project>/address-sets/<str:address_set>", views.AddressSetDetail.as_view()),
]
