"""What the published models of AWS's services say of requests and answers, and ECR's guide of lifecycle policies."""

import functools
import gzip
import importlib.util
import json
import os
import re


@functools.cache
def model(service="ecr"):
    found = importlib.util.find_spec("botocore")
    version = {"ecr": "2015-09-21", "sts": "2011-06-15", "sqs": "2012-11-05", "sns": "2010-03-31",
               "events": "2015-10-07", "logs": "2014-03-28"}[service]
    path = os.path.join(os.path.dirname(found.origin), "data", service, version, "service-2.json.gz")
    with gzip.open(path) as file:
        return json.load(file)


class Invalid(Exception):
    pass


def validate(name, value, where="", answer=False, service="ecr"):
    """Raises Invalid unless the value is what the model's shape says. Lists of answers may be empty all the same."""
    shape = model(service)["shapes"][name]
    check = CHECKS[shape["type"]]
    if not isinstance(value, check) or (isinstance(value, bool) and check is not bool):
        raise Invalid(f"at '{where}' must be of type {shape['type']}")
    size = len(value) if isinstance(value, (str, list, dict)) else value if shape["type"] in ("integer", "long") else None
    least = size if answer else shape.get("min", size)
    if size is not None and not least <= size <= shape.get("max", size):
        raise Invalid(f"at '{where}' must be between {shape.get('min')} and {shape.get('max')}, and is {size}")
    if "pattern" in shape and isinstance(value, str) and not re.fullmatch(shape["pattern"], value):
        raise Invalid(f"at '{where}' must satisfy regular expression '{shape['pattern']}'")
    if "enum" in shape and value not in shape["enum"]:
        raise Invalid(f"at '{where}' must be one of {shape['enum']}")
    if shape["type"] == "structure":
        for member in shape.get("required", ()):
            if member not in value:
                raise Invalid(f"at '{where}' must have {member}")
        for member, part in value.items():
            if member not in shape["members"]:
                raise Invalid(f"at '{where}' has no member {member}")
            validate(shape["members"][member]["shape"], part, f"{where}.{member}".lstrip("."), answer, service)
    if shape["type"] == "list":
        for number, part in enumerate(value):
            validate(shape["member"]["shape"], part, f"{where}[{number}]", answer, service)
    if shape["type"] == "map":
        for key, part in value.items():
            validate(shape["key"]["shape"], key, f"{where}.{key}", answer, service)
            validate(shape["value"]["shape"], part, f"{where}.{key}", answer, service)


CHECKS = {"structure": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int,
          "map": dict, "blob": str, "timestamp": (int, float)}


def check_lifecycle(policy):
    """Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html"""
    rules = policy["rules"]
    if set(policy) != {"rules"} or not 1 <= len(rules) <= 50:
        raise Invalid("rules, and between 1 and 50 of them")
    priorities = [rule["rulePriority"] for rule in rules]
    if len(set(priorities)) != len(priorities) or min(priorities) < 1:
        raise Invalid("rule priorities must be unique and positive")
    for rule in rules:
        select = rule["selection"]
        if set(rule) - {"description"} != {"rulePriority", "selection", "action"}:
            raise Invalid("object has missing or unknown properties")
        if rule["action"] != {"type": "expire"}:
            raise Invalid("the action is to expire")
        if select["tagStatus"] not in ("untagged", "any"):
            raise Invalid("tagStatus: the double knows untagged and any")
        wanted = {"imageCountMoreThan": {"tagStatus", "countType", "countNumber"},
                  "sinceImagePushed": {"tagStatus", "countType", "countNumber", "countUnit"}}[select["countType"]]
        if set(select) != wanted or select.get("countUnit", "days") != "days":
            raise Invalid(f"selection has other properties than {wanted}")
        if not isinstance(select["countNumber"], int) or select["countNumber"] < 1:
            raise Invalid("countNumber must be positive")
    for status in ("any", "untagged"):
        if sum(rule["selection"]["tagStatus"] == status for rule in rules) > 1:
            raise Invalid(f"only one rule may select {status}")
    last = max(rules, key=lambda rule: rule["rulePriority"])
    if any(rule["selection"]["tagStatus"] == "any" and rule is not last for rule in rules):
        raise Invalid("a rule that selects any must have the highest priority number")
