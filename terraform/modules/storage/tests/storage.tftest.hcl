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
  mock_resource "aws_cloudfront_distribution" {
    defaults = { arn = "arn:aws:cloudfront::111122223333:distribution/E1EXAMPLE", id = "E1EXAMPLE", domain_name = "d1.cloudfront.net" }
  }
  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws:cloudfront::111122223333:function/sites" }
  }
}

run "two_private_buckets" {
  assert {
    condition = { for k, b in aws_s3_bucket.this : k => b.bucket } == {
      artifacts = "caisson-artifacts-111122223333-eu-central-1", state = "caisson-state-111122223333-eu-central-1"
    }
    error_message = "account and region are in the names"
  }
  assert {
    condition = length(aws_s3_bucket_public_access_block.this) == 2 && alltrue([
      for b in aws_s3_bucket_public_access_block.this :
      b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets
    ])
    error_message = "public access is blocked, in all four ways"
  }
  assert {
    condition     = alltrue([for b in aws_s3_bucket_versioning.this : b.versioning_configuration[0].status == "Enabled"]) && length(aws_s3_bucket_versioning.this) == 2
    error_message = "versions"
  }
  assert {
    condition     = alltrue([for b in aws_s3_bucket_server_side_encryption_configuration.this : one(one(b.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"])
    error_message = "encrypted"
  }
  assert {
    condition     = alltrue([for b in aws_s3_bucket_ownership_controls.this : b.rule[0].object_ownership == "BucketOwnerEnforced"])
    error_message = "no ACLs"
  }
  assert {
    condition = alltrue([
      for k, p in aws_s3_bucket_policy.this : [for s in jsondecode(p.policy).Statement : [s.Effect, s.Sid, s.Resource]] == [
        for sid in ["TlsOnly", "Tls12OrNewer"] : ["Deny", sid, ["arn:aws:s3:::caisson-${k}-111122223333-eu-central-1", "arn:aws:s3:::caisson-${k}-111122223333-eu-central-1/*"]]
      ]
    ])
    error_message = "TLS only, for the bucket and its objects, and nothing is allowed to anybody"
  }
  assert {
    condition     = alltrue([for b in aws_s3_bucket.this : !b.force_destroy])
    error_message = "a bucket with objects stays"
  }
  assert {
    condition     = alltrue([for r in aws_s3_bucket_lifecycle_configuration.artifacts.rule : try(r.expiration[0].days, 0) == 0])
    error_message = "what is published does not expire"
  }
  assert {
    condition     = { for r in aws_s3_bucket_lifecycle_configuration.state.rule : r.id => try(r.filter[0].prefix, "") if length(r.expiration) > 0 } == { control = "control/", jobs = "jobs/" }
    error_message = "only jobs/ expires by age: caches are swept by those who know what is in use"
  }
  assert {
    condition     = length(aws_cloudfront_distribution.sites) == 0 && output.distribution_id == null
    error_message = "no distribution unless it is asked for"
  }
  assert {
    condition     = alltrue([for r in concat(aws_s3_bucket_lifecycle_configuration.artifacts.rule, [for r in aws_s3_bucket_lifecycle_configuration.state.rule : r if r.id == "noncurrent"]) : r.abort_incomplete_multipart_upload[0].days_after_initiation == 2])
    error_message = "unfinished uploads are removed"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.artifacts.rule[0].noncurrent_version_expiration[0].noncurrent_days == 30 && aws_s3_bucket_lifecycle_configuration.artifacts.rule[0].expiration[0].expired_object_delete_marker
    error_message = "what was overwritten can be brought back for a month"
  }
}

run "key_and_days" {
  command = plan
  variables {
    kms_key_arn     = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    job_days        = 5
    noncurrent_days = 3
    force_destroy   = true
  }

  assert {
    condition = alltrue([
      for b in aws_s3_bucket_server_side_encryption_configuration.this :
      one(b.rule).bucket_key_enabled && one(one(b.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    ])
    error_message = "encrypted with the key, one request a bucket"
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.state.rule : r.expiration[0].days if contains(["control", "jobs"], r.id)] == [5, 5]
    error_message = "jobs expire"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.artifacts.rule[0].noncurrent_version_expiration[0].noncurrent_days == 3
    error_message = "old versions expire"
  }
}

run "distribution" {
  variables {
    cdn = {}
  }

  assert {
    condition     = one(aws_cloudfront_distribution.sites["sites"].origin).origin_path == "/__outputs"
    error_message = "only what is published is served"
  }
  assert {
    condition     = aws_cloudfront_origin_access_control.sites["sites"].signing_behavior == "always" && one(aws_cloudfront_distribution.sites["sites"].default_cache_behavior).viewer_protocol_policy == "redirect-to-https"
    error_message = "requests to the bucket are signed, those of readers encrypted"
  }
  assert {
    condition = [for s in jsondecode(aws_s3_bucket_policy.this["artifacts"].policy).Statement : s if s.Effect == "Allow"] == [{
      Sid       = "ServedByCloudFront"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "arn:aws:s3:::caisson-artifacts-111122223333-eu-central-1/__outputs/*"
      Condition = { StringEquals = { "aws:SourceArn" = "arn:aws:cloudfront::111122223333:distribution/E1EXAMPLE" } }
    }]
    error_message = "this one distribution reads, and beneath the prefix alone"
  }
  assert {
    condition     = !strcontains(aws_s3_bucket_policy.this["state"].policy, "cloudfront")
    error_message = "the state bucket is nobody's to serve"
  }
  assert {
    condition     = strcontains(aws_cloudfront_function.sites["sites"].code, "var domain = '';")
    error_message = "without a domain the project is a folder"
  }
  assert {
    condition     = one(aws_cloudfront_distribution.sites["sites"].origin).origin_access_control_id == aws_cloudfront_origin_access_control.sites["sites"].id
    error_message = "the distribution signs"
  }
  assert {
    condition     = one(one(aws_cloudfront_distribution.sites["sites"].default_cache_behavior).function_association).event_type == "viewer-request"
    error_message = "addresses are mapped before the cache is asked"
  }
}

run "distribution_with_a_domain" {
  command = plan
  variables {
    cdn = { domain = "sites.example.com", certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/1" }
  }

  assert {
    condition     = aws_cloudfront_distribution.sites["sites"].aliases == toset(["*.sites.example.com"])
    error_message = "one host name a project"
  }
  assert {
    condition     = one(aws_cloudfront_distribution.sites["sites"].viewer_certificate).minimum_protocol_version == "TLSv1.2_2021"
    error_message = "TLS 1.2"
  }
}

run "mistakes" {
  command = plan

  variables {
    name            = "Caisson"
    served_prefix   = ".caisson/"
    job_days        = 0
    noncurrent_days = -1
    cdn             = { domain = "sites.example.com" } # and no certificate
    kms_key_arn     = "arn:aws:kms:eu-central-1:111122223333:alias/caisson"
  }

  expect_failures = [
    var.name, var.served_prefix, var.job_days, var.noncurrent_days, var.cdn, var.kms_key_arn,
  ]
}

run "a_certificate_of_another_region" {
  command = plan

  variables {
    cdn = { domain = "sites.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/1" }
  }

  expect_failures = [var.cdn]
}

run "a_domain_with_a_star" {
  command = plan

  variables {
    cdn = { domain = "*.example.com", certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/1" }
  }

  expect_failures = [var.cdn]
}

run "a_domain_that_nothing_maps" {
  command = plan

  variables {
    cdn = { domain = "sites.example.com", certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/1", rewrite = false }
  }

  expect_failures = [var.cdn]
}

run "no_such_price_class" {
  command = plan

  variables {
    cdn = { price_class = "PriceClass_1" }
  }

  expect_failures = [var.cdn]
}
