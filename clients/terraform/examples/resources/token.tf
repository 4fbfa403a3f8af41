resource "andromede_token" "monitoring" {
  name          = "monitoring"
  role          = "viewer"
  lifetime_days = 30
}

output "monitoring_token" {
  value     = andromede_token.monitoring.secret
  sensitive = true
}
