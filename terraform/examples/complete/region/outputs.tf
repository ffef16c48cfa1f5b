output "control_plane" {
  description = "What RunTask and a control plane need."
  value = {
    cluster               = module.cluster.arn
    network_configuration = module.network.network_configuration
    subnet_ids            = module.network.subnet_ids
    security_group_id     = module.network.security_group_id
    task_definitions      = { for b, builder in module.builder : b => builder.task_definition_arn_without_revision }
    container_names       = { for b, builder in module.builder : b => builder.container_name }
    log_groups            = { for b, builder in module.builder : b => builder.log_group }
    project_roles         = { for p, project in module.project : p => project.role_arn }
    control               = { for p, project in module.project : p => project.control[0] }
    builds_topic_arn      = aws_sns_topic.builds.arn
    builds_queue_urls     = { for p, queue in aws_sqs_queue.builds : p => queue.url }
    operator_file         = yamlencode(local.operator_file)
    repositories          = { for p, project in module.project : p => project.repository_url }
    builder_repositories  = module.registry.builder_repository_urls
    artifacts_bucket      = module.storage.artifacts_bucket
    state_bucket          = module.storage.state_bucket
    stopped_queue_url     = module.events.stopped_queue_url
    lost_queue_url        = module.events.lost_queue_url
    run_task_policy_arn   = module.iam.run_task_policy_arn
    project_admin_policy  = module.iam.project_admin_policy_arn
    dashboard             = module.events.dashboard_name
  }
}
