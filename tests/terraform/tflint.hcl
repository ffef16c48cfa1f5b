# The rules that tflint has in itself; no plugin is downloaded.
plugin "terraform" {
  enabled = true
  preset  = "all"
}
