variable "settings" {
  type = object({
    name          = string
    cidr          = string
    image_tag     = string
    projects      = set(string)
    spot_weight   = number
    force_destroy = bool
  })
  description = "What complete/variables.tf says, and the addresses of this region's VPC."
  nullable    = false
}
