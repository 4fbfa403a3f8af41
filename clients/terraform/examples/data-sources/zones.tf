data "andromede_zones" "paris" {
  region = "fr-idf"
}

output "zones" {
  value = data.andromede_zones.paris.ids
}
