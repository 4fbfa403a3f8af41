from django.urls import path

from controlplane.api.v1.public_addresses import views

ADDRESSES = "projects/<str:project>/public-addresses"
ADDRESS = f"{ADDRESSES}/<str:public_address>"

urlpatterns = [
    path(ADDRESSES, views.PublicAddressList.as_view()),
    path(ADDRESS, views.PublicAddressDetail.as_view()),
    path(f"{ADDRESS}/actions/attach", views.PublicAddressAttach.as_view()),
    path(f"{ADDRESS}/actions/detach", views.PublicAddressDetach.as_view()),
    path("projects/<str:project>/public-address-uses", views.PublicAddressUses.as_view()),
    path("public-addresses", views.PlatformPublicAddresses.as_view()),
    path("public-addresses/<str:public_address>/actions/suspend", views.PublicAddressSuspend.as_view()),
    path("public-addresses/<str:public_address>/actions/resume", views.PublicAddressResume.as_view()),
    path("public-address-uses", views.PlatformPublicAddressUses.as_view()),
]
