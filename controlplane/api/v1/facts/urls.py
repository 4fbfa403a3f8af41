from django.urls import path

from controlplane.api.v1.facts import views

urlpatterns = [
    path("regions", views.RegionList.as_view()),
    path("zones/<str:zone>", views.ZoneDetail.as_view()),
    path("parties", views.PartyList.as_view()),
    path("parties/<str:party>", views.PartyDetail.as_view()),
    path("sets", views.SetList.as_view()),
    path("facts", views.FactList.as_view()),
    path("catalogue", views.CatalogueExport.as_view()),
    path("transparency/jurisdictions", views.JurisdictionList.as_view()),
    path("transparency/transfers", views.TransferList.as_view()),
]
