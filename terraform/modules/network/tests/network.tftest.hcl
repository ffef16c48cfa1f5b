# Offline: the provider is asked for its schema only.
mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1c", "eu-central-1a", "eu-central-1b"] }
  }
  mock_data "aws_vpc" {
    defaults = { id = "vpc-0123456789abcdef0", cidr_block = "172.20.0.0/16" }
  }
  mock_data "aws_subnet" {
    defaults = { id = "subnet-0123456789abcdef0", cidr_block = "172.20.8.0/22", vpc_id = "vpc-0123456789abcdef0" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/caisson/caisson-flow-logs-eu-central-1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:/caisson/flow-logs" }
  }
}

variables {
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/caisson/caisson-boundary-eu-central-1"
}

run "vpc_of_its_own" {
  assert {
    condition     = { for z, s in aws_subnet.build : z => s.cidr_block } == { "eu-central-1a" = "10.128.0.0/20", "eu-central-1b" = "10.128.16.0/20" }
    error_message = "two zones, in the order of their names"
  }
  assert {
    condition     = alltrue([for s in aws_subnet.build : !s.map_public_ip_on_launch]) && output.assign_public_ip == "DISABLED"
    error_message = "no public addresses behind NAT"
  }
  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-central-1a"] && length(aws_route.build_nat) == 2 && length(output.nat_public_ips) == 1
    error_message = "one NAT gateway for both zones"
  }
  assert {
    condition     = [for p, r in aws_vpc_security_group_egress_rule.internet : tonumber(p) == r.from_port && tonumber(p) == r.to_port && r.ip_protocol == "tcp" && r.cidr_ipv4 == "0.0.0.0/0"] == [true, true, true] && toset(keys(aws_vpc_security_group_egress_rule.internet)) == toset(["443", "80", "22"])
    error_message = "443, 80 and 22 go out"
  }
  assert {
    condition     = { for k, r in aws_vpc_security_group_egress_rule.dns : k => "${r.ip_protocol} ${r.from_port} ${r.cidr_ipv4}" } == { "udp-0" = "udp 53 10.128.0.2/32", "tcp-0" = "tcp 53 10.128.0.2/32" }
    error_message = "DNS, of the VPC"
  }
  assert {
    condition     = length(aws_security_group.build.ingress) == 0 && [for r in aws_vpc_security_group_ingress_rule.endpoints : r.security_group_id == aws_security_group.endpoints[0].id && r.from_port == 443 && r.to_port == 443] == [true]
    error_message = "nothing comes in to builds: the one rule is of the endpoints"
  }
  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["ecr.api", "ecr.dkr", "logs", "sts", "secretsmanager", "ssm"])
    error_message = "interface endpoints"
  }
  assert {
    condition     = aws_vpc_endpoint.interface["ecr.api"].service_name == "com.amazonaws.eu-central-1.ecr.api" && alltrue([for e in aws_vpc_endpoint.interface : e.private_dns_enabled])
    error_message = "services are found by their usual names"
  }
  assert {
    condition     = alltrue([for e in aws_vpc_endpoint.interface : jsondecode(e.policy).Statement[0].Condition == { StringEquals = { "aws:PrincipalAccount" = "111122223333" } }])
    error_message = "endpoints serve principals of this account"
  }
  assert {
    condition     = [for s in jsondecode(aws_vpc_endpoint.s3[0].policy).Statement : s.Resource] == ["*", "arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/*"]
    error_message = "this account's buckets, and ECR's layers"
  }
  assert {
    condition     = length(aws_flow_log.vpc) == 1 && length(aws_flow_log.subnet) == 0 && aws_iam_role.flow[0].permissions_boundary == var.permissions_boundary_arn
    error_message = "flow logs; their role carries the boundary"
  }
  assert {
    condition     = length(aws_default_security_group.unused[0].ingress) == 0 && length(aws_default_security_group.unused[0].egress) == 0
    error_message = "the default group allows nothing"
  }
  assert {
    condition     = output.network_configuration.awsvpcConfiguration.subnets == output.subnet_ids && length(output.subnet_ids) == 2 && output.vpc_cidr == "10.128.0.0/16"
    error_message = "outputs"
  }
  assert {
    condition     = aws_vpc.this[0].enable_dns_support && aws_vpc.this[0].enable_dns_hostnames
    error_message = "names of endpoints are private ones, which needs both"
  }
  assert {
    condition     = one(data.aws_availability_zones.available[0].filter).values == toset(["opt-in-not-required"])
    error_message = "no local zones"
  }
  assert {
    condition     = alltrue([for e in aws_vpc_endpoint.interface : e.subnet_ids == toset(output.subnet_ids)]) && aws_vpc_endpoint.s3[0].route_table_ids == toset([for r in aws_route_table.build : r.id])
    error_message = "endpoints are reached from every zone"
  }
  assert {
    condition     = aws_flow_log.vpc[0].traffic_type == "ALL" && aws_cloudwatch_log_group.flow[0].retention_in_days == 30
    error_message = "what was allowed and what was not, for a month"
  }
  assert {
    condition     = aws_network_acl.build[0].subnet_ids == toset(output.subnet_ids)
    error_message = "the network ACL is on all build subnets"
  }
}

run "acl_keeps_builds_away_from_private_addresses" {
  assert {
    condition = [for r in sort([for e in aws_network_acl.build[0].egress : format("%03d %s %s %d-%d %s", e.rule_no, e.action, e.protocol, e.from_port, e.to_port, e.cidr_block)]) : r] == [
      "100 allow udp 53-53 10.128.0.2/32",
      "110 allow tcp 53-53 10.128.0.2/32",
      "120 allow tcp 443-65535 10.128.0.0/20",
      "130 allow tcp 443-65535 10.128.16.0/20",
      "140 deny -1 0-0 10.0.0.0/8",
      "150 deny -1 0-0 172.16.0.0/12",
      "160 deny -1 0-0 192.168.0.0/16",
      "170 deny -1 0-0 100.64.0.0/10",
      "180 deny -1 0-0 169.254.0.0/16",
      "190 allow tcp 443-443 0.0.0.0/0",
      "200 allow tcp 80-80 0.0.0.0/0",
      "210 allow tcp 22-22 0.0.0.0/0",
    ]
    error_message = "private addresses are denied before the Internet is allowed"
  }
  assert {
    condition = [for r in sort([for e in aws_network_acl.build[0].ingress : format("%03d %s %s %d-%d %s", e.rule_no, e.action, e.protocol, e.from_port, e.to_port, e.cidr_block)]) : r] == [
      "100 allow udp 1024-65535 10.128.0.2/32",
      "110 allow tcp 1024-65535 10.128.0.2/32",
      "120 allow tcp 443-65535 10.128.0.0/20",
      "130 allow tcp 443-65535 10.128.16.0/20",
      "140 deny -1 0-0 10.0.0.0/8",
      "150 deny -1 0-0 172.16.0.0/12",
      "160 deny -1 0-0 192.168.0.0/16",
      "170 deny -1 0-0 100.64.0.0/10",
      "180 deny -1 0-0 169.254.0.0/16",
      "190 allow tcp 1024-65535 0.0.0.0/0",
    ]
    error_message = "answers come in, nothing else"
  }
}

run "three_zones_each_with_its_gateway" {
  command = plan
  variables {
    zone_count = 3
    egress     = "nat-per-zone"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_eip.nat) == 3 && { for z, s in aws_subnet.nat : z => s.cidr_block } == { "eu-central-1a" = "10.128.240.0/24", "eu-central-1b" = "10.128.241.0/24", "eu-central-1c" = "10.128.242.0/24" }
    error_message = "three of each"
  }
}

run "public_addresses_in_place_of_nat" {
  command = plan
  variables {
    egress = "public-ip"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_subnet.nat) == 0 && length(aws_route.build_public) == 2 && length(aws_internet_gateway.this) == 1
    error_message = "no NAT gateway"
  }
  assert {
    condition     = output.assign_public_ip == "ENABLED" && output.nat_public_ips == []
    error_message = "RunTask assigns the addresses"
  }
}

run "no_way_out" {
  command = plan
  variables {
    egress = "none"
  }

  assert {
    condition     = length(aws_internet_gateway.this) == 0 && length(aws_nat_gateway.this) == 0 && length(aws_route.build_public) == 0
    error_message = "no gateway"
  }
  assert {
    condition     = length(aws_vpc_security_group_egress_rule.internet) == 0 && length(aws_vpc_security_group_egress_rule.endpoints) == 1 && length(aws_vpc_security_group_egress_rule.s3) == 1
    error_message = "endpoints and S3 only"
  }
}

run "shared_vpc" {
  variables {
    shared_vpc           = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"] }
    private_destinations = [{ cidr = "172.20.1.0/24", port = 6379 }]
  }

  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_subnet.build) == 0 && length(aws_nat_gateway.this) == 0 && length(aws_default_security_group.unused) == 0 && length(aws_internet_gateway.this) == 0
    error_message = "nothing of the VPC is made or changed"
  }
  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_vpc_endpoint.s3) == 0 && output.s3_endpoint_id == null
    error_message = "endpoints are the VPC's"
  }
  assert {
    condition = [for r in sort([for e in aws_network_acl.build[0].egress : format("%03d %s %s %d-%d %s", e.rule_no, e.action, e.protocol, e.from_port, e.to_port, e.cidr_block)]) : r] == [
      "100 allow udp 53-53 172.20.0.2/32",
      "110 allow tcp 53-53 172.20.0.2/32",
      "120 allow tcp 6379-6379 172.20.1.0/24",
      "130 deny -1 0-0 10.0.0.0/8",
      "140 deny -1 0-0 172.16.0.0/12",
      "150 deny -1 0-0 192.168.0.0/16",
      "160 deny -1 0-0 100.64.0.0/10",
      "170 deny -1 0-0 169.254.0.0/16",
      "180 allow tcp 443-443 0.0.0.0/0",
      "190 allow tcp 80-80 0.0.0.0/0",
      "200 allow tcp 22-22 0.0.0.0/0",
    ]
    error_message = "the systems of a shared VPC are out of reach, but for what is named"
  }
  assert {
    condition     = [for r in aws_vpc_security_group_egress_rule.private : "${r.cidr_ipv4} ${r.from_port}"] == ["172.20.1.0/24 6379"]
    error_message = "the group allows what is named"
  }
  assert {
    condition     = length(aws_flow_log.vpc) == 0 && aws_flow_log.subnet[0].subnet_id == "subnet-0123456789abcdef0"
    error_message = "flow logs of the build subnets alone"
  }
  assert {
    condition     = one(output.subnet_ids) == "subnet-0123456789abcdef0" && output.vpc_id == "vpc-0123456789abcdef0" && output.assign_public_ip == "DISABLED"
    error_message = "outputs"
  }
}

run "shared_vpc_with_endpoints" {
  command = plan
  variables {
    shared_vpc          = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], route_table_ids = ["rtb-1"], public = true }
    interface_endpoints = ["ecr.api"]
    readable_buckets    = ["quayio-production-s3"]
    network_acl         = false
    flow_logs           = { enabled = false }
    dns_servers         = ["172.20.0.10", "172.20.0.11"]
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["ecr.api"] && aws_vpc_endpoint.s3[0].route_table_ids == toset(["rtb-1"])
    error_message = "the endpoints that are asked for"
  }
  assert {
    condition     = jsondecode(aws_vpc_endpoint.s3[0].policy).Statement[2].Action == ["s3:GetObject", "s3:ListBucket"]
    error_message = "a bucket of somebody else is read, not written"
  }
  assert {
    condition     = length(aws_network_acl.build) == 0 && length(aws_iam_role.flow) == 0 && length(aws_flow_log.subnet) == 0 && output.flow_log_group == null
    error_message = "switched off"
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_egress_rule.dns : r.cidr_ipv4]) == toset(["172.20.0.10/32", "172.20.0.11/32"]) && output.assign_public_ip == "ENABLED"
    error_message = "DNS servers and public addresses"
  }
}

run "refused_subnet_of_another_vpc" {
  command = plan
  variables {
    shared_vpc = { vpc_id = "vpc-0fffffffffffffff0", subnet_ids = ["subnet-0123456789abcdef0"] }
  }
  expect_failures = [data.aws_subnet.shared]
}

run "refused_too_many_rules" {
  command = plan
  variables {
    zone_count           = 3
    egress_ports         = [443, 80, 22, 9418, 8443]
    dns_servers          = ["1.1.1.1", "8.8.8.8", "9.9.9.9"]
    private_destinations = [{ cidr = "10.0.0.1/32", port = 443 }, { cidr = "10.0.0.2/32", port = 443 }]
  }
  expect_failures = [aws_network_acl.build]
}

run "mistakes" {
  command = plan

  variables {
    name                     = "Caisson"
    cidr                     = "10.0.0.0/24"
    zone_count               = 4
    egress                   = "proxy"
    shared_vpc               = { vpc_id = "default", subnet_ids = ["subnet-0123456789abcdef0"] }
    egress_ports             = [80]
    dns_servers              = ["dns.example.com"]
    private_destinations     = [{ cidr = "10.0.0.1", port = 443 }]
    interface_endpoints      = ["s3"]
    readable_buckets         = ["*"]
    flow_logs                = { retention_days = 31 }
    permissions_boundary_arn = ""
    kms_key_arn              = "arn:aws:kms:eu-central-1:111122223333:alias/caisson"
  }

  expect_failures = [
    var.name, var.cidr, var.zone_count, var.egress, var.shared_vpc, var.egress_ports, var.dns_servers, var.private_destinations,
    var.interface_endpoints, var.readable_buckets, var.flow_logs, var.permissions_boundary_arn, var.kms_key_arn,
  ]
}

run "other_mistakes" {
  command = plan

  variables {
    shared_vpc           = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = [] }
    egress_ports         = [443, 65536]
    private_destinations = [for i in range(4) : { cidr = "10.0.0.${i}/32", port = 443 }]
    flow_logs            = { traffic_type = "SOME" }
  }

  expect_failures = [var.shared_vpc, var.egress_ports, var.private_destinations, var.flow_logs]
}

run "a_subnet_by_its_name" {
  command = plan

  variables {
    shared_vpc = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["private-a"] }
  }

  expect_failures = [var.shared_vpc]
}
