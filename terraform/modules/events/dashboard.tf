# ---- a dashboard from the line of metrics that each job ends with

locals {
  by_class = "{\"${var.name}\",Class}" # quoted, since a name may have a -

  graphs = [
    {
      title   = "Jobs by class"
      stacked = true
      metrics = [[{ expression = "SEARCH('${local.by_class} MetricName=\"Jobs\"', 'Sum', 300)", id = "jobs", label = "$${PROP('Dim.Class')}" }]]
    },
    {
      title   = "Seconds a job"
      stacked = false
      metrics = [for s in ["p50", "p90", "Maximum"] : [var.name, "Seconds", { stat = s, label = s }]]
    },
    {
      title   = "Bytes published"
      stacked = false
      metrics = [[var.name, "Bytes", { stat = "Sum", label = "Bytes" }]]
    },
    {
      title   = "Layers from the cache"
      stacked = true
      metrics = [for m in ["CacheHits", "CacheMisses"] : [var.name, m, { stat = "Sum", label = m }]]
    },
    {
      title   = "Until the image was there, seconds"
      stacked = false
      metrics = [for s in ["p50", "p90"] : [var.name, "ImagePullSeconds", { stat = s, label = s }]]
    },
    {
      title   = "Lost jobs"
      stacked = true
      metrics = [for b in sort(keys(var.builders)) : ["AWS/Events", "TriggeredRules", "RuleName", "${var.name}-job-lost-${b}", { stat = "Sum", label = b }]]
    },
    {
      title   = "Messages that wait"
      stacked = false
      metrics = [for q in concat(values(local.queues), ["${var.name}-dead-letters"]) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", q, { stat = "Maximum", label = q }]]
    },
  ]

  widgets = concat(
    [for i, g in local.graphs : {
      type   = "metric"
      x      = i % 2 * 12
      y      = floor(i / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = g.title
        region  = local.region
        view    = "timeSeries"
        stacked = g.stacked
        period  = 300
        metrics = g.metrics
      }
    }],
    [{
      type   = "log"
      x      = 12
      y      = floor((length(local.graphs) - 1) / 2) * 6
      width  = 12
      height = 6
      properties = {
        title  = "Jobs that failed"
        region = local.region
        view   = "table"
        query  = "${join(" | ", [for g in sort(distinct(values(var.builders)[*].log_group)) : "SOURCE '${g}'"])} | filter Failed = 1 | fields @timestamp, Project, Id, Class, Reason, Seconds, @logStream | sort @timestamp desc | limit 50"
      }
    }],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name}-${local.region}"
  dashboard_body = jsonencode({ widgets = [for w in local.widgets : w] })
}
