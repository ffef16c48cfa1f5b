# Bucket policies as documents. What roles may do stands in the modules iam and project; here is what nobody may.
locals {
  tls_only = {
    for b, arn in local.arns : b => [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [arn, "${arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Tls12OrNewer"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [arn, "${arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
    ]
  }

  # One distribution, one prefix: the rest of the bucket is not CloudFront's to read.
  served = [for d in aws_cloudfront_distribution.sites : {
    Sid       = "ServedByCloudFront"
    Effect    = "Allow"
    Principal = { Service = "cloudfront.amazonaws.com" }
    Action    = "s3:GetObject"
    Resource  = "${local.arns.artifacts}/${var.served_prefix}*"
    Condition = { StringEquals = { "aws:SourceArn" = d.arn } }
  }]

  policies = {
    artifacts = concat(local.tls_only.artifacts, local.served)
    state     = local.tls_only.state
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket     = each.value.id
  policy     = jsonencode({ Version = "2012-10-17", Statement = local.policies[each.key] })
  depends_on = [aws_s3_bucket_public_access_block.this]
}
