mock_provider "aws" {
  override_during = plan

  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-central-1:123456789012:queue"
      url = "https://sqs.eu-central-1.amazonaws.com/123456789012/queue"
    }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:caisson-alarms" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/caisson/caller" }
  }
  mock_resource "aws_cloudwatch_event_api_destination" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:api-destination/caisson-hook/00000000-0000-0000-0000-000000000000" }
  }
}

variables {
  cluster_arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/caisson"
  builders = {
    node   = { family = "caisson-node", container_name = "builder", profile = "veren-frontend", log_group = "/caisson/builders/node" }
    kaniko = { family = "caisson-kaniko", container_name = "runner", profile = "veren-backend", log_group = "/caisson/builders/kaniko" }
    clone  = { family = "caisson-clone", container_name = "builder", profile = "vercel-clone", log_group = "/caisson/builders/clone" }
    spec   = { family = "caisson-spec", container_name = "builder", log_group = "/caisson/builders/spec" }
  }
}

# Its patterns and templates are what tests/terraform runs through AWS's own event-ruler.
run "everything" {
  command = plan

  variables {
    consumers = {
      frontend = { builder = "node", target_arn = "arn:aws:sqs:eu-central-1:123456789012:domain-events.fifo", project_index = 4, deployment_index = 5 }
      backend  = { builder = "kaniko", target_arn = "arn:aws:sns:eu-central-1:123456789012:domain-events", project_index = 4, deployment_index = 5 }
      raw      = { builder = "kaniko", target_arn = "arn:aws:sqs:eu-central-1:123456789012:raw", envelope = false, project_index = 4, deployment_index = 5 }
      hook = {
        builder          = "clone"
        project_index    = 1
        deployment_index = 2
        http = {
          connection_arn = "arn:aws:events:eu-central-1:123456789012:connection/api/00000000-0000-0000-0000-000000000000"
          endpoint       = "https://api.example.com/deployments/*/complete"
        }
      }
    }
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/caisson/boundary"
    lost_topic_arns          = { people = "arn:aws:sns:eu-central-1:123456789012:people" }
    failure_percent          = 50
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.lost) == 4 && length(aws_cloudwatch_event_target.lost) == 8
    error_message = "each builder's lost jobs go to the queue and to the topic"
  }
  assert {
    condition     = alltrue([for t in concat(values(aws_cloudwatch_event_target.lost), values(aws_cloudwatch_event_target.consumer), [aws_cloudwatch_event_target.stopped]) : t.dead_letter_config[0].arn == aws_sqs_queue.dead.arn])
    error_message = "every target has the dead letters"
  }
  assert {
    condition     = aws_cloudwatch_event_target.consumer["frontend"].sqs_target[0].message_group_id == "caisson-job-lost" && length(aws_cloudwatch_event_target.consumer["raw"].sqs_target) == 0
    error_message = "a FIFO queue gets a message group"
  }
  assert {
    condition     = jsondecode(jsondecode(aws_cloudwatch_event_target.consumer["frontend"].input_transformer[0].input_template).Message).type == "FRONTEND_BUILD_FAILED" && jsondecode(aws_cloudwatch_event_target.consumer["backend"].input_transformer[0].input_template).type == "BACKEND_BUILD_FAILED" && jsondecode(aws_cloudwatch_event_target.consumer["raw"].input_transformer[0].input_template).deploymentId == "<deployment>"
    error_message = "in the words of the consumer, wrapped where it reads what SNS has wrapped"
  }
  assert {
    condition     = aws_cloudwatch_event_target.consumer["hook"].http_target[0].path_parameter_values == tolist(["$.detail.overrides.containerOverrides[0].environment[2].value"]) && aws_cloudwatch_event_target.consumer["hook"].arn == aws_cloudwatch_event_api_destination.consumer["hook"].arn && jsondecode(aws_cloudwatch_event_target.consumer["hook"].input_transformer[0].input_template).status == "FAIL"
    error_message = "an HTTPS endpoint with the deployment in its path"
  }
  assert {
    condition     = aws_iam_role.caller[0].permissions_boundary == "arn:aws:iam::123456789012:policy/caisson/boundary"
    error_message = "no role without the boundary"
  }
  assert {
    condition     = !strcontains(aws_cloudwatch_event_target.stopped.input_transformer[0].input_template, "overrides") && !contains(values(aws_cloudwatch_event_target.stopped.input_transformer[0].input_paths), "$.detail")
    error_message = "variables of the call go nowhere"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.lost) == 4 && length(aws_cloudwatch_metric_alarm.failing) == 1
    error_message = "alarms"
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 8
    error_message = "the dashboard's graphs"
  }
  assert {
    condition     = alltrue([for q in aws_sqs_queue.this : jsondecode(q.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 5 } && q.message_retention_seconds == 4 * 86400])
    error_message = "what nobody can read becomes a dead letter"
  }
  assert {
    condition     = aws_cloudwatch_event_target.consumer["hook"].role_arn == aws_iam_role.caller[0].arn && aws_cloudwatch_event_target.consumer["raw"].role_arn == null
    error_message = "an endpoint is called by the role that may"
  }
  assert {
    condition     = [for q in aws_cloudwatch_metric_alarm.failing[0].metric_query : q.expression if coalesce(q.return_data, false)] == ["IF(jobs >= 10, 100 * failed / jobs, 0)"] && [for q in aws_cloudwatch_metric_alarm.platform.metric_query : q.expression if coalesce(q.return_data, false)] == ["FILL(m0, 0) + FILL(m1, 0) + FILL(m2, 0) + FILL(m3, 0)"]
    error_message = "percent of the jobs, and the sum of the classes"
  }
  assert {
    condition     = alltrue([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.properties.region == "eu-central-1"])
    error_message = "graphs of this region"
  }
}

# tests/vectors/lost_consumers.json is made of these: what the consumers of tests/e2e are told of a lost job.
run "each_system" {
  command = plan

  variables {
    builders = {
      site      = { family = "caisson-site", container_name = "builder", profile = "veren-frontend", log_group = "/caisson/builders/site" }
      backend   = { family = "caisson-backend", container_name = "runner", profile = "veren-backend", log_group = "/caisson/builders/backend" }
      clone     = { family = "caisson-clone", container_name = "builder", profile = "vercel-clone", log_group = "/caisson/builders/clone" }
      deployra  = { family = "caisson-deployra", container_name = "runner", profile = "deployra", log_group = "/caisson/builders/deployra" }
      blacktree = { family = "caisson-blacktree", container_name = "runner", profile = "blacktree", log_group = "/caisson/builders/blacktree" }
    }
    consumers = {
      veren-frontend = { builder = "site", target_arn = "arn:aws:sqs:eu-central-1:123456789012:domain-events.fifo", project_index = 0, deployment_index = 1 }
      veren-backend  = { builder = "backend", target_arn = "arn:aws:sqs:eu-central-1:123456789012:domain-events.fifo", project_index = 0, deployment_index = 1 }
      clone-queue    = { builder = "clone", target_arn = "arn:aws:sqs:eu-central-1:123456789012:lost", envelope = false, project_index = 0, deployment_index = 1 }
      clone-status = {
        builder          = "clone"
        project_index    = 0
        deployment_index = 1
        http = {
          connection_arn = "arn:aws:events:eu-central-1:123456789012:connection/clone/00000000-0000-0000-0000-000000000000"
          endpoint       = "https://hooks.test/api/v1/project/deploy/*"
        }
      }
      clone-complete = {
        builder          = "clone"
        project_index    = 0
        deployment_index = 1
        http = {
          connection_arn = "arn:aws:events:eu-central-1:123456789012:connection/clone/00000000-0000-0000-0000-000000000000"
          endpoint       = "https://hooks.test/deployments/*/complete"
        }
      }
      deployra = {
        builder          = "deployra"
        project_index    = 0
        deployment_index = 0
        http = {
          connection_arn = "arn:aws:events:eu-central-1:123456789012:connection/deployra/00000000-0000-0000-0000-000000000000"
          endpoint       = "https://hooks.test/api/webhooks/deployments/*/status"
          method         = "POST"
        }
      }
      blacktree = { builder = "blacktree", target_arn = "arn:aws:sqs:eu-central-1:123456789012:lost", envelope = false, project_index = 0, deployment_index = 0 }
    }
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/caisson/boundary"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_target.consumer["clone-status"].input_transformer[0].input_template) == { status = "FAIL" } && keys(jsondecode(aws_cloudwatch_event_target.consumer["clone-complete"].input_transformer[0].input_template)) == ["finishedAt", "status"]
    error_message = "no more in a callback than its server knows"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_target.consumer["deployra"].input_transformer[0].input_template).status == "FAILED" && jsondecode(aws_cloudwatch_event_target.consumer["blacktree"].input_transformer[0].input_template).success == false
    error_message = "in the words of each system"
  }
}

run "least" {
  command = plan

  variables {
    builders         = { spec = { family = "caisson-spec", container_name = "builder", log_group = "/caisson/builders/spec" } }
    alarm_topic_arns = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && output.alarm_topic_arns == tolist(["arn:aws:sns:eu-central-1:123456789012:on-call"]) && length(aws_iam_role.caller) == 0
    error_message = "nothing that is not asked for"
  }
  assert {
    condition     = aws_sqs_queue.this["stopped"].sqs_managed_sse_enabled && aws_sqs_queue.dead.sqs_managed_sse_enabled
    error_message = "queues are encrypted"
  }
}

run "a_pattern_that_eventbridge_does_not_take" {
  command = plan

  variables {
    builders = { long = { family = "caisson-long", container_name = join("", [for i in range(250) : "long"]), log_group = "/caisson/builders/long" } }
  }

  expect_failures = [aws_cloudwatch_event_rule.lost]
}

run "mistakes" {
  command = plan

  variables {
    name              = "Caisson"
    cluster_arn       = "caisson"
    consumers         = { spec = { builder = "spec", target_arn = "arn:aws:sqs:eu-central-1:123456789012:raw", project_index = 0, deployment_index = 1 } } # has no profile
    lost_topic_arns   = { fifo = "arn:aws:sns:eu-central-1:123456789012:x.fifo" }
    alarm_topic_arns  = ["x"]
    platform_failures = 0
    failure_percent   = 100
    retention_days    = 15
    kms_key_arn       = "alias/x"
  }

  expect_failures = [
    var.name, var.cluster_arn, var.consumers, var.lost_topic_arns, var.alarm_topic_arns, var.platform_failures,
    var.failure_percent, var.retention_days, var.kms_key_arn,
  ]
}

run "no_builders" {
  command = plan

  variables {
    builders = {}
  }

  expect_failures = [var.builders]
}

run "a_consumer_that_waits_nowhere" {
  command = plan

  variables {
    consumers = { x = { builder = "node", project_index = 0, deployment_index = 1 } }
  }

  expect_failures = [var.consumers]
}

run "a_consumer_of_a_fifo_topic" {
  command = plan

  variables {
    consumers = { x = { builder = "node", target_arn = "arn:aws:sns:eu-central-1:123456789012:domain-events.fifo", project_index = 0, deployment_index = 1 } }
  }

  expect_failures = [var.consumers]
}

run "a_consumer_at_no_position" {
  command = plan

  variables {
    consumers = { x = { builder = "node", target_arn = "arn:aws:sqs:eu-central-1:123456789012:raw", project_index = -1, deployment_index = 1 } }
  }

  expect_failures = [var.consumers]
}

run "a_consumer_whose_name_is_none" {
  command = plan

  variables {
    consumers = { X = { builder = "node", target_arn = "arn:aws:sqs:eu-central-1:123456789012:raw", project_index = 0, deployment_index = 1 } }
  }

  expect_failures = [var.consumers]
}

run "an_endpoint_without_tls" {
  command = plan

  variables {
    consumers                = { hook = { builder = "clone", project_index = 1, deployment_index = 2, http = { connection_arn = "arn:aws:events:eu-central-1:123456789012:connection/x/y", endpoint = "http://api.example.com" } } }
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/caisson/boundary"
  }

  expect_failures = [var.consumers]
}

run "an_endpoint_needs_the_boundary" {
  command = plan

  variables {
    consumers = { hook = { builder = "clone", project_index = 1, deployment_index = 2, http = { connection_arn = "arn:aws:events:eu-central-1:123456789012:connection/x/y", endpoint = "https://api.example.com" } } }
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "a_boundary_that_is_none" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}
