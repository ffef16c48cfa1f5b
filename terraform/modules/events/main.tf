data "aws_region" "current" {}
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.name
  partition = data.aws_partition.current.partition

  families = "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition"

  stopped = {
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
  }

  # Classes of caisson (docs/spec.md, "Exit codes"), each of which means that the result was given first. PID 1 of the
  # runner is our program, so nobody else can make its container end with them. Usage (2) is not among them: that is a
  # mistake in the task definition's command, found before there is a job that could have a result.
  reported = [
    0, 10, 11, 12, 20, 21, 22, 23, 30, 31, 32, 33, 34, 35, 36, 40, 41, 42, 43, 50, 51, 52, 59, 124, 130, 143,
  ]

  # A pattern looks at each element of `containers` on its own where it compares values, but `exists: false` means that
  # no element has the field: while the sandbox has an exit code, a runner without one is not found by it. So a task
  # that never ran, and one whose end nobody saw, are found by what ECS says of the task. An end that the agent saw
  # sets executionStoppedAt.
  lost_patterns = {
    for b, builder in var.builders : b => merge(local.stopped, {
      detail = {
        clusterArn        = [var.cluster_arn]
        lastStatus        = ["STOPPED"]
        taskDefinitionArn = [{ prefix = "${local.families}/${builder.family}:" }]
        "$or" = [
          { stopCode = ["TaskFailedToStart"] },
          { stopCode = [{ anything-but = ["EssentialContainerExited"] }], executionStoppedAt = [{ exists = false }] },
          { containers = { name = [builder.container_name], exitCode = [{ anything-but = local.reported }] } },
          { containers = { name = [builder.container_name], exitCode = [null, { exists = false }] } },
          # Of a container that did run this is set for memory alone, which our program may have survived and told of.
          { containers = { name = [builder.container_name], reason = [{ anything-but = { prefix = "OutOfMemory" } }] } },
        ]
      }
    })
  }

  stopped_pattern = jsonencode(merge(local.stopped, {
    detail = {
      clusterArn        = [var.cluster_arn]
      lastStatus        = ["STOPPED"]
      taskDefinitionArn = [for f in sort(distinct(values(var.builders)[*].family)) : { prefix = "${local.families}/${f}:" }]
    }
  }))

  # Without `overrides`: they hold the variables of the call, in existing systems the tenant's tokens among them.
  # Unquoted where the value is no text, or one that may hold quotes: EventBridge writes those as JSON.
  paths = {
    id            = "$.id"
    time          = "$.time"
    account       = "$.account"
    region        = "$.region"
    cluster       = "$.detail.clusterArn"
    task          = "$.detail.taskArn"
    definition    = "$.detail.taskDefinitionArn"
    startedBy     = "$.detail.startedBy"
    group         = "$.detail.group"
    stopCode      = "$.detail.stopCode"
    stoppedReason = "$.detail.stoppedReason"
    createdAt     = "$.detail.createdAt"
    startedAt     = "$.detail.startedAt"
    stoppedAt     = "$.detail.stoppedAt"
    containers    = "$.detail.containers"
    version       = "$.detail.version"
  }
}

# ---- every task that stopped, as ECS tells it, for control planes

resource "aws_cloudwatch_event_rule" "stopped" {
  name          = "${var.name}-task-stopped"
  description   = "Tasks of ${var.name} that stopped"
  event_pattern = local.stopped_pattern
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length(local.stopped_pattern) <= 2048
      error_message = "EventBridge takes patterns of up to 2,048 characters: these builders are too many for one call of this module."
    }
  }
}

resource "aws_cloudwatch_event_target" "stopped" {
  rule      = aws_cloudwatch_event_rule.stopped.name
  target_id = "queue"
  arn       = aws_sqs_queue.this["stopped"].arn

  input_transformer {
    input_paths = local.paths

    input_template = <<-EOT
      {
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "id": "<id>",
        "time": "<time>",
        "account": "<account>",
        "region": "<region>",
        "detail": {
          "lastStatus": "STOPPED",
          "clusterArn": "<cluster>",
          "taskArn": "<task>",
          "taskDefinitionArn": "<definition>",
          "startedBy": "<startedBy>",
          "group": "<group>",
          "stopCode": "<stopCode>",
          "stoppedReason": <stoppedReason>,
          "createdAt": "<createdAt>",
          "startedAt": "<startedAt>",
          "stoppedAt": "<stoppedAt>",
          "version": "<version>",
          "containers": <containers>
        }
      }
    EOT
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead.arn
  }
}
