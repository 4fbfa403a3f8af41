variable "file" {
  description = "A qcow2 image on this machine."
  type        = string
}

resource "andromede_image" "mine" {
  name           = "mine"
  format         = "qcow2"
  source_file    = var.file
  min_memory_mib = 256
}
