data "aws_region" "current" {}
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

# Zones that every account has: no local zones, which lack Fargate and endpoints.
data "aws_availability_zones" "available" {
  count = local.own ? 1 : 0

  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_vpc" "shared" {
  count = local.own ? 0 : 1

  id = var.shared_vpc.vpc_id
}

data "aws_subnet" "shared" {
  count = local.own ? 0 : length(var.shared_vpc.subnet_ids)

  id = var.shared_vpc.subnet_ids[count.index]

  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.shared_vpc.vpc_id
      error_message = "The subnet ${self.id} is not in ${var.shared_vpc.vpc_id}."
    }
  }
}

locals {
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.name
  partition = data.aws_partition.current.partition

  own   = var.shared_vpc == null
  zones = local.own ? slice(sort(data.aws_availability_zones.available[0].names), 0, var.zone_count) : []
  nat   = local.own && startswith(var.egress, "nat")
  # by zone, so that a third one leaves the first two alone
  nat_zones    = local.nat ? toset(var.egress == "nat" ? [local.zones[0]] : local.zones) : toset([])
  public_tasks = local.own ? var.egress == "public-ip" : var.shared_vpc.public
  internet     = !local.own || var.egress != "none"

  vpc_id       = local.own ? aws_vpc.this[0].id : data.aws_vpc.shared[0].id
  vpc_cidr     = local.own ? var.cidr : data.aws_vpc.shared[0].cidr_block
  subnet_ids   = local.own ? [for z in local.zones : aws_subnet.build[z].id] : data.aws_subnet.shared[*].id
  subnet_cidrs = local.own ? [for i, z in local.zones : cidrsubnet(var.cidr, 4, i)] : data.aws_subnet.shared[*].cidr_block

  route_table_ids = local.own ? [for z in local.zones : aws_route_table.build[z].id] : var.shared_vpc.route_table_ids
}

# ---- a VPC of its own: hostile builds live here, and nothing else does

resource "aws_vpc" "this" {
  count = local.own ? 1 : 0

  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = var.name })
}

# The default group lets everything of the VPC talk to everything else: without rules nobody uses it by mistake.
resource "aws_default_security_group" "unused" {
  count = local.own ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(var.tags, { Name = "${var.name}-unused" })
}

resource "aws_subnet" "build" {
  for_each = toset(local.zones)

  vpc_id                  = aws_vpc.this[0].id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(var.cidr, 4, index(local.zones, each.key))
  map_public_ip_on_launch = false # RunTask says so for each task, where it is wanted
  tags                    = merge(var.tags, { Name = "${var.name}-build-${each.key}" })
}

resource "aws_route_table" "build" {
  for_each = aws_subnet.build

  vpc_id = aws_vpc.this[0].id
  tags   = merge(var.tags, { Name = "${var.name}-build-${each.key}" })
}

resource "aws_route_table_association" "build" {
  for_each = aws_subnet.build

  subnet_id      = each.value.id
  route_table_id = aws_route_table.build[each.key].id
}

# ---- the way out

resource "aws_internet_gateway" "this" {
  count = local.own && var.egress != "none" ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_route" "build_public" {
  for_each = local.own && var.egress == "public-ip" ? aws_route_table.build : {}

  route_table_id         = each.value.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_subnet" "nat" {
  for_each = local.nat_zones

  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 8, 240 + index(local.zones, each.key))
  tags              = merge(var.tags, { Name = "${var.name}-nat-${each.key}" })
}

resource "aws_route_table" "nat" {
  count = local.nat ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(var.tags, { Name = "${var.name}-nat" })
}

resource "aws_route" "nat_public" {
  count = local.nat ? 1 : 0

  route_table_id         = aws_route_table.nat[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "nat" {
  for_each = aws_subnet.nat

  subnet_id      = each.value.id
  route_table_id = aws_route_table.nat[0].id
}

resource "aws_eip" "nat" {
  for_each = local.nat_zones

  domain = "vpc"
  tags   = merge(var.tags, { Name = "${var.name}-nat-${each.key}" })
}

resource "aws_nat_gateway" "this" {
  for_each = aws_subnet.nat

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = each.value.id
  tags          = merge(var.tags, { Name = "${var.name}-${each.key}" })
  depends_on    = [aws_internet_gateway.this]
}

resource "aws_route" "build_nat" {
  for_each = local.nat ? aws_route_table.build : {}

  route_table_id         = each.value.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.egress == "nat" ? local.zones[0] : each.key].id
}
