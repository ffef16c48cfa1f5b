output "vpc_id" {
  description = "Id of the VPC."
  value       = local.vpc_id
}

output "vpc_cidr" {
  description = "Addresses of the VPC."
  value       = local.vpc_cidr
}

output "subnet_ids" {
  description = "Ids of the build subnets."
  value       = local.subnet_ids
}

output "security_group_id" {
  description = "Id of the security group of builds."
  value       = aws_security_group.build.id
}

output "assign_public_ip" {
  description = "RunTask's `assignPublicIp`: ENABLED or DISABLED."
  value       = local.public_tasks ? "ENABLED" : "DISABLED"
}

output "network_configuration" {
  description = "RunTask's `networkConfiguration`, as it is."
  value = {
    awsvpcConfiguration = {
      subnets        = local.subnet_ids
      securityGroups = [aws_security_group.build.id]
      assignPublicIp = local.public_tasks ? "ENABLED" : "DISABLED"
    }
  }
}

output "nat_public_ips" {
  description = "Public addresses that builds come from, for allow lists of others; empty without NAT gateways of ours."
  value       = [for z in sort(tolist(local.nat_zones)) : aws_eip.nat[z].public_ip]
}

output "s3_endpoint_id" {
  description = "Id of the gateway endpoint for S3; null without one."
  value       = one(aws_vpc_endpoint.s3[*].id)
}

output "network_acl_id" {
  description = "Id of the network ACL of the build subnets; null without one."
  value       = one(aws_network_acl.build[*].id)
}

output "flow_log_group" {
  description = "Name of the log group of the flow logs; null without them."
  value       = one(aws_cloudwatch_log_group.flow[*].name)
}
