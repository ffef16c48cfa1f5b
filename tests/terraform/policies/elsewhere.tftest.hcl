# Another partition, account and region: policies/evaluate.mjs finds nothing of the first here.
mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "cn-north-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "222233334444" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["cn-north-1a", "cn-north-1b"] }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws-cn:iam::222233334444:policy/caisson/caisson-boundary-cn-north-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws-cn:iam::222233334444:role/caisson/caisson-execution-cn-north-1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws-cn:logs:cn-north-1:222233334444:log-group:/caisson/flow-logs" }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { arn = "arn:aws-cn:cloudfront::222233334444:distribution/E1EXAMPLE" }
  }
  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws-cn:cloudfront::222233334444:function/sites" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws-cn:sqs:cn-north-1:222233334444:queue", url = "https://sqs.cn-north-1.amazonaws.com.cn/222233334444/queue" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws-cn:sns:cn-north-1:222233334444:caisson-alarms" }
  }
  mock_resource "aws_cloudwatch_event_api_destination" {
    defaults = { arn = "arn:aws-cn:events:cn-north-1:222233334444:api-destination/caisson-hook/00000000-0000-0000-0000-000000000000" }
  }
}

run "elsewhere" {
  variables {
    account   = "222233334444"
    region    = "cn-north-1"
    partition = "aws-cn"
  }

  assert {
    condition     = module.shop.role_name == "caisson-project-shop-cn-north-1"
    error_message = "the project's role"
  }
}
