# Who is told of builds: one topic for whoever wants to know, a queue for each project, and what an existing system reads.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  queues  = "arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.name}:${local.account}"

  # For /etc/caisson/operator.yaml of the builder images: jobs tell topic and queue without a word in their specs, and
  # none of them can name others. What is pinned here and what roles may do are the same.
  operator_file = {
    defaults = {
      notify  = [{ sns = aws_sns_topic.builds.arn }, { sqs = "${local.queues}:${local.name}-builds-$${project}", events = ["status", "progress"] }]
      control = "s3://${module.storage.state_bucket}/control/$${project}/$${id}"
      result  = "s3://${module.storage.state_bucket}/jobs/$${project}/$${id}/result.json"
      log     = "s3://${module.storage.state_bucket}/jobs/$${project}/$${id}/log.gz"
    }
    pins = {
      topics = [aws_sns_topic.builds.arn, "${local.queues}:${local.name}-builds-$${project}"]
    }
  }
}

resource "aws_sns_topic" "builds" {
  name = "${local.name}-builds"
}

resource "aws_sqs_queue" "builds" {
  for_each = var.settings.projects

  name                    = "${local.name}-builds-${each.key}"
  sqs_managed_sse_enabled = true
}

# Stand for the topic that the existing system's builders publish to, and for the queue that its consumer reads.
resource "aws_sns_topic" "domain_events" {
  name       = "${local.name}-domain-events.fifo"
  fifo_topic = true
}

resource "aws_sqs_queue" "domain_events" {
  name                        = "${local.name}-domain-events.fifo"
  fifo_queue                  = true
  content_based_deduplication = true # EventBridge gives no id of its own
  sqs_managed_sse_enabled     = true
}

resource "aws_sns_topic_subscription" "domain_events" {
  topic_arn = aws_sns_topic.domain_events.arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.domain_events.arn
}

resource "aws_sqs_queue_policy" "domain_events" {
  queue_url = aws_sqs_queue.domain_events.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "LostJobs"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.domain_events.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "Builders"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.domain_events.arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.domain_events.arn } }
      },
    ]
  })
}
