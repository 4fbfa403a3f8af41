resource "andromede_security_group" "web" {
  name        = "web"
  description = "Web servers"
  labels      = { env = "prod" }
}

resource "andromede_instance" "web" {
  name            = "web"
  flavor          = "small"
  image           = "debian-13"
  networks        = ["lan"]
  security_groups = [andromede_security_group.web.name]
}
