# A database that boots from a volume. Its data has a snapshot every night, one from before an upgrade, and a copy to try
# the upgrade on; its system is also an image for further instances.

variable "image" {
  type    = string
  default = "debian-13"
}

variable "flavor" {
  type    = string
  default = "small"
}

variable "zone" {
  type        = string
  default     = "fr-idf-1"
  description = "A zone with a storage cluster."
}

variable "volume_type" {
  type        = string
  default     = "rbd"
  description = "A type whose volumes have snapshots: has_snapshots of andromede_volume_types."
}

variable "data_gib" {
  type    = number
  default = 10
}

variable "trial_type" {
  type        = string
  default     = "rbd"
  description = "The copy is made in the storage cluster of the snapshot; afterwards it may go to a type of another place."
}

variable "snapshots_at" {
  type    = string
  default = "02:30"
}

variable "labels" {
  type    = map(string)
  default = { application = "database" }
}

resource "andromede_volume" "system" {
  name        = "database-system"
  size_gib    = 10
  volume_type = var.volume_type
  image       = var.image
  zones       = [var.zone]
  labels      = var.labels
}

resource "andromede_volume" "data" {
  name        = "database-data"
  size_gib    = var.data_gib
  volume_type = var.volume_type
  zones       = [var.zone]
  labels      = merge(var.labels, { snapshots = "nightly" })
}

# It takes its snapshots of each volume that has the label. They stay when it is destroyed: delete them before the volumes.
resource "andromede_snapshot_schedule" "nightly" {
  name      = "database-nightly"
  selector  = "snapshots=nightly"
  frequency = "daily"
  at        = var.snapshots_at
  timezone  = "Europe/Paris"
  keep      = 7
}

resource "andromede_volume_snapshot" "before_upgrade" {
  name   = "database-before-upgrade"
  volume = andromede_volume.data.id
}

resource "andromede_volume" "trial" {
  name        = "database-trial"
  size_gib    = andromede_volume_snapshot.before_upgrade.size_gib
  volume_type = var.trial_type
  snapshot    = andromede_volume_snapshot.before_upgrade.id
  zones       = [var.zone]
}

resource "andromede_volume_snapshot" "system" {
  name   = "database-system-as-made"
  volume = andromede_volume.system.id
}

resource "andromede_image" "database" {
  name     = "database"
  snapshot = andromede_volume_snapshot.system.id
}

resource "andromede_instance" "database" {
  name        = "database"
  flavor      = var.flavor
  boot_volume = andromede_volume.system.id
  volumes     = [andromede_volume.data.id]
  labels      = var.labels
}

output "zone" {
  value = andromede_instance.database.zone
}

output "taken_at" {
  value = andromede_volume_snapshot.before_upgrade.taken_at
}
