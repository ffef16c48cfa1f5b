output "artifacts_bucket" {
  description = "Name of the bucket that jobs publish to."
  value       = aws_s3_bucket.this["artifacts"].bucket
}

output "artifacts_bucket_arn" {
  description = "ARN of the bucket that jobs publish to."
  value       = local.arns.artifacts
}

output "state_bucket" {
  description = "Name of the bucket of specs, results, logs (jobs/), caches (cache/) and requests to cancel (control/)."
  value       = aws_s3_bucket.this["state"].bucket
}

output "state_bucket_arn" {
  description = "ARN of the bucket of specs, results, logs, caches and requests to cancel."
  value       = local.arns.state
}

output "served_prefix" {
  description = "Prefix of the artifacts bucket beneath which published sites lie."
  value       = var.served_prefix
}

output "distribution_id" {
  description = "Id of the CloudFront distribution, for invalidations; null without one."
  value       = one([for d in aws_cloudfront_distribution.sites : d.id])
}

output "distribution_domain_name" {
  description = "Host name of the CloudFront distribution, the target of a DNS record for *.DOMAIN; null without one."
  value       = one([for d in aws_cloudfront_distribution.sites : d.domain_name])
}
