# The other policies as documents.

locals {
  # Only ECS, only for a task of this account and region (confused deputy).
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
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

  execution = [
    {
      Sid      = "RegistryToken"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
    {
      Sid      = "BuilderImages"
      Effect   = "Allow"
      Action   = local.pull_actions
      Resource = concat(["${local.ecr_arn}/${var.name}/builders/*"], [for r in var.repositories : "${local.ecr_arn}/${r}"], local.pull_arns)
    },
    {
      Sid      = "Logs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = [local.logs_arn]
    },
  ]

  ecs_arn      = "arn:${local.partition}:ecs:${local.region}:${local.account}"
  cluster_name = var.cluster_name == null ? var.name : var.cluster_name
  cluster_arn  = "${local.ecs_arn}:cluster/${local.cluster_name}"
  iam_arn      = "arn:${local.partition}:iam::${local.account}"
  task_roles   = ["${local.iam_arn}:role${local.path}projects/*", "${local.iam_arn}:role${local.path}builders/*"]

  run_task = [
    {
      Sid      = "Run"
      Effect   = "Allow"
      Action   = ["ecs:RunTask"]
      Resource = ["${local.ecs_arn}:task-definition/${var.name}-*:*"]
      Condition = {
        ArnEquals = { "ecs:cluster" = local.cluster_arn }
        # IfExists: a request that says nothing asks for none
        BoolIfExists = { "ecs:enable-execute-command" = "false" }
      }
    },
    {
      Sid       = "FollowAndStop"
      Effect    = "Allow"
      Action    = ["ecs:DescribeTasks", "ecs:StopTask"]
      Resource  = ["${local.ecs_arn}:task/${local.cluster_name}/*"]
      Condition = { ArnEquals = { "ecs:cluster" = local.cluster_arn } }
    },
    {
      Sid       = "List"
      Effect    = "Allow"
      Action    = ["ecs:ListTasks"]
      Resource  = ["*"]
      Condition = { ArnEquals = { "ecs:cluster" = local.cluster_arn } }
    },
    {
      Sid       = "TagWhatIsRun"
      Effect    = "Allow"
      Action    = ["ecs:TagResource"]
      Resource  = ["${local.ecs_arn}:task/${local.cluster_name}/*"]
      Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
    },
    {
      # a task gets our roles, which carry the boundary, and no other
      Sid       = "PassTaskRoles"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = concat([aws_iam_role.execution.arn], local.task_roles)
      Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    },
  ]

  project_roles = "${local.iam_arn}:role${local.path}projects/*"
  boundary_arn  = "${local.iam_arn}:policy${local.path}${var.name}-boundary-${local.region}"
  applications  = "${local.ecr_arn}/${var.name}/apps/*"

  # iam:PermissionsBoundary is, of an action on a role, the boundary that the role has or is to have.
  changes_of_roles = [
    "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy",
  ]

  project_admin = [
    {
      # with which boundary, the denial below says
      Sid      = "Roles"
      Effect   = "Allow"
      Action   = local.changes_of_roles
      Resource = [local.project_roles]
    },
    {
      Sid    = "LookAtRoles"
      Effect = "Allow"
      Action = [
        "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies",
        "iam:ListRoleTags", "iam:TagRole", "iam:UntagRole", "iam:UpdateRole", "iam:UpdateRoleDescription",
      ]
      Resource = [local.project_roles]
    },
    {
      Sid    = "Repositories"
      Effect = "Allow"
      Action = [
        "ecr:CreateRepository", "ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:DescribeRepositories", "ecr:GetLifecyclePolicy",
        "ecr:ListTagsForResource", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy",
        "ecr:TagResource", "ecr:UntagResource",
      ]
      Resource = [local.applications]
    },
    {
      # Also when whoever has this policy has others, AdministratorAccess say.
      Sid      = "NoRoleWithoutTheBoundary"
      Effect   = "Deny"
      Action   = concat(local.changes_of_roles, ["iam:AttachRolePolicy"])
      Resource = ["${local.iam_arn}:role${local.path}*"]
      Condition = {
        StringNotEquals = { "iam:PermissionsBoundary" = local.boundary_arn }
      }
    },
    {
      Sid      = "BoundariesStay"
      Effect   = "Deny"
      Action   = ["iam:DeleteRolePermissionsBoundary"]
      Resource = ["${local.iam_arn}:role${local.path}*"]
    },
    {
      Sid      = "TheBoundaryStaysAsItIs"
      Effect   = "Deny"
      Action   = ["iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion"]
      Resource = [local.boundary_arn]
    },
  ]
}
