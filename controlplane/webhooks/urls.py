from django.urls import path

from controlplane.webhooks import api

WEBHOOK = "projects/<str:project>/webhooks/<str:webhook>"

urlpatterns = [
    path("projects/<str:project>/webhooks", api.WebhookList.as_view()),
    path(WEBHOOK, api.WebhookDetail.as_view()),
    path(f"{WEBHOOK}/actions/rotate-secret", api.WebhookRotate.as_view()),
    path(f"{WEBHOOK}/actions/end-rotation", api.WebhookEndRotation.as_view()),
    path(f"{WEBHOOK}/actions/ping", api.WebhookPing.as_view()),
    path(f"{WEBHOOK}/deliveries", api.DeliveryList.as_view()),
    path(f"{WEBHOOK}/deliveries/<str:delivery>", api.DeliveryDetail.as_view()),
    path(f"{WEBHOOK}/deliveries/<str:delivery>/actions/redeliver", api.DeliveryRedeliver.as_view()),
]
