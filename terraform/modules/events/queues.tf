# ---- queues, their dead letters, and who may send to them

locals {
  queues = { for q in ["stopped", "lost"] : q => "${var.name}-${q == "lost" ? "job-lost" : "task-stopped"}" }

  # By name, not by reference: the rules' ARNs are known before the rules are made.
  rules      = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-"
  queue_arns = { for q, n in merge(local.queues, { dead = "${var.name}-dead-letters" }) : q => "arn:${local.partition}:sqs:${local.region}:${local.account}:${n}" }

  queue_policies = {
    for q, rules in {
      stopped = ["${local.rules}task-stopped"]
      lost    = ["${local.rules}job-lost-*"]
      dead    = ["${local.rules}task-stopped", "${local.rules}job-lost-*", "${local.rules}lost-for-*"]
      } : q => {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "EventBridge"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = local.queue_arns[q]
          Condition = {
            ArnLike      = { "aws:SourceArn" = rules }
            StringEquals = { "aws:SourceAccount" = local.account }
          }
        },
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = local.queue_arns[q]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    }
  }
}

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                       = each.value
  message_retention_seconds  = var.retention_days * 86400
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn
  tags                       = var.tags

  # Who takes a message five times and never removes it cannot read it.
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 5 })
}

# What EventBridge could not deliver, and what nobody could read.
resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 14 * 86400
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "this" {
  for_each = aws_sqs_queue.this

  queue_url = each.value.url
  policy    = jsonencode(local.queue_policies[each.key])
}

resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.dead.url
  policy    = jsonencode(local.queue_policies["dead"])
}
