# Two web servers that never share a node, each with a volume of its own, in a project whose data stays at home.

variable "image" {
  type    = string
  default = "debian-13"
}

variable "flavor" {
  type    = string
  default = "small"
}

variable "public_key" {
  type    = string
  default = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me@laptop"
}

variable "zones" {
  type    = list(string)
  default = ["fr-idf-1", "fr-idf-2", "de-rhein-1"]
}

resource "andromede_policy" "home" {
  atoms = {
    home = { attr = "zone.id", op = "in", value = jsonencode(var.zones) }
  }
}

resource "andromede_ssh_key" "operator" {
  name       = "operator"
  public_key = var.public_key
}

resource "andromede_network" "lan" {
  name = "application"
  cidr = "10.30.0.0/24"
}

resource "andromede_affinity_group" "web" {
  name = "web"
  rule = "anti-affinity"
}

resource "andromede_instance" "web" {
  count          = 2
  name           = "web-${count.index}"
  flavor         = var.flavor
  image          = var.image
  networks       = [andromede_network.lan.id]
  ssh_keys       = [andromede_ssh_key.operator.id]
  affinity_group = andromede_affinity_group.web.id
  labels         = { application = "example" }
  depends_on     = [andromede_policy.home]
}

resource "andromede_volume" "data" {
  count         = 2
  name          = "data-${count.index}"
  size_gib      = 1
  near_instance = andromede_instance.web[count.index].id
  labels        = { application = "example" }
}

resource "andromede_volume_attachment" "data" {
  count    = 2
  instance = andromede_instance.web[count.index].id
  volume   = andromede_volume.data[count.index].id
}

output "addresses" {
  value = { for instance in andromede_instance.web : instance.name => instance.addresses[0].ip }
}

output "zones" {
  value = [for instance in andromede_instance.web : instance.zone]
}
