mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan

  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
}

mock_provider "aws" {
  alias           = "second"
  source          = "../../mocks"
  override_during = plan

  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
}

variables {
  regions   = ["eu-central-1", "eu-west-1"]
  image_tag = "1.0"
}

run "two_regions" {
  command = plan

  assert {
    condition     = output.regions["eu-central-1"].artifacts_bucket == "caisson-artifacts-123456789012-eu-central-1" && output.regions["eu-west-1"].artifacts_bucket == "caisson-artifacts-123456789012-eu-west-1"
    error_message = "buckets, whose names are the world's, do not collide"
  }
  assert {
    condition     = output.regions["eu-central-1"].dashboard == "caisson-eu-central-1" && output.regions["eu-west-1"].dashboard == "caisson-eu-west-1"
    error_message = "dashboards are the account's, so the region is in their names"
  }
  assert {
    condition     = keys(output.regions["eu-west-1"].container_names) == ["kaniko", "kaniko-single", "node", "node-arm64", "node-full", "veren"] && output.regions["eu-west-1"].container_names["veren"] == "frontend-builder"
    error_message = "each region has all builders"
  }
}

run "who_is_told" {
  command = plan

  assert {
    condition     = keys(output.regions["eu-west-1"].builds_queue_urls) == ["blog", "shop"] && output.regions["eu-west-1"].control["shop"] == "s3://caisson-state-123456789012-eu-west-1/control/shop/"
    error_message = "a queue and a place for requests to cancel, for each project"
  }
  assert {
    condition = yamldecode(output.regions["eu-west-1"].operator_file) == {
      defaults = {
        notify = [
          { sns = output.regions["eu-west-1"].builds_topic_arn },
          { sqs = "arn:aws:sqs:eu-west-1:123456789012:caisson-builds-$${project}", events = ["status", "progress"] },
        ]
        control = "s3://caisson-state-123456789012-eu-west-1/control/$${project}/$${id}"
        result  = "s3://caisson-state-123456789012-eu-west-1/jobs/$${project}/$${id}/result.json"
        log     = "s3://caisson-state-123456789012-eu-west-1/jobs/$${project}/$${id}/log.gz"
      }
      pins = { topics = [output.regions["eu-west-1"].builds_topic_arn, "arn:aws:sqs:eu-west-1:123456789012:caisson-builds-$${project}"] }
    }
    error_message = "the operator's file says what the roles may"
  }
}

run "one_region_twice" {
  command = plan

  variables {
    regions = ["eu-west-1", "eu-west-1"]
    cidrs   = ["10.128.0.0/16"]
  }

  expect_failures = [var.regions, var.cidrs]
}
