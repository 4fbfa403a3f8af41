# For this run alone; it is revoked when the run ends.
ephemeral "andromede_token" "run" {
  name = "run"
  role = "viewer"
}

provider "andromede" {
  alias = "reader"
  token = ephemeral.andromede_token.run.secret
}

data "andromede_zones" "all" {
  provider = andromede.reader
}
