resource "andromede_instance" "web" {
  name   = "web"
  flavor = "small"
  image  = "debian-13"
}

# On the node of the instance, so that it can be attached there.
resource "andromede_volume" "cache" {
  name          = "cache"
  size_gib      = 5
  near_instance = andromede_instance.web.id
}

resource "andromede_volume_attachment" "cache" {
  instance = andromede_instance.web.id
  volume   = andromede_volume.cache.id
}
