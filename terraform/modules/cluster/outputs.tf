output "arn" {
  description = "ARN of the cluster: RunTask's `cluster`."
  value       = aws_ecs_cluster.this.arn
}

output "name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "capacity_providers" {
  description = "Capacity providers that RunTask's `capacityProviderStrategy` may name."
  value       = sort(tolist(aws_ecs_cluster_capacity_providers.this.capacity_providers))
}
