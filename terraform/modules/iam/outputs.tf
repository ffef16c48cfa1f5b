output "permissions_boundary_arn" {
  description = "ARN of the permissions boundary: for module project and every other role."
  value       = aws_iam_policy.boundary.arn
}

output "execution_role_arn" {
  description = "ARN of the execution role: `executionRoleArn` of task definitions."
  value       = aws_iam_role.execution.arn
}

output "builder_role_arns" {
  description = "ARN of the role of each kind of builder, by kind: `taskRoleArn` of task definitions that a profile steers."
  value       = { for kind, b in module.builder : kind => b.role_arn }
}

output "run_task_policy_arn" {
  description = "ARN of the policy for who starts tasks: RunTask, StopTask, DescribeTasks, and PassRole of our roles to ECS."
  value       = aws_iam_policy.run_task.arn
}

output "project_admin_policy_arn" {
  description = "ARN of the policy for who applies module project: makes roles with the boundary, and none without."
  value       = aws_iam_policy.project_admin.arn
}
