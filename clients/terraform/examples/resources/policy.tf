resource "andromede_policy" "project" {
  reason = "contract 2026-114, article 7"
  atoms = {
    home = { attr = "zone.id", op = "in", value = jsonencode(["fr-idf-1", "fr-idf-2", "de-rhein-1"]) }
    land = { attr = "location.territory", op = "in", value = jsonencode(["@EU"]), roles = ["storage", "backup"] }
  }
}
