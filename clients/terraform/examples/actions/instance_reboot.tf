resource "andromede_instance" "web" {
  name   = "web"
  flavor = "small"
  image  = "debian-13"
}

# terraform apply -invoke=action.andromede_instance_reboot.web
action "andromede_instance_reboot" "web" {
  config {
    instance = andromede_instance.web.id
  }
}
