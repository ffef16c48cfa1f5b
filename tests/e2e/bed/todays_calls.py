"""What control planes of today send to RunTask: a worker of Veren, the API server of a Vercel clone.

Transcribed: names, order and odd spellings are theirs; cluster, task definition, container and ids are the caller's.
"""

NETWORK = {"awsvpcConfiguration": {"assignPublicIp": "ENABLED", "subnets": ["subnet-0a1", "subnet-0b2", "subnet-0c3"],
                                   "securityGroups": ["sg-0d4"]}}


def call(definition, container, environment):
    """environment: pairs"""
    return {
        "cluster": "caisson",
        "taskDefinition": definition,
        "launchType": "FARGATE",
        "count": 1,
        "networkConfiguration": NETWORK,
        "overrides": {"containerOverrides": [
            {"name": container, "environment": [{"name": name, "value": value} for name, value in environment]}]},
    }


def of_a_veren_worker(definition, container, repository, project, keys):
    """Of Veren's queue `buildQueue`, for the frontend of a job {url, projectId, deploymentId, frontendConfig, …}."""
    return call(definition, container, [
        ("AWS_REGION", "ap-south-1"),
        ("AWS_ACCESS_KEY_ID", keys.access),
        ("AWS_SECRET_ACCESS_KEY", keys.secret),
        ("GIT_REPOSITORY__URL", repository),
        ("PROJECT_ID", project),
        ("DEPLOYMENTID", "6650f1c2a7d3"),
        ("FRONTENDPATH", "frontend"),
        ("BUILDCOMMAND", "npm run build"),
        ("INSTALLCOMMAND", "npm install"),
        ("FRONTENDOUTPUTDIR", "dist"),
        *_kafka("frontend-builder"),
        # frontendEnv of the tenant, after the system's
        ("VITE_API", "https://api.of-the-tenant"),
        ("NODE_ENV", ""),
    ])


def of_a_veren_worker_for_a_backend(definition, container, repository, project, keys, image):
    """The same worker, for the backendConfig of a job."""
    return call(definition, container, [
        ("AWS_REGION", "ap-south-1"),
        ("AWS_ACCESS_KEY_ID", keys.access),
        ("AWS_SECRET_ACCESS_KEY", keys.secret),
        ("GIT_REPOSITORY__URL", repository),
        ("PROJECT_ID", project),
        ("DEPLOYMENTID", "6650f1c2a7d3"),
        ("BACKEND_PATH", "api"),
        ("NODE_VERSION", "20"),
        ("ECR_URI", image),
        *_kafka("backend-builder"),
        # backendEnv of the tenant
        ("DATABASE_URL", "postgres://of-the-tenant"),
    ])


def _kafka(client):
    return [
        ("KAFKA_CLIENT_ID", client),
        ("KAFKA_BROKER1", "kafka-1.example:25946"),
        ("KAFKA_SASL_USERNAME", "avnadmin"),
        ("KAFKA_SASL_PASSWORD", "kafka-s3cret-w0rd"),
        ("DOMAIN_EVENTS_TOPIC_ARN", "arn:aws:sns:ap-south-1:123456789012:events.fifo"),
    ]


def of_a_plain_vercel_clone(definition, container, repository, project):
    """POST /project of most of them: bucket and keys stand in the builder's script."""
    return call(definition, container, [("GIT_REPOSITORY__URL", repository), ("PROJECT_ID", project)])


def of_a_vercel_clones_api(definition, container, repository, project, bucket, tenants=()):
    """POST /deploy of one that keeps more: the subdomain is the project, the row of the database the deployment."""
    return call(definition, container, [
        ("GIT_REPOSITORY__URL", repository),
        ("PROJECT_ID", project),
        ("DEPLOYEMENT_ID", "clx0q3v5k0001"),
        ("SUB_DOMAIN", "wonderful-grumpy-moon"),
        ("S3_BUCKET", bucket),
        ("OUTPUT_DIR", "dist"),
        ("REDIS_URL", "rediss://default:redis-s3cret@redis.example:6379"),
        *tenants,
    ])
