resource "andromede_project" "sandbox" {
  name = "sandbox"
}

resource "andromede_quota" "sandbox" {
  project = andromede_project.sandbox.id
  limits  = { instances = 5, vcpus = 10, storage_gib = 100 }
}
