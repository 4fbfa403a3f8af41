resource "andromede_webhook" "ops" {
  name  = "ops"
  url   = "https://ops.example.org/andromede"
  kinds = ["instance.*", "drift.found"]

  # Raise it to get another secret; for a day both sign.
  secret_version = 1
  overlap_hours  = 24
}

output "webhook_secret" {
  value     = andromede_webhook.ops.secret
  sensitive = true
}
