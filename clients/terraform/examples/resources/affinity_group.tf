# No two of these are on one node.
resource "andromede_affinity_group" "web" {
  name = "web"
  rule = "anti-affinity"
}

resource "andromede_instance" "web" {
  count          = 2
  name           = "web-${count.index}"
  flavor         = "small"
  image          = "debian-13"
  affinity_group = andromede_affinity_group.web.id
}
