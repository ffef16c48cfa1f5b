data "aws_region" "current" {}
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.name
  partition = data.aws_partition.current.partition

  artifacts_prefixes = var.artifacts_prefixes == null ? ["__outputs/${var.project}/"] : var.artifacts_prefixes
  state_prefixes     = var.state_prefixes == null ? ["jobs/${var.project}/", "cache/${var.project}/"] : var.state_prefixes
  control_prefixes   = var.control_prefixes == null ? ["control/${var.project}/"] : var.control_prefixes
  repository         = var.repository == null ? "${var.name}/apps/${var.project}" : var.repository
  secrets_path       = var.secrets_path == null ? "${var.name}/${var.project}" : var.secrets_path

  # Roles are the account's, not the region's: the region in the name lets this module be called once for each.
  full_name = "${var.name}-project-${var.project}-${local.region}"
  role_name = var.role != null ? var.role.name : (
    length(local.full_name) <= 64 ? local.full_name : "${substr(local.full_name, 0, 55)}-${substr(sha256(local.full_name), 0, 8)}"
  )
  role_path = var.role != null ? var.role.path : "/${var.name}/projects/"
  tags      = merge(var.tags, { "caisson:project" = var.project })
}

# What a build may do with these credentials is what this one project may do: RunTask's `taskRoleArn` override.
resource "aws_iam_role" "task" {
  name                 = local.role_name
  path                 = local.role_path
  description          = "Jobs of ${var.project}"
  assume_role_policy   = jsonencode(local.trust)
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags

  lifecycle {
    precondition {
      condition     = local.repository == "" || can(regex("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$", local.repository))
      error_message = "ECR has no repository called ${local.repository} (lower case only): set `repository`, to \"\" when the project has no images."
    }
    precondition {
      condition     = alltrue([for c in local.control_prefixes : alltrue([for s in local.state_prefixes : !startswith(c, s)])])
      error_message = "A prefix of control_prefixes lies beneath one of state_prefixes, where a job may write: a build could take the request that ends it away."
    }
    precondition {
      condition     = alltrue([for a in local.told : split(":", a)[4] == local.account])
      error_message = "A topic, queue, bus or key is of another account, and the boundary denies those: name one of this account that hands messages on."
    }
    precondition {
      condition     = length(local.statements) > 0
      error_message = "The role of ${var.project} could do nothing, and IAM takes no empty policy: name a bucket, a repository or another place."
    }
  }
}

resource "aws_iam_role_policy" "task" {
  name   = "project"
  role   = aws_iam_role.task.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_ecr_repository" "application" {
  count = local.repository != "" && var.repository_created_by == "terraform" ? 1 : 0

  name                 = local.repository
  image_tag_mutability = "MUTABLE" # jobs of existing systems move their tags
  tags                 = local.tags

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "application" {
  count = length(aws_ecr_repository.application) > 0 && var.repository_lifecycle_policy != null ? 1 : 0

  repository = aws_ecr_repository.application[0].name
  policy     = var.repository_lifecycle_policy
}
