# The permissions boundary as a document: first what there is at most, then what no policy can give, a bucket's or a
# key's neither (an explicit denial also counts against those).

locals {
  pull_actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
  push_actions = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]

  bucket_arns = [for b in var.buckets : "arn:${local.partition}:s3:::${b}"]
  ecr_arn     = "arn:${local.partition}:ecr:${local.region}:${local.account}:repository"
  pull_arns   = [for a in sort(var.pull_accounts) : "arn:${local.partition}:ecr:*:${a}:repository/*"]
  groups_arn  = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group"
  logs_arn    = "${local.groups_arn}:/${var.name}/*"

  at_most = [
    {
      Sid    = "Objects"
      Effect = "Allow"
      Action = [
        "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:ListMultipartUploadParts", "s3:PutObject",
      ]
      Resource  = concat(local.bucket_arns, [for a in local.bucket_arns : "${a}/*"])
      Condition = { StringEquals = { "aws:ResourceAccount" = local.account } }
    },
    {
      Sid    = "Images"
      Effect = "Allow"
      Action = concat(local.pull_actions, local.push_actions, [
        "ecr:CreateRepository", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy",
        "ecr:TagResource",
      ])
      Resource = concat(["${local.ecr_arn}/${var.name}/apps/*"], [for r in var.repositories : "${local.ecr_arn}/${r}"])
    },
    {
      Sid      = "Pull"
      Effect   = "Allow"
      Action   = local.pull_actions
      Resource = concat(["${local.ecr_arn}/${var.name}/*"], local.pull_arns)
    },
    {
      # these two know no resource
      Sid      = "Tokens"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken", "sts:GetCallerIdentity"]
      Resource = ["*"]
    },
    {
      Sid    = "Secrets"
      Effect = "Allow"
      Action = ["secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters"]
      Resource = concat([
        "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${var.name}/*",
        "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${var.name}/*",
      ], var.secret_arns)
    },
    {
      # of module events, which calls consumers of lost jobs
      Sid      = "Destinations"
      Effect   = "Allow"
      Action   = ["events:InvokeApiDestination"]
      Resource = ["arn:${local.partition}:events:${local.region}:${local.account}:api-destination/${var.name}-*"]
    },
    {
      Sid      = "Logs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = [local.logs_arn]
    },
  ]

  # Not whatever the account has: who adds projects could let a job speak to any system that listens to a queue.
  told = {
    "sns:Publish"      = concat(var.topic_arns, flatten([for r in var.builder_roles : r.topic_arns]))
    "sqs:SendMessage"  = concat(var.queue_arns, flatten([for r in var.builder_roles : r.queue_arns]))
    "events:PutEvents" = concat(var.event_bus_arns, flatten([for r in var.builder_roles : r.event_bus_arns]))
  }
  log_groups = distinct(concat(var.log_group_names, flatten([for r in var.builder_roles : r.log_group_names])))
  messages = [for s in [
    {
      Sid      = "Messages"
      Effect   = "Allow"
      Action   = [for action, arns in local.told : action if length(arns) > 0]
      Resource = distinct(flatten(values(local.told)))
    },
    {
      Sid      = "LogGroups"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = [for n in local.log_groups : "${local.groups_arn}:${n}:*"]
    },
  ] : s if length(s.Resource) > 0]

  # image.pull_auth.role (docs/images.md): caisson gets a session of it that may pull and nothing else. A build that came
  # by the task's credentials could take the role as it is.
  pulling = [for s in [{
    Sid      = "PullRoles"
    Effect   = "Allow"
    Action   = ["sts:AssumeRole"]
    Resource = sort(var.pull_role_arns)
  }] : s if length(var.pull_role_arns) > 0]

  # kms:ViaService: ciphertext that a build comes by cannot be decrypted with the role
  keys = [for s in [{
    Sid      = "Key"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
    Condition = {
      StringLike = { "kms:ViaService" = [for s in ["s3", "ssm", "secretsmanager"] : "${s}.${local.region}.amazonaws.com*"] }
    }
  }] : s if var.kms_key_arn != null]

  notify_keys = distinct(concat(var.notify_kms_key_arns, flatten([for r in var.builder_roles : r.notify_kms_key_arns])))
  keys_of_messages = [for s in [{
    Sid       = "KeysOfTopicsAndQueues"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = local.notify_keys
    Condition = { StringLike = { "kms:ViaService" = ["sns.*.amazonaws.com*", "sqs.*.amazonaws.com*"] } }
  }] : s if length(local.notify_keys) > 0]

  # A denial of actions cannot name an exception, so it goes by letters: of "A" what is not AssumeRole itself, where
  # that is allowed at all.
  assume_none = ["A"]
  assume_but  = ["AssumeRole?", "AssumeRoo"]

  no_other_role = [for s in [{
    Sid         = "NoOtherRole"
    Effect      = "Deny"
    Action      = ["sts:AssumeRole"]
    NotResource = sort(var.pull_role_arns)
  }] : s if length(var.pull_role_arns) > 0]

  never = [
    {
      # of sts all but GetCallerIdentity
      Sid    = "NoOtherIdentity"
      Effect = "Deny"
      Action = concat(["account:*", "iam:*", "organizations:*"], [
        for a in concat(length(var.pull_role_arns) > 0 ? local.assume_but : local.assume_none, ["D", "GetA", "GetD", "GetF", "GetS", "GetW", "S", "T"]) : "sts:${a}*"
      ])
      Resource = ["*"]
    },
    {
      # Null: an action that tells no account is for the statements above to allow, by ARNs of this account.
      Sid       = "NoOtherAccount"
      Effect    = "Deny"
      NotAction = local.pull_actions
      Resource  = ["*"]
      Condition = { StringNotEquals = { "aws:ResourceAccount" = [local.account] }, Null = { "aws:ResourceAccount" = "false" } }
    },
    {
      Sid       = "NoOtherAccountsImages"
      Effect    = "Deny"
      Action    = local.pull_actions
      Resource  = ["*"]
      Condition = { StringNotEquals = { "aws:ResourceAccount" = concat([local.account], sort(var.pull_accounts)) }, Null = { "aws:ResourceAccount" = "false" } }
    },
    {
      # a build that changes the image of a builder owns every later job
      Sid      = "NoBuilderImages"
      Effect   = "Deny"
      Action   = concat(local.push_actions, ["ecr:BatchDeleteImage", "ecr:Create*", "ecr:Delete*", "ecr:Put*", "ecr:Set*"])
      Resource = ["${local.ecr_arn}/${var.name}/builders/*"]
    },
    {
      Sid    = "NoBuckets"
      Effect = "Deny"
      Action = [
        "s3:BypassGovernanceRetention", "s3:CreateBucket", "s3:DeleteBucket*", "s3:DeleteObjectVersion", "s3:Put*Configuration",
        "s3:PutBucket*", "s3:PutObject*Acl",
      ]
      Resource = ["*"]
    },
    {
      # ECS Exec is a shell beside the credentials
      Sid      = "NoShell"
      Effect   = "Deny"
      Action   = ["ecs:ExecuteCommand", "ssm:StartSession", "ssmmessages:*"]
      Resource = ["*"]
    },
  ]

  boundary = concat(
    local.at_most, local.messages, local.pulling, local.keys, local.keys_of_messages, local.no_other_role, local.never,
  )
}
