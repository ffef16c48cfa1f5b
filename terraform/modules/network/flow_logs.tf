# Who talked to whom: of a shared VPC only what builds did.

locals {
  flow_logs = var.flow_logs.enabled ? 1 : 0
  flow_name = "/${var.name}/flow-logs"
  flow_arn  = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.flow_name}"

  flow_trust = {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ec2:${local.region}:${local.account}:vpc-flow-log/*" }
      }
    }]
  }
  flow_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid      = "WriteFlowLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = [local.flow_arn, "${local.flow_arn}:*"]
    }]
  }
}

resource "aws_cloudwatch_log_group" "flow" {
  count = local.flow_logs

  name              = local.flow_name
  retention_in_days = var.flow_logs.retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "flow" {
  count = local.flow_logs

  name                 = "${var.name}-flow-logs-${local.region}"
  path                 = "/${var.name}/"
  description          = "Writes the VPC flow logs of ${var.name}"
  assume_role_policy   = jsonencode(local.flow_trust)
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "flow" {
  count = local.flow_logs

  name   = "flow-logs"
  role   = aws_iam_role.flow[0].id
  policy = jsonencode(local.flow_policy)
}

resource "aws_flow_log" "vpc" {
  count = local.own ? local.flow_logs : 0

  vpc_id               = local.vpc_id
  traffic_type         = var.flow_logs.traffic_type
  log_destination_type = "cloud-watch-logs"
  log_destination      = aws_cloudwatch_log_group.flow[0].arn
  iam_role_arn         = aws_iam_role.flow[0].arn
  tags                 = merge(var.tags, { Name = var.name })
}

resource "aws_flow_log" "subnet" {
  count = local.own ? 0 : local.flow_logs * length(var.shared_vpc.subnet_ids)

  subnet_id            = var.shared_vpc.subnet_ids[count.index]
  traffic_type         = var.flow_logs.traffic_type
  log_destination_type = "cloud-watch-logs"
  log_destination      = aws_cloudwatch_log_group.flow[0].arn
  iam_role_arn         = aws_iam_role.flow[0].arn
  tags                 = merge(var.tags, { Name = var.name })
}
