resource "andromede_network" "lan" {
  name = "lan"
  cidr = "10.10.0.0/24"
}

resource "andromede_instance" "web" {
  name     = "web"
  flavor   = "small"
  image    = "debian-13"
  networks = [andromede_network.lan.id]
  labels   = { tier = "web" }

  # Never in a state or a plan: raise the version when it changes.
  user_data_wo         = "#cloud-config\npackages: [nginx]\n"
  user_data_wo_version = 1

  # Another flavor stops it for a while, another image makes its disk anew: both only with leave.
  allow_stop_for_update   = true
  rebuild_on_image_change = true

  timeouts = { create = "30m" }
}

output "address" {
  value = andromede_instance.web.addresses[0].ip
}
