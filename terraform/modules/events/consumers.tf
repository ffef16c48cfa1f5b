# ---- job.lost in the words of existing systems. A rule has up to five targets, so each consumer has a rule of its own.

locals {
  lost_message = "the build task ended without a result (<stopCode>)"

  # What the consumers read, transcribed: docs/migration.md. Those of vercel-clone have many dialects, so what goes to a
  # queue is what all of them look for; a callback's body goes to their database as it is, so there is no more in it.
  veren = {
    for kind in ["FRONTEND", "BACKEND"] : kind => {
      type         = "${kind}_BUILD_FAILED"
      projectId    = "<project>"
      deploymentId = "<deployment>"
      payload      = { msg = local.lost_message, task = "<task>" }
      timestamp    = "<time>"
    }
  }

  messages = {
    veren-frontend = jsonencode(local.veren["FRONTEND"])
    veren-backend  = jsonencode(local.veren["BACKEND"])
    deployra       = jsonencode({ status = "FAILED", error = local.lost_message })
    blacktree      = jsonencode({ deploymentId = "<deployment>", imageUrl = "", success = false, logs = "", error = local.lost_message })
    vercel-clone = jsonencode({
      status         = "FAIL"
      projectId      = "<project>"
      deploymentId   = "<deployment>"
      PROJECT_ID     = "<project>"
      DEPLOYMENT_ID  = "<deployment>"
      DEPLOYEMENT_ID = "<deployment>"
      finishedAt     = "<time>"
      timestamp      = "<time>"
      error          = local.lost_message
      log            = local.lost_message
    })
  }

  callbacks = {
    complete = jsonencode({ status = "FAIL", finishedAt = "<time>" })
    status   = jsonencode({ status = "FAIL" })
  }

  # jsonencode escapes the angle brackets that EventBridge looks for.
  translations = { for p, m in local.messages : p => replace(replace(m, "\\u003c", "<"), "\\u003e", ">") }

  wrapped = {
    for p, m in local.translations : p => replace(replace(
      jsonencode({ Type = "Notification", MessageId = "<event>", TopicArn = "<rule>", Timestamp = "<time>", Message = m }),
    "\\u003c", "<"), "\\u003e", ">")
  }

  callback_of = { for n, c in local.called : n => replace(replace(
    local.callbacks[endswith(c.http.endpoint, "/complete") ? "complete" : "status"], "\\u003c", "<"), "\\u003e", ">")
    if var.builders[c.builder].profile == "vercel-clone"
  }

  called = { for n, c in var.consumers : n => c if c.http != null }
}

resource "aws_cloudwatch_event_rule" "consumer" {
  for_each = var.consumers

  name          = "${var.name}-lost-for-${each.key}"
  description   = "The same as ${aws_cloudwatch_event_rule.lost[each.value.builder].name}, for ${each.key}"
  event_pattern = jsonencode(local.lost_patterns[each.value.builder])
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "consumer" {
  for_each = var.consumers

  rule      = aws_cloudwatch_event_rule.consumer[each.key].name
  target_id = "consumer"
  arn       = each.value.http == null ? each.value.target_arn : aws_cloudwatch_event_api_destination.consumer[each.key].arn
  role_arn  = each.value.http == null ? null : aws_iam_role.caller[0].arn

  input_transformer {
    # By position, because EventBridge looks nothing up by name. The system's variables stand before the tenant's, so a
    # name that a tenant sends a second time changes nothing here.
    input_paths = {
      project    = "$.detail.overrides.containerOverrides[0].environment[${each.value.project_index}].value"
      deployment = "$.detail.overrides.containerOverrides[0].environment[${each.value.deployment_index}].value"
      task       = "$.detail.taskArn"
      stopCode   = "$.detail.stopCode"
      time       = "$.time"
      event      = "$.id"
      rule       = "$.resources[0]"
    }

    input_template = (
      each.value.http == null && each.value.envelope && strcontains(coalesce(each.value.target_arn, "-"), ":sqs:")
      ? local.wrapped[var.builders[each.value.builder].profile]
      : lookup(local.callback_of, each.key, local.translations[var.builders[each.value.builder].profile])
    )
  }

  dynamic "sqs_target" {
    for_each = endswith(coalesce(each.value.target_arn, "-"), ".fifo") ? ["${var.name}-job-lost"] : []

    content {
      message_group_id = sqs_target.value
    }
  }

  dynamic "http_target" {
    for_each = try(strcontains(each.value.http.endpoint, "*"), false) ? [each.value.deployment_index] : []

    content {
      path_parameter_values = ["$.detail.overrides.containerOverrides[0].environment[${http_target.value}].value"]
    }
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead.arn
  }
}

resource "aws_cloudwatch_event_api_destination" "consumer" {
  for_each = local.called

  name                             = "${var.name}-${each.key}"
  description                      = "Learns of lost jobs of ${each.value.builder}"
  connection_arn                   = each.value.http.connection_arn
  invocation_endpoint              = each.value.http.endpoint
  http_method                      = each.value.http.method
  invocation_rate_limit_per_second = 10
}

resource "aws_iam_role" "caller" {
  count = length(local.called) > 0 ? 1 : 0

  name                 = "${var.name}-lost-caller-${local.region}"
  path                 = "/${var.name}/"
  description          = "EventBridge calls who waits for lost jobs"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  # Only our rules of this account (confused deputy).
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-lost-for-*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "caller" {
  count = length(local.called) > 0 ? 1 : 0

  name = "call"
  role = aws_iam_role.caller[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["events:InvokeApiDestination"]
      Resource = [for d in aws_cloudwatch_event_api_destination.consumer : d.arn]
    }]
  })
}
