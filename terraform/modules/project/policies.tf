# The role's policy as a document. What caisson asks for, and why, is in docs/publishing.md (S3), docs/images.md (caches)
# and docs/compatibility.md (ECR).

locals {
  # Only ECS, only for a task of this account and region: another account's task definition cannot borrow the role.
  trust = {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
      }
    }]
  }

  object_actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]

  artifacts = "arn:${local.partition}:s3:::${var.artifacts_bucket == null ? "" : var.artifacts_bucket}"
  state     = "arn:${local.partition}:s3:::${var.state_bucket == null ? "" : var.state_bucket}"

  # The state of publishes to a/b/ is .caisson/a~1b/manifest.json of the same bucket, that of a/b/c/ .caisson/a~1b~1c/….
  manifests = flatten([for p in local.artifacts_prefixes : [
    ".caisson/${replace(trimsuffix(p, "/"), "/", "~1")}/*",
    ".caisson/${replace(trimsuffix(p, "/"), "/", "~1")}~1*",
  ]])

  publishing = [for s in [
    {
      Sid      = "Artifacts"
      Effect   = "Allow"
      Action   = local.object_actions
      Resource = [for p in local.artifacts_prefixes : "${local.artifacts}/${p}*"]
    },
    {
      Sid      = "StateOfPublishes"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = [for m in local.manifests : "${local.artifacts}/${m}"]
    },
    {
      Sid       = "ListArtifacts"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [local.artifacts]
      Condition = { StringLike = { "s3:prefix" = concat([for p in local.artifacts_prefixes : "${p}*"], local.manifests) } }
    },
  ] : s if var.artifacts_bucket != null && length(local.artifacts_prefixes) > 0]

  keeping = [for s in [
    {
      Sid      = "JobsAndCaches"
      Effect   = "Allow"
      Action   = local.object_actions
      Resource = [for p in local.state_prefixes : "${local.state}/${p}*"]
    },
    {
      Sid       = "ListJobsAndCaches"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [local.state]
      Condition = { StringLike = { "s3:prefix" = [for p in local.state_prefixes : "${p}*"] } }
    },
  ] : s if var.state_bucket != null && length(local.state_prefixes) > 0]

  # To list, because S3 says 403 of a request that is not there to those who may not.
  listening = [for s in [
    {
      Sid      = "Control"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [for p in local.control_prefixes : "${local.state}/${p}*"]
    },
    {
      Sid       = "ListControl"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [local.state]
      Condition = { StringLike = { "s3:prefix" = [for p in local.control_prefixes : "${p}*"] } }
    },
  ] : s if var.state_bucket != null && length(local.control_prefixes) > 0]

  repository_arn = "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${local.repository}"

  pushing = [for s in [
    {
      # a token for the registry; what it may do there are the rights of this role
      Sid      = "RegistryToken"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
    {
      Sid    = "Images"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ]
      Resource = [local.repository_arn, "${local.repository_arn}/*"]
    },
    {
      Sid      = "CreateRepositories"
      Effect   = "Allow"
      Action   = ["ecr:CreateRepository", "ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy", "ecr:TagResource"]
      Resource = [local.repository_arn, "${local.repository_arn}/*"]
    },
  ] : s if local.repository != "" && (s.Sid != "CreateRepositories" || var.repository_created_by == "job")]

  secrets = [for s in [
    {
      Sid      = "Parameters"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter"]
      Resource = ["arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${local.secrets_path}/*"]
    },
    {
      Sid      = "Secrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${local.secrets_path}/*"]
    },
  ] : s if local.secrets_path != ""]

  decrypting = [for s in [{
    Sid      = "Key"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
    Condition = {
      StringLike = { "kms:ViaService" = [for s in ["s3", "ssm", "secretsmanager"] : "${s}.${local.region}.amazonaws.com*"] }
    }
  }] : s if var.kms_key_arn != null]

  # the session that caisson takes of such a role may pull and nothing else (docs/images.md)
  pulling = [for s in [{
    Sid      = "PullRoles"
    Effect   = "Allow"
    Action   = ["sts:AssumeRole"]
    Resource = var.pull_role_arns
  }] : s if length(var.pull_role_arns) > 0]

  told = concat(var.topic_arns, var.queue_arns, var.event_bus_arns, var.notify_kms_key_arns)

  # One action each, and of log groups two: what caisson calls, docs/operations.md#telling-your-systems.
  reporting = [for s in [
    { Sid = "Topics", Effect = "Allow", Action = ["sns:Publish"], Resource = var.topic_arns },
    { Sid = "Queues", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = var.queue_arns },
    { Sid = "Buses", Effect = "Allow", Action = ["events:PutEvents"], Resource = var.event_bus_arns },
    {
      Sid    = "LogGroups"
      Effect = "Allow"
      Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
      # the group, as a group with its streams
      Resource = [for n in var.log_group_names : "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${n}:*"]
    },
  ] : s if length(s.Resource) > 0]

  # Who sends to what is encrypted asks for the data key itself.
  # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
  encrypting = [for s in [{
    Sid      = "KeysOfTopicsAndQueues"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = var.notify_kms_key_arns
    Condition = {
      StringLike = { "kms:ViaService" = ["sns.*.amazonaws.com*", "sqs.*.amazonaws.com*"] }
    }
  }] : s if length(var.notify_kms_key_arns) > 0]

  statements = concat(
    local.publishing, local.keeping, local.listening, local.pushing, local.pulling, local.secrets, local.decrypting, local.reporting,
    local.encrypting,
  )
}
