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

variables {
  region        = "eu-central-1"
  vpc_id        = "vpc-0123456789abcdef0"
  subnet_ids    = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  builder_image = "ghcr.io/example/caisson-node:20"
}

run "a_vpc_that_is_there" {
  command = plan

  assert {
    condition     = output.run_task["shop"].networkConfiguration.awsvpcConfiguration.assignPublicIp == "DISABLED" && output.run_task["shop"].overrides.containerOverrides[0].name == "builder"
    error_message = "the outputs are RunTask's arguments"
  }
  assert {
    condition     = output.run_task["shop"].overrides.taskRoleArn == module.project["shop"].role_arn && output.log_group == "/caisson/builders/node"
    error_message = "each project has its role"
  }
}

run "public_subnets" {
  command = plan

  variables {
    public_subnets = true
    projects       = ["shop", "blog"]
  }

  assert {
    condition     = output.network_configuration.awsvpcConfiguration.assignPublicIp == "ENABLED" && keys(output.run_task) == ["blog", "shop"]
    error_message = "tasks get addresses of their own"
  }
}

run "no_region" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}
