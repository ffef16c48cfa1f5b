# Published sites through CloudFront, where one is wanted. The bucket stays private: the distribution signs its requests.
locals {
  cdn    = var.cdn == null ? {} : { sites = var.cdn }
  origin = "artifacts"
}

resource "aws_cloudfront_origin_access_control" "sites" {
  for_each = local.cdn

  name                              = local.buckets.artifacts
  description                       = "published sites of ${var.name}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_function" "sites" {
  for_each = { for k, c in local.cdn : k => c if c.rewrite }

  name    = "${var.name}-sites-${data.aws_region.current.name}"
  comment = "host name to project, folder to index.html"
  runtime = "cloudfront-js-2.0"
  publish = true
  code    = templatefile("${path.module}/sites.js", { domain = each.value.domain == null ? "" : each.value.domain })
}

resource "aws_cloudfront_distribution" "sites" {
  for_each = local.cdn

  comment         = "published sites of ${var.name}"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = each.value.price_class
  aliases         = each.value.domain == null ? [] : ["*.${each.value.domain}"]
  tags            = var.tags

  origin {
    origin_id                = local.origin
    domain_name              = aws_s3_bucket.this["artifacts"].bucket_regional_domain_name
    origin_path              = "/${trimsuffix(var.served_prefix, "/")}"
    origin_access_control_id = aws_cloudfront_origin_access_control.sites[each.key].id
  }

  default_cache_behavior {
    target_origin_id       = local.origin
    viewer_protocol_policy = "redirect-to-https"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    compress               = true
    # AWS's managed policy CachingOptimized, whose id is the same everywhere: obeys the Cache-Control that a job sets
    cache_policy_id = "658327ea-f89d-4fab-a63d-7e88639e58f6"

    dynamic "function_association" {
      for_each = each.value.rewrite ? [aws_cloudfront_function.sites[each.key].arn] : []

      content {
        event_type   = "viewer-request"
        function_arn = function_association.value
      }
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = each.value.certificate_arn == null
    acm_certificate_arn            = each.value.certificate_arn
    ssl_support_method             = each.value.certificate_arn == null ? null : "sni-only"
    minimum_protocol_version       = each.value.certificate_arn == null ? null : "TLSv1.2_2021"
  }
}
