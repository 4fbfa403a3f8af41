data "andromede_volume_types" "all" {}

locals {
  limited = [for each in data.andromede_volume_types.all.volume_types : each.id if each.iops > 0]
}
