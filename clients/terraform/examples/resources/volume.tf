# The volume comes first, and the instance to it: a new instance finds it again.
resource "andromede_volume" "data" {
  name     = "data"
  size_gib = 10
  labels   = { backup = "daily" }
}

resource "andromede_instance" "database" {
  name    = "database"
  flavor  = "small"
  image   = "debian-13"
  volumes = [andromede_volume.data.id]
}
