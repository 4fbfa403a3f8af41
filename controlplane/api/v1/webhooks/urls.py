from django.urls import path

from controlplane.api.v1.webhooks import views

PROJECT = "projects/<str:project>"
WEBHOOK = f"{PROJECT}/webhooks/<str:webhook>"

urlpatterns = [
    path(f"{PROJECT}/webhooks", views.WebhookList.as_view()),
    path(WEBHOOK, views.WebhookDetail.as_view()),
    path(f"{WEBHOOK}/actions/rotate-secret", views.WebhookRotate.as_view()),
    path(f"{WEBHOOK}/actions/end-rotation", views.WebhookEndRotation.as_view()),
    path(f"{WEBHOOK}/actions/ping", views.WebhookPing.as_view()),
    path(f"{WEBHOOK}/deliveries", views.DeliveryList.as_view()),
    path(f"{WEBHOOK}/deliveries/<str:delivery>", views.DeliveryDetail.as_view()),
    path(f"{WEBHOOK}/deliveries/<str:delivery>/actions/redeliver", views.DeliveryRedeliver.as_view()),
]
