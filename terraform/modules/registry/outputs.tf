output "registry" {
  description = "Host of the registry, for `docker login` and the operator's `pins.registry`."
  value       = local.registry
}

output "builder_repository_urls" {
  description = "URL of each builder's repository, by builder."
  value       = { for b, r in aws_ecr_repository.builder : b => r.repository_url }
}

output "builder_repository_arns" {
  description = "ARN of each builder's repository, by builder: what the role of the release workflow may push to."
  value       = { for b, r in aws_ecr_repository.builder : b => r.arn }
}

output "application_prefix" {
  description = "Prefix of the repositories of application images. A project's is PREFIX/PROJECT."
  value       = local.applications
}

output "application_lifecycle_policy" {
  description = "The lifecycle policy of application images (JSON), for repositories that are made elsewhere."
  value       = local.application_lifecycle
}
