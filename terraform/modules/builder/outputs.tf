output "task_definition_arn" {
  description = "ARN of the task definition with its revision: RunTask's `taskDefinition`."
  value       = aws_ecs_task_definition.builder.arn
}

output "task_definition_arn_without_revision" {
  description = "ARN without the revision: RunTask takes the newest."
  value       = aws_ecs_task_definition.builder.arn_without_revision
}

output "family" {
  description = "Family of the task definition."
  value       = aws_ecs_task_definition.builder.family
}

output "container_name" {
  description = "Name in RunTask's `overrides.containerOverrides`."
  value       = var.container_name
}

output "log_group" {
  description = "Name of the log group. A job's stream is job/CONTAINER/TASK-ID."
  value       = aws_cloudwatch_log_group.builder.name
}

output "log_group_arn" {
  description = "ARN of the log group."
  value       = aws_cloudwatch_log_group.builder.arn
}

output "builder" {
  description = "What module events wants to know, for its `builders`."
  value = {
    family         = aws_ecs_task_definition.builder.family
    container_name = var.container_name
    profile        = var.profile
    log_group      = aws_cloudwatch_log_group.builder.name
  }
}
