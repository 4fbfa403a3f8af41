data "andromede_placement_simulation" "at_home" {
  vcpus        = 2
  memory_mib   = 2048
  disk_gib     = 20
  policy_atoms = jsonencode([{ id = "land", attr = "location.territory", op = "in", value = ["FR"] }])
}

output "zones" {
  value = data.andromede_placement_simulation.at_home.admitted_zones
}
