from django.urls import path

from controlplane.api.v1.storage_clusters import views

urlpatterns = [
    path("storage-clusters", views.StorageClusterList.as_view()),
    path("storage-clusters/<str:cluster>", views.StorageClusterDetail.as_view()),
    path("storage-clusters/<str:cluster>/incidents", views.StorageClusterIncidents.as_view()),
]
