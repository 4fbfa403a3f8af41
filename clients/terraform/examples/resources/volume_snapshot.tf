# A volume of a type with snapshots, its content of now, and a second volume that begins with that content.
resource "andromede_volume" "data" {
  name        = "data"
  size_gib    = 10
  volume_type = "rbd"
}

resource "andromede_volume_snapshot" "before_upgrade" {
  volume = andromede_volume.data.id
  name   = "before-upgrade"
  labels = { reason = "upgrade" }
}

resource "andromede_volume" "trial" {
  name        = "trial"
  size_gib    = andromede_volume_snapshot.before_upgrade.size_gib
  volume_type = "rbd"
  snapshot    = andromede_volume_snapshot.before_upgrade.id
}
