data "aws_region" "current" {}
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account  = data.aws_caller_identity.current.account_id
  registry = "${local.account}.dkr.ecr.${data.aws_region.current.name}.${data.aws_partition.current.dns_suffix}"

  # Two namespaces, so that no project can be called in a way that makes the builders' images its own.
  builders     = "${var.name}/builders"
  applications = "${var.name}/apps"

  encryption = var.kms_key_arn == null ? "AES256" : "KMS"

  # A digest of a task definition may point to an image without a tag: those of builders go by number alone.
  keep = {
    selection   = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.keep_images }
    action      = { type = "expire" }
    description = "all but the newest images"
  }

  untagged = {
    selection = {
      tagStatus   = "untagged"
      countType   = "sinceImagePushed"
      countUnit   = "days"
      countNumber = var.untagged_days
    }
    action      = { type = "expire" }
    description = "images without a tag, by age"
  }

  builder_lifecycle     = jsonencode({ rules = [merge(local.keep, { rulePriority = 1 })] })
  application_lifecycle = jsonencode({ rules = [merge(local.untagged, { rulePriority = 1 }), merge(local.keep, { rulePriority = 2 })] })

  pull_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "PullFromOtherAccounts"
      Effect    = "Allow"
      Principal = { AWS = [for a in sort(var.pull_accounts) : "arn:${data.aws_partition.current.partition}:iam::${a}:root"] }
      Action    = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    }]
  })
}

resource "aws_ecr_repository" "builder" {
  for_each = var.builders

  name                 = "${local.builders}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_delete
  tags                 = merge(var.tags, { "caisson:builder" = each.key })

  # By repository: the registry's own scanning configuration is one for the whole account, and not ours to replace.
  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = local.encryption
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "builder" {
  for_each = aws_ecr_repository.builder

  repository = each.value.name
  policy     = local.builder_lifecycle
}

resource "aws_ecr_repository_policy" "builder" {
  for_each = length(var.pull_accounts) > 0 ? aws_ecr_repository.builder : {}

  repository = each.value.name
  policy     = local.pull_policy
}

# Tags of applications stay mutable: jobs of existing systems move them.
resource "aws_ecr_repository_creation_template" "applications" {
  count = var.creation_template ? 1 : 0

  prefix               = local.applications
  description          = "application images of ${var.name}"
  applied_for          = ["PULL_THROUGH_CACHE", "REPLICATION"]
  image_tag_mutability = "MUTABLE"
  lifecycle_policy     = local.application_lifecycle

  encryption_configuration {
    encryption_type = local.encryption
    kms_key         = var.kms_key_arn
  }
}
