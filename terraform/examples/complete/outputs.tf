output "regions" {
  description = "By region: what RunTask and a control plane need."
  value       = { (var.regions[0]) = module.first.control_plane, (var.regions[1]) = module.second.control_plane }
}
