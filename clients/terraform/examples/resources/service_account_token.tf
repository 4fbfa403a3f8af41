resource "andromede_service_account" "backup" {
  name   = "backup"
  grants = [{ role = "viewer" }]
}

resource "andromede_service_account_token" "backup" {
  service_account = andromede_service_account.backup.id
  name            = "nightly"
  verbs           = ["read"]
  kinds           = ["volumes"]
  lifetime_days   = 14
}

output "backup_token" {
  value     = andromede_service_account_token.backup.secret
  sensitive = true
}
