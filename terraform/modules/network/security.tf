# Who may talk to whom. Security groups allow and follow connections, a network ACL forbids: ports are the group's,
# private addresses the ACL's.

resource "aws_security_group" "build" {
  name        = "${var.name}-build"
  description = "Builds: nothing comes in, and little goes out"
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-build" })
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = local.internet ? toset([for p in var.egress_ports : tostring(p)]) : toset([])

  security_group_id = aws_security_group.build.id
  description       = "port ${each.key} anywhere"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
  cidr_ipv4         = "0.0.0.0/0"
  tags              = var.tags
}

locals {
  dns_servers = length(var.dns_servers) > 0 ? var.dns_servers : [cidrhost(local.vpc_cidr, 2)]
  dns_rules   = { for pair in setproduct(["udp", "tcp"], range(length(local.dns_servers))) : "${pair[0]}-${pair[1]}" => { protocol = pair[0], server = local.dns_servers[pair[1]] } }
  private     = { for d in var.private_destinations : "${d.cidr}-${d.port}" => d }
}

resource "aws_vpc_security_group_egress_rule" "dns" {
  for_each = local.dns_rules

  security_group_id = aws_security_group.build.id
  description       = "DNS"
  ip_protocol       = each.value.protocol
  from_port         = 53
  to_port           = 53
  cidr_ipv4         = "${each.value.server}/32"
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "private" {
  for_each = local.private

  security_group_id = aws_security_group.build.id
  description       = "named by private_destinations"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
  tags              = var.tags
}

# Without a way to the Internet two destinations are left: interface endpoints and S3.
resource "aws_vpc_security_group_egress_rule" "endpoints" {
  count = !local.internet && length(local.interface_endpoints) > 0 ? 1 : 0

  security_group_id            = aws_security_group.build.id
  description                  = "interface endpoints"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints[0].id
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  count = local.internet ? 0 : 1

  security_group_id = aws_security_group.build.id
  description       = "S3, by its gateway endpoint"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.s3[0].prefix_list_id
  tags              = var.tags
}

# ---- the network ACL
# Rules count in their order, first match wins. An ACL knows no connections: answers need a rule too. What it cannot
# forbid: the resolver of the VPC, and the task's metadata and credentials (169.254.*), which never leave the host.

locals {
  # private, shared (RFC 6598) and link-local addresses
  private_ranges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]

  # Build subnets hold the interface endpoints of our own VPC. Builds themselves accept nothing (their group).
  acl_inside = length(local.interface_endpoints) == 0 ? [] : [
    for c in local.subnet_cidrs : { action = "allow", protocol = "tcp", cidr = c, from = 443, to = 65535 }
  ]
  acl_private = [for c in local.private_ranges : { action = "deny", protocol = "-1", cidr = c, from = 0, to = 0 }]

  acl_egress = concat(
    [for s in local.dns_servers : { action = "allow", protocol = "udp", cidr = "${s}/32", from = 53, to = 53 }],
    [for s in local.dns_servers : { action = "allow", protocol = "tcp", cidr = "${s}/32", from = 53, to = 53 }],
    local.acl_inside,
    [for d in var.private_destinations : { action = "allow", protocol = "tcp", cidr = d.cidr, from = d.port, to = d.port }],
    local.acl_private,
    [for p in var.egress_ports : { action = "allow", protocol = "tcp", cidr = "0.0.0.0/0", from = p, to = p }],
  )
  acl_ingress = concat(
    [for s in local.dns_servers : { action = "allow", protocol = "udp", cidr = "${s}/32", from = 1024, to = 65535 }],
    [for s in local.dns_servers : { action = "allow", protocol = "tcp", cidr = "${s}/32", from = 1024, to = 65535 }],
    local.acl_inside,
    [for d in var.private_destinations : { action = "allow", protocol = "tcp", cidr = d.cidr, from = 1024, to = 65535 }],
    local.acl_private,
    [{ action = "allow", protocol = "tcp", cidr = "0.0.0.0/0", from = 1024, to = 65535 }],
  )
}

resource "aws_network_acl" "build" {
  count = var.network_acl ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = local.subnet_ids
  tags       = merge(var.tags, { Name = "${var.name}-build" })

  dynamic "egress" {
    for_each = local.acl_egress

    content {
      rule_no    = 100 + 10 * egress.key
      action     = egress.value.action
      protocol   = egress.value.protocol
      cidr_block = egress.value.cidr
      from_port  = egress.value.from
      to_port    = egress.value.to
    }
  }

  dynamic "ingress" {
    for_each = local.acl_ingress

    content {
      rule_no    = 100 + 10 * ingress.key
      action     = ingress.value.action
      protocol   = ingress.value.protocol
      cidr_block = ingress.value.cidr
      from_port  = ingress.value.from
      to_port    = ingress.value.to
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.acl_egress) <= 20 && length(local.acl_ingress) <= 20
      error_message = "A network ACL has 20 rules a direction, these variables ask for ${max(length(local.acl_egress), length(local.acl_ingress))}: name fewer ports, DNS servers, private destinations or subnets."
    }
  }
}
