output "stopped_queue_url" {
  description = "URL of the queue with an event for each task that stopped."
  value       = aws_sqs_queue.this["stopped"].url
}

output "stopped_queue_arn" {
  description = "ARN of the queue with an event for each task that stopped."
  value       = aws_sqs_queue.this["stopped"].arn
}

output "lost_queue_url" {
  description = "URL of the queue with a job.lost for each task that stopped without a result."
  value       = aws_sqs_queue.this["lost"].url
}

output "lost_queue_arn" {
  description = "ARN of the queue with a job.lost for each task that stopped without a result."
  value       = aws_sqs_queue.this["lost"].arn
}

output "dead_letter_queue_url" {
  description = "URL of the queue of what could not be delivered or read."
  value       = aws_sqs_queue.dead.url
}

output "dead_letter_queue_arn" {
  description = "ARN of the queue of what could not be delivered or read."
  value       = aws_sqs_queue.dead.arn
}

output "alarm_topic_arns" {
  description = "ARNs of the topics that alarms go to."
  value       = local.topics
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "stopped_pattern" {
  description = "Event pattern (JSON) of tasks that stopped, for rules of your own."
  value       = aws_cloudwatch_event_rule.stopped.event_pattern
}

output "lost_patterns" {
  description = "Event pattern (JSON) of tasks that stopped without a result, by builder, for rules of your own."
  value       = { for b, p in local.lost_patterns : b => jsonencode(p) }
}
