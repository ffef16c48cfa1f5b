output "role_arn" {
  description = "ARN of the project's role: RunTask's `overrides.taskRoleArn`."
  value       = aws_iam_role.task.arn
}

output "role_name" {
  description = "Name of the project's role."
  value       = aws_iam_role.task.name
}

output "artifacts" {
  description = "Where the project publishes: s3://BUCKET/PREFIX, the first is the default; for `artifacts[].to` of a spec."
  value       = var.artifacts_bucket == null ? [] : [for p in local.artifacts_prefixes : "s3://${var.artifacts_bucket}/${p}"]
}

output "state" {
  description = "Where specs, results, logs and caches of the project lie: s3://BUCKET/PREFIX."
  value       = var.state_bucket == null ? [] : [for p in local.state_prefixes : "s3://${var.state_bucket}/${p}"]
}

output "control" {
  description = "Where requests to cancel a job of the project are looked for: s3://BUCKET/PREFIX, the first is the default; for `control` of a spec, with `$${id}` behind it."
  value       = var.state_bucket == null ? [] : [for p in local.control_prefixes : "s3://${var.state_bucket}/${p}"]
}

output "repository_url" {
  description = "Repository for the project's images, for `image.repository` of a spec; null without images."
  value       = local.repository == "" ? null : "${local.account}.dkr.ecr.${local.region}.${data.aws_partition.current.dns_suffix}/${local.repository}"
}

output "secrets_path" {
  description = "Path of the project's secrets, for `{ ssm: /PATH/NAME }` and `{ secret: PATH/NAME }` of a spec; null without."
  value       = local.secrets_path == "" ? null : local.secrets_path
}
