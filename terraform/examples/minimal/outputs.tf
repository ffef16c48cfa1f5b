output "run_task" {
  description = "What RunTask wants for a job of each project; the job itself goes into the variable CAISSON_JOB."
  value = {
    for p, project in module.project : p => {
      cluster              = module.cluster.arn
      taskDefinition       = module.node.task_definition_arn_without_revision
      networkConfiguration = module.network.network_configuration
      overrides = {
        taskRoleArn        = project.role_arn
        containerOverrides = [{ name = module.node.container_name, environment = [] }]
      }
    }
  }
}

output "artifacts_bucket" {
  description = "Where jobs publish."
  value       = module.storage.artifacts_bucket
}

output "state_bucket" {
  description = "Where specs, results and logs lie."
  value       = module.storage.state_bucket
}

output "log_group" {
  description = "Where the logs of tasks are."
  value       = module.node.log_group
}

output "lost_queue_url" {
  description = "Where to learn of jobs that ended without a result."
  value       = module.events.lost_queue_url
}

output "network_configuration" {
  description = "RunTask's `networkConfiguration`."
  value       = module.network.network_configuration
}
