data "aws_region" "current" {}
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.name
  partition = data.aws_partition.current.partition
  path      = "/${var.name}/"
}

# The most that a role of a task can ever do, whatever policy somebody gives it later.
resource "aws_iam_policy" "boundary" {
  name        = "${var.name}-boundary-${local.region}"
  path        = local.path
  description = "Permissions boundary of every role of ${var.name}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.boundary })
  tags        = var.tags

  lifecycle {
    precondition {
      condition     = alltrue([for a in concat(flatten(values(local.told)), local.notify_keys) : split(":", a)[4] == local.account])
      error_message = "A topic, queue, bus or key is of another account: nothing of those is within reach of a task. Name one of this account that hands messages on."
    }
    precondition {
      condition     = alltrue([for a in var.pull_role_arns : split(":", a)[4] == local.account])
      error_message = "A role of pull_role_arns is of another account: nothing of those is within reach of a task. Let a role of this account pull there."
    }
  }
}

# What ECS itself needs before a container runs: the image and the log. No container gets these credentials.
resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution-${local.region}"
  path                 = local.path
  description          = "ECS agent of tasks of ${var.name}: pulls images, writes logs"
  assume_role_policy   = jsonencode(local.trust)
  permissions_boundary = aws_iam_policy.boundary.arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution })
}

# Same document as a project's, over the prefixes of all projects and without a project's secrets.
module "builder" {
  source   = "../project"
  for_each = var.builder_roles

  name                     = var.name
  project                  = each.key
  role                     = { name = "${var.name}-builder-${each.key}-${local.region}", path = "${local.path}builders/" }
  permissions_boundary_arn = aws_iam_policy.boundary.arn
  artifacts_bucket         = each.value.artifacts_bucket
  artifacts_prefixes       = each.value.artifacts_prefixes
  state_bucket             = each.value.state_bucket
  state_prefixes           = each.value.state_prefixes
  control_prefixes         = each.value.control_prefixes
  repository               = each.value.repository
  repository_created_by    = "nobody"
  secrets_path             = each.value.secrets_path
  topic_arns               = each.value.topic_arns
  queue_arns               = each.value.queue_arns
  event_bus_arns           = each.value.event_bus_arns
  log_group_names          = each.value.log_group_names
  notify_kms_key_arns      = each.value.notify_kms_key_arns
  pull_role_arns           = each.value.pull_role_arns
  kms_key_arn              = var.kms_key_arn
  tags                     = var.tags
}

# For who calls RunTask: a control plane, Step Functions, a person.
resource "aws_iam_policy" "run_task" {
  name        = "${var.name}-run-task-${local.region}"
  path        = local.path
  description = "Start, follow and stop tasks of ${var.name}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.run_task })
  tags        = var.tags
}

# For who adds projects: makes roles, none without the boundary.
resource "aws_iam_policy" "project_admin" {
  name        = "${var.name}-project-admin-${local.region}"
  path        = local.path
  description = "Add and remove projects of ${var.name} (module project)"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.project_admin })
  tags        = var.tags
}
