# ---- alarms; what to do about each is in its description

locals {
  topics = length(var.alarm_topic_arns) > 0 ? var.alarm_topic_arns : aws_sns_topic.alarms[*].arn

  # Classes that are the platform's or ours, never the tenant's.
  platform_classes = ["credentials", "platform", "sandbox-lost", "internal"]
}

resource "aws_sns_topic" "alarms" {
  count = length(var.alarm_topic_arns) > 0 ? 0 : 1

  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "alarms" {
  count = length(aws_sns_topic.alarms)

  arn = aws_sns_topic.alarms[0].arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "CloudWatch"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms[0].arn
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}-*" }
      }
    }]
  })
}

resource "aws_cloudwatch_metric_alarm" "lost" {
  for_each = var.builders

  alarm_name          = "${var.name}-job-lost-${each.key}"
  alarm_description   = "A job of ${each.value.family} ended without a result. The message in ${local.queues["lost"]} says why: an image that cannot be pulled, memory that ran out beside our program, a host that was lost. Log group: ${each.value.log_group}."
  namespace           = "AWS/Events"
  metric_name         = "TriggeredRules"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.lost[each.key].name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Events could not be delivered, or nobody could read them. Attributes of the messages in ${aws_sqs_queue.dead.name} name rule and error; repair the target, then send them again."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics
  ok_actions          = local.topics
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "platform" {
  alarm_name          = "${var.name}-platform-failures"
  alarm_description   = "${var.platform_failures} or more jobs of 15 minutes failed by no fault of their tenants (${join(", ", local.platform_classes)}). The last line of a job's log names service and call: look at roles, endpoints, and AWS's status."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.platform_failures
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics
  ok_actions          = local.topics
  tags                = var.tags

  metric_query {
    id          = "failures"
    label       = "Jobs"
    return_data = true
    expression  = join(" + ", [for i in range(length(local.platform_classes)) : "FILL(m${i}, 0)"])
  }

  dynamic "metric_query" {
    for_each = local.platform_classes

    content {
      id = "m${metric_query.key}"

      metric {
        namespace   = var.name
        metric_name = "Jobs"
        dimensions  = { Class = metric_query.value }
        stat        = "Sum"
        period      = 900
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "failing" {
  count = var.failure_percent == null ? 0 : 1

  alarm_name          = "${var.name}-failing-jobs"
  alarm_description   = "More than ${var.failure_percent} % of the jobs of an hour failed: if not one tenant's, then something that all builds use (a package registry, a git server, the builder's image)."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.failure_percent
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics
  ok_actions          = local.topics
  tags                = var.tags

  metric_query {
    id          = "percent"
    label       = "Failed jobs, %"
    return_data = true
    expression  = "IF(jobs >= 10, 100 * failed / jobs, 0)"
  }

  dynamic "metric_query" {
    for_each = { jobs = "Jobs", failed = "Failed" }

    content {
      id = metric_query.key

      metric {
        namespace   = var.name
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 3600
      }
    }
  }
}
