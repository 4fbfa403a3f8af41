from django.urls import path

from controlplane.catalog import api, facts_api

urlpatterns = [
    path("regions", facts_api.RegionList.as_view()),
    path("zones/<str:zone>", facts_api.ZoneDetail.as_view()),
    path("parties", facts_api.PartyList.as_view()),
    path("parties/<str:party>", facts_api.PartyDetail.as_view()),
    path("sets", facts_api.SetList.as_view()),
    path("facts", facts_api.FactList.as_view()),
    path("officer-keys", facts_api.OfficerKeyList.as_view()),
    path("officer-keys/<str:officer_key>", facts_api.OfficerKeyDetail.as_view()),
    path("catalogue", facts_api.CatalogueExport.as_view()),
    path("transparency/jurisdictions", facts_api.JurisdictionList.as_view()),
    path("transparency/transfers", facts_api.TransferList.as_view()),
    path("flavors", api.FlavorList.as_view()),
    path("volume-types", api.VolumeTypeList.as_view()),
]
