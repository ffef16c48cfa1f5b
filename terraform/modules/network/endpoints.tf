# How AWS is reached without leaving its network, and whose buckets and registries may be reached that way.

locals {
  default_endpoints   = local.own ? ["ecr.api", "ecr.dkr", "logs", "sts", "secretsmanager", "ssm"] : []
  interface_endpoints = toset(var.interface_endpoints == null ? local.default_endpoints : var.interface_endpoints)
  s3_endpoint         = length(local.route_table_ids) > 0

  # Credentials of another account, smuggled in by a build, reach nothing here: neither its buckets nor its registries.
  s3_policy = {
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "BucketsOfThisAccount"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:*"
        Resource  = "*"
        Condition = { StringEquals = { "aws:ResourceAccount" = local.account } }
      },
      {
        # ECR hands out signed addresses of its own bucket: without this no image can be pulled.
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
        Sid       = "LayersOfEcr"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource  = "arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"
      },
      ], [for b in var.readable_buckets : {
        Sid       = "Readable${index(var.readable_buckets, b)}"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:ListBucket"]
        Resource  = ["arn:${local.partition}:s3:::${b}", "arn:${local.partition}:s3:::${b}/*"]
    }])
  }

  interface_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "PrincipalsOfThisAccount"
      Effect    = "Allow"
      Principal = "*"
      Action    = "*"
      Resource  = "*"
      Condition = { StringEquals = { "aws:PrincipalAccount" = local.account } }
    }]
  }
}

resource "aws_vpc_endpoint" "s3" {
  count = local.s3_endpoint ? 1 : 0

  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.route_table_ids
  policy            = jsonencode(local.s3_policy)
  tags              = merge(var.tags, { Name = "${var.name}-s3" })
}

resource "aws_security_group" "endpoints" {
  count = length(local.interface_endpoints) > 0 ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "Interface endpoints: HTTPS from builds"
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = length(local.interface_endpoints) > 0 ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "HTTPS from builds"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.build.id
  tags                         = var.tags
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = local.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true
  policy              = jsonencode(local.interface_policy)
  tags                = merge(var.tags, { Name = "${var.name}-${each.key}" })
}
