resource "andromede_snapshot_schedule" "nightly" {
  name      = "nightly"
  selector  = "backup=daily"
  frequency = "daily"
  at        = "02:30"
  timezone  = "Europe/Paris"
  keep      = 14
}
