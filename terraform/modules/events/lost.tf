# ---- tasks that stopped without a result: job.lost

resource "aws_cloudwatch_event_rule" "lost" {
  for_each = var.builders

  name          = "${var.name}-job-lost-${each.key}"
  description   = "Jobs of ${each.value.family} that ended without a result"
  event_pattern = jsonencode(local.lost_patterns[each.key])
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length(jsonencode(local.lost_patterns[each.key])) <= 2048
      error_message = "EventBridge takes patterns of up to 2,048 characters: shorten the names of cluster, family or container."
    }
  }
}

locals {
  # CloudEvents 1.0, as those of caisson itself. Source and id together are the same whenever ECS says it twice.
  lost_template = <<-EOT
    {
      "specversion": "1.0",
      "type": "dev.caisson.job.lost",
      "source": "<task>",
      "id": "lost",
      "time": "<time>",
      "datacontenttype": "application/json",
      "data": {
        "schema": "caisson.lost/1",
        "status": "lost",
        "cluster": "<cluster>",
        "task": "<task>",
        "task_definition": "<definition>",
        "started_by": "<startedBy>",
        "group": "<group>",
        "stop_code": "<stopCode>",
        "stopped_reason": <stoppedReason>,
        "created_at": "<createdAt>",
        "started_at": "<startedAt>",
        "stopped_at": "<stoppedAt>",
        "containers": <containers>
      }
    }
  EOT

  lost_paths = { for k, v in local.paths : k => v if !contains(["id", "account", "region", "version"], k) }

  lost_targets = merge([
    for b in keys(var.builders) : merge(
      { "${b}/queue" = { builder = b, id = "queue", arn = aws_sqs_queue.this["lost"].arn } },
      { for t, arn in var.lost_topic_arns : "${b}/topic-${t}" => { builder = b, id = "topic-${t}", arn = arn } },
    )
  ]...)
}

resource "aws_cloudwatch_event_target" "lost" {
  for_each = local.lost_targets

  rule      = aws_cloudwatch_event_rule.lost[each.value.builder].name
  target_id = each.value.id
  arn       = each.value.arn

  input_transformer {
    input_paths    = local.lost_paths
    input_template = local.lost_template
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead.arn
  }
}
