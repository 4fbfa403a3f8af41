# The smallest with 2 GiB of memory.
data "andromede_flavors" "fitting" {
  min_memory_mib = 2048
}

output "flavor" {
  value = data.andromede_flavors.fitting.ids[0]
}
