// The table: for each role what it may and what it may not. See evaluate.mjs for the answers.

const account = '111122223333'
const region = 'eu-central-1'
const other = '999988887777'

const artifacts = `arn:aws:s3:::caisson-artifacts-${account}-${region}`
const state = `arn:aws:s3:::caisson-state-${account}-${region}`
const repository = (name, of = account, where = region) => `arn:aws:ecr:${where}:${of}:repository/${name}`
const parameter = (name, of = account) => `arn:aws:ssm:${region}:${of}:parameter/${name}`
const secret = (name, of = account) => `arn:aws:secretsmanager:${region}:${of}:secret:${name}`
const role = (name, of = account) => `arn:aws:iam::${of}:role/${name}`
const queue = (name, of = account) => `arn:aws:sqs:${region}:${of}:${name}`
const topic = (name, of = account) => `arn:aws:sns:${region}:${of}:${name}`
const bus = (name, of = account) => `arn:aws:events:${region}:${of}:event-bus/${name}`
const stream = (group, of = account) => `arn:aws:logs:${region}:${of}:log-group:${group}:log-stream:caisson/abc123`
const taskDefinition = (name) => `arn:aws:ecs:${region}:${account}:task-definition/${name}`
const cluster = (name) => `arn:aws:ecs:${region}:${account}:cluster/${name}`
const task = (name) => `arn:aws:ecs:${region}:${account}:task/${name}`
const destination = (name) => `arn:aws:events:${region}:${account}:api-destination/${name}/00000000-0000-0000-0000-000000000000`
const rule = (name, of = account, where = region) => `arn:aws:events:${where}:${of}:rule/${name}`
const puller = role('ci/pull') // image.pull_auth.role, named by pull_role_arns
const key = `arn:aws:kms:${region}:${account}:key/00000000-0000-0000-0000-000000000000`
const notifyKey = `arn:aws:kms:${region}:${account}:key/11111111-1111-1111-1111-111111111111`
const via = (service, of = `${region}.amazonaws.com`) => ({ 'kms:ViaService': `${service}.${of}` })
const lines = ['logs:CreateLogStream', 'logs:PutLogEvents']
const dataKey = ['kms:Decrypt', 'kms:GenerateDataKey']

const boundaryArn = `arn:aws:iam::${account}:policy/caisson/caisson-boundary-${region}`
const push = ['ecr:BatchCheckLayerAvailability', 'ecr:InitiateLayerUpload', 'ecr:UploadLayerPart', 'ecr:CompleteLayerUpload', 'ecr:PutImage']
const pull = ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer']

export async function cases(actionsOf) {
    const list = []
    let table = ''
    let who = {}
    const begin = (name, principal) => {
        table = name
        who = principal
    }
    const row = (expect, actions, resource, context, more = {}) => {
        for (const action of [actions].flat()) list.push({ name: table, who, expect, action, resource, context, ...more })
    }
    // what no policy can give: the boundary before a role that is allowed everything
    begin('boundary', { policies: ['everything'], boundary: true })
    for (const [service, except] of [['iam', []], ['organizations', []], ['account', []], ['sts', ['GetCallerIdentity', 'AssumeRole']]]) {
        for (const action of await actionsOf(service)) {
            if (!except.includes(action)) row('deny', `${service}:${action}`, '*')
        }
    }
    row('deny', 'iam:PassRole', role('caisson/projects/caisson-project-shop-eu-central-1'))
    row('deny', 'iam:PassRole', role('admin'))
    row('deny', 'sts:AssumeRole', role('caisson/projects/caisson-project-blog-eu-central-1'))
    row('deny', 'sts:AssumeRole', role('anything', other), {}, { owner: other })
    row('allow', 'sts:GetCallerIdentity', '*')
    row('allow', 'sts:AssumeRole', puller)
    row('deny', ['sts:AssumeRoleWithWebIdentity', 'sts:AssumeRoleWithSAML', 'sts:TagSession', 'sts:SetSourceIdentity'], puller)
    row('deny', 'sts:AssumeRole', `${puller}2`)
    row('deny', 'sts:AssumeRole', role('pull'))
    row('deny', 'sts:AssumeRole', role('ci/pull', other), {}, { owner: other })
    row('deny', ['s3:DeleteBucket', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy', 's3:PutBucketVersioning', 's3:PutLifecycleConfiguration', 's3:PutEncryptionConfiguration', 's3:PutBucketPublicAccessBlock'], artifacts)
    row('deny', ['s3:DeleteObjectVersion', 's3:PutObjectAcl', 's3:BypassGovernanceRetention'], `${artifacts}/__outputs/shop/index.html`)
    row('allow', ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'], `${artifacts}/__outputs/shop/index.html`)
    row('allow', 's3:ListBucket', state)
    row('no', ['s3:GetObject', 's3:PutObject'], 'arn:aws:s3:::another-of-this-account/x')
    row('deny', ['s3:GetObject', 's3:PutObject'], 'arn:aws:s3:::bucket-of-another-account/x', {}, { owner: other })
    row('deny', 's3:PutObject', `${artifacts}/x`, {}, { owner: other }) // same name, once ours was deleted
    row('no', 's3:PutObject', `${artifacts}/x`, { 'aws:ResourceAccount': null })
    row('deny', push.concat(pull), repository('caisson/apps/shop', other), {}, { owner: other })
    row('deny', 'sqs:SendMessage', `arn:aws:sqs:${region}:${other}:q`, {}, { owner: other })
    row('deny', 'ssm:GetParameter', parameter('caisson/shop/x', other), {}, { owner: other })
    row('deny', 'kms:Decrypt', key.replace(account, other), {}, { owner: other })
    row('deny', ['ecr:PutImage', 'ecr:InitiateLayerUpload', 'ecr:BatchDeleteImage', 'ecr:DeleteRepository', 'ecr:SetRepositoryPolicy', 'ecr:PutLifecyclePolicy'], repository('caisson/builders/node'))
    row('allow', pull, repository('caisson/builders/node'))
    row('allow', push.concat(pull, ['ecr:CreateRepository', 'ecr:DescribeImages']), repository('caisson/apps/shop'))
    row('no', push.concat(['ecr:CreateRepository']), repository('other-system'))
    row('no', ['ecr:DeleteRepository', 'ecr:SetRepositoryPolicy', 'ecr:BatchDeleteImage'], repository('caisson/apps/shop'))
    row('allow', pull.concat(push), repository('caisson/apps/shop'), { 'aws:ResourceAccount': null }) // a service that tells no account
    row('allow', 'ecr:GetAuthorizationToken', '*')
    row('allow', 'ssm:GetParameter', parameter('caisson/shop/npm'))
    row('no', 'ssm:GetParameter', parameter('database/password'))
    row('allow', 'secretsmanager:GetSecretValue', secret('caisson/shop/npm-AbCdEf'))
    row('no', 'secretsmanager:GetSecretValue', secret('database-AbCdEf'))
    row('no', 'kms:Decrypt', key)
    // who is told: what is named, for projects or for a kind of builder, and nothing else of the account
    row('allow', 'sqs:SendMessage', queue('events'))
    row('allow', 'sns:Publish', topic('builds-shop.fifo'))
    row('allow', 'sns:Publish', topic('domain-events.fifo'))
    row('allow', 'events:PutEvents', bus('default'))
    row('no', 'sqs:SendMessage', queue('events2'))
    row('no', 'sqs:SendMessage', queue('caisson-job-lost'))
    row('no', 'sns:Publish', topic('caisson-alarms'))
    row('no', 'events:PutEvents', bus('other'))
    row('deny', 'sqs:SendMessage', queue('events', other), {}, { owner: other })
    row('deny', 'sns:Publish', topic('builds-shop.fifo', other), {}, { owner: other })
    row('deny', 'events:PutEvents', bus('default', other), {}, { owner: other })
    row('deny', lines, stream('/caisson/jobs/shop', other), {}, { owner: other })
    row('no', ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:PurgeQueue', 'sqs:DeleteQueue', 'sqs:SetQueueAttributes'], queue('events'))
    row('no', ['sns:Subscribe', 'sns:SetTopicAttributes', 'sns:DeleteTopic'], topic('builds-shop.fifo'))
    row('no', ['events:PutRule', 'events:PutTargets'], rule('any'))
    row('allow', 'events:InvokeApiDestination', destination('caisson-hook'))
    row('no', 'events:InvokeApiDestination', destination('other'))
    row('allow', lines, `arn:aws:logs:${region}:${account}:log-group:/caisson/builds:log-stream:x`)
    row('allow', lines, stream('/existing/projects/blog'))
    row('allow', lines, stream('/existing/node'))
    row('no', 'logs:DescribeLogStreams', `arn:aws:logs:${region}:${account}:log-group:/existing/node`)
    row('no', lines, stream('/existing/node2'))
    row('no', lines, `arn:aws:logs:${region}:${account}:log-group:/other:log-stream:x`)
    row('no', ['logs:CreateLogGroup', 'logs:DeleteLogGroup', 'logs:PutRetentionPolicy'], `arn:aws:logs:${region}:${account}:log-group:/existing/node`)
    row('deny', 'ecs:ExecuteCommand', task('caisson/0123456789abcdef0123456789abcdef'))
    row('deny', ['ssmmessages:CreateControlChannel', 'ssmmessages:OpenDataChannel'], '*')
    row('no', ['ecs:RunTask', 'ecs:RegisterTaskDefinition'], taskDefinition('caisson-node:1'))
    row('no', 'ec2:RunInstances', '*')
    row('no', 'lambda:InvokeFunction', `arn:aws:lambda:${region}:${account}:function:f`)

    // one project
    begin('project shop', { policies: ['shop'], boundary: true })
    const objects = ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts']
    row('allow', objects, `${artifacts}/__outputs/shop/assets/app.js`)
    row('no', objects, `${artifacts}/__outputs/blog/index.html`)
    row('no', objects, `${artifacts}/__outputs/shop2/index.html`)
    row('no', objects, `${artifacts}/__outputs/shop`)
    row('no', objects, `${artifacts}/index.html`)
    row('allow', ['s3:GetObject', 's3:PutObject'], `${artifacts}/.caisson/__outputs~1shop/manifest.json`)
    row('allow', ['s3:GetObject', 's3:PutObject'], `${artifacts}/.caisson/__outputs~1shop~1docs/manifest.json`)
    row('no', 's3:DeleteObject', `${artifacts}/.caisson/__outputs~1shop/manifest.json`)
    row('no', ['s3:GetObject', 's3:PutObject'], `${artifacts}/.caisson/__outputs~1blog/manifest.json`)
    row('no', ['s3:GetObject', 's3:PutObject'], `${artifacts}/.caisson/__outputs~1shop2/manifest.json`)
    row('no', ['s3:GetObject', 's3:PutObject'], `${artifacts}/.caisson/__outputs/manifest.json`)
    row('allow', 's3:ListBucket', artifacts, { 's3:prefix': '__outputs/shop/' })
    row('allow', 's3:ListBucket', artifacts, { 's3:prefix': '.caisson/__outputs~1shop~1' })
    row('no', 's3:ListBucket', artifacts, { 's3:prefix': '__outputs/blog/' })
    row('no', 's3:ListBucket', artifacts, { 's3:prefix': '__outputs/' })
    row('no', 's3:ListBucket', artifacts, { 's3:prefix': '' })
    row('no', 's3:ListBucket', artifacts)
    row('allow', objects, `${state}/jobs/shop/abc123/result.json`)
    row('allow', objects, `${state}/cache/shop/refs~2fheads~2fmain/manifest.json`)
    row('no', objects, `${state}/jobs/blog/abc123/spec.json`)
    // requests to cancel: to be read, and told from none; not written, not removed
    row('allow', 's3:GetObject', `${state}/control/shop/abc123`)
    row('no', ['s3:PutObject', 's3:DeleteObject'], `${state}/control/shop/abc123`)
    row('no', objects, `${state}/control/blog/abc123`)
    row('no', objects, `${state}/control/shop2/abc123`)
    row('no', 's3:GetObject', `${artifacts}/control/shop/abc123`)
    row('allow', 's3:ListBucket', state, { 's3:prefix': 'control/shop/abc123' }) // S3 asks so before it says 404
    row('no', 's3:ListBucket', state, { 's3:prefix': 'control/blog/abc123' })
    row('no', 's3:ListBucket', state, { 's3:prefix': 'control/' })
    row('no', objects, `${state}/cache/blog/refs~2fheads~2fmain/manifest.json`)
    row('allow', 's3:ListBucket', state, { 's3:prefix': 'cache/shop/' })
    row('no', 's3:ListBucket', state, { 's3:prefix': 'cache/' })
    row('no', 's3:ListBucket', state)
    row('no', objects, 'arn:aws:s3:::another-of-this-account/__outputs/shop/x')
    row('deny', objects, 'arn:aws:s3:::bucket-of-another-account/__outputs/shop/x', {}, { owner: other })
    row('deny', 's3:DeleteBucket', artifacts)
    row('no', 's3:ListAllMyBuckets', '*')
    row('allow', 'ecr:GetAuthorizationToken', '*')
    row('allow', push.concat(pull, ['ecr:DescribeImages', 'ecr:DescribeRepositories', 'ecr:CreateRepository', 'ecr:PutLifecyclePolicy', 'ecr:GetLifecyclePolicy', 'ecr:TagResource']), repository('caisson/apps/shop'))
    row('allow', ['ecr:CreateRepository', 'ecr:PutImage'], repository('caisson/apps/shop/api'))
    row('no', push.concat(pull, ['ecr:CreateRepository']), repository('caisson/apps/blog'))
    row('no', push.concat(['ecr:CreateRepository']), repository('caisson/apps/shop2'))
    row('no', ['ecr:PutImage', 'ecr:CreateRepository'], repository('caisson/apps/shop', account, 'us-east-1'))
    row('no', ['ecr:BatchDeleteImage', 'ecr:DeleteRepository', 'ecr:SetRepositoryPolicy', 'ecr:PutImageTagMutability'], repository('caisson/apps/shop'))
    row('deny', 'ecr:PutImage', repository('caisson/builders/node'))
    row('no', pull, repository('caisson/builders/node'))
    row('allow', 'ssm:GetParameter', parameter('caisson/shop/npm'))
    row('no', 'ssm:GetParameter', parameter('caisson/blog/npm'))
    row('no', 'ssm:GetParameter', parameter('caisson/shop2/npm'))
    row('no', ['ssm:GetParametersByPath', 'ssm:PutParameter', 'ssm:DeleteParameter'], parameter('caisson/shop/npm'))
    row('allow', 'secretsmanager:GetSecretValue', secret('caisson/shop/npm-AbCdEf'))
    row('no', 'secretsmanager:GetSecretValue', secret('caisson/blog/npm-AbCdEf'))
    row('no', ['secretsmanager:PutSecretValue', 'secretsmanager:DeleteSecret'], secret('caisson/shop/npm-AbCdEf'))
    row('allow', 'events:PutEvents', bus('default'))
    row('allow', 'sns:Publish', topic('builds-shop.fifo'))
    row('allow', lines, stream('/caisson/jobs/shop'))
    row('no', 'events:PutEvents', bus('other'))
    row('no', 'sns:Publish', topic('builds-blog.fifo')) // within the boundary, but another's
    row('no', 'sns:Publish', topic('domain-events.fifo'))
    row('no', 'sqs:SendMessage', queue('events'))
    row('no', 'sqs:SendMessage', queue('caisson-job-lost'))
    row('no', lines, stream('/caisson/jobs/blog'))
    row('no', lines, stream('/caisson/jobs/shop2'))
    row('no', lines, stream('/existing/projects/blog'))
    row('no', 'logs:CreateLogGroup', `arn:aws:logs:${region}:${account}:log-group:/caisson/jobs/shop`)
    row('no', ['sns:Subscribe', 'sns:GetTopicAttributes'], topic('builds-shop.fifo'))
    row('deny', 'sns:Publish', topic('builds-shop.fifo', other), {}, { owner: other })
    row('deny', 'sqs:SendMessage', queue('events', other), {}, { owner: other })
    row('deny', 'events:PutEvents', bus('default', other), {}, { owner: other })
    row('deny', lines, stream('/caisson/jobs/shop', other), {}, { owner: other })
    row('deny', 'iam:PassRole', role(`caisson/projects/caisson-project-shop-${region}`))
    row('deny', ['iam:CreateRole', 'iam:PutRolePolicy', 'iam:DeleteRolePermissionsBoundary'], role('caisson/projects/mine'))
    row('deny', 'sts:AssumeRole', role(`caisson/projects/caisson-project-blog-${region}`))
    row('deny', 'sts:AssumeRole', role('theirs', other), {}, { owner: other })
    row('allow', 'sts:AssumeRole', puller)
    row('deny', ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession'], puller)
    row('no', ['ecs:RunTask', 'ecs:RegisterTaskDefinition'], taskDefinition('caisson-node:1'))
    row('deny', 'ecs:ExecuteCommand', task('caisson/0123456789abcdef0123456789abcdef'))
    row('no', 'logs:PutLogEvents', `arn:aws:logs:${region}:${account}:log-group:/caisson/builds:log-stream:x`)

    // another project, whose repository is made by terraform
    begin('project blog', { policies: ['blog'], boundary: true })
    row('allow', objects, `${artifacts}/__outputs/blog/index.html`)
    row('no', objects, `${artifacts}/__outputs/shop/index.html`)
    row('allow', ['s3:GetObject', 's3:PutObject'], `${artifacts}/.caisson/__outputs~1blog/manifest.json`)
    row('no', ['s3:GetObject', 's3:PutObject'], `${artifacts}/.caisson/__outputs~1shop/manifest.json`)
    row('allow', 's3:ListBucket', artifacts, { 's3:prefix': '__outputs/blog/' })
    row('no', 's3:ListBucket', artifacts, { 's3:prefix': '__outputs/shop/' })
    row('allow', objects, `${state}/jobs/blog/abc123/result.json`)
    row('no', objects, `${state}/jobs/shop/abc123/result.json`)
    row('allow', 's3:ListBucket', state, { 's3:prefix': 'cache/blog/' })
    row('no', 's3:ListBucket', state, { 's3:prefix': 'cache/shop/' })
    row('allow', 'ecr:GetAuthorizationToken', '*')
    row('allow', push.concat(pull), repository('caisson/apps/blog'))
    row('no', push.concat(pull), repository('caisson/apps/shop'))
    row('no', ['ecr:CreateRepository', 'ecr:PutLifecyclePolicy'], repository('caisson/apps/blog'))
    row('allow', 'ssm:GetParameter', parameter('caisson/blog/npm'))
    row('no', 'ssm:GetParameter', parameter('caisson/shop/npm'))
    row('allow', 'secretsmanager:GetSecretValue', secret('caisson/blog/npm-AbCdEf'))
    row('no', 'secretsmanager:GetSecretValue', secret('caisson/shop/npm-AbCdEf'))
    row('allow', 's3:GetObject', `${state}/control/blog/abc123`)
    row('no', objects, `${state}/control/shop/abc123`)
    row('allow', 's3:ListBucket', state, { 's3:prefix': 'control/blog/abc123' })
    row('no', 's3:ListBucket', state, { 's3:prefix': 'control/shop/abc123' })
    row('allow', 'sqs:SendMessage', queue('events'))
    row('allow', lines, stream('/existing/projects/blog'))
    row('no', 'sqs:SendMessage', queue('caisson-job-lost'))
    row('no', 'events:PutEvents', bus('default'))
    row('no', 'sns:Publish', topic('builds-shop.fifo'))
    row('no', lines, stream('/caisson/jobs/shop'))
    // its policy names these, but the boundary does not
    row('no', 'sns:Publish', topic('somebody-elses'))
    row('no', 'sqs:SendMessage', queue('somebody-elses'))
    row('no', 'events:PutEvents', bus('somebody-elses'))
    row('no', lines, stream('/somebody-elses'))
    row('no', 'sts:AssumeRole', puller) // shop's, not blog's
    row('deny', 's3:DeleteBucket', artifacts)
    row('deny', 'iam:PassRole', role(`caisson/projects/caisson-project-blog-${region}`))

    // what the boundary takes away there is its policy's all the same
    begin('project blog without the boundary', { policies: ['blog'] })
    row('allow', 'sns:Publish', topic('somebody-elses'))
    row('allow', 'events:PutEvents', bus('somebody-elses'))

    // kinds of builders: all projects, but none of their secrets, nor anything else
    begin('builder node', { policies: ['builder node'], boundary: true })
    row('allow', objects, `${artifacts}/__outputs/shop/index.html`)
    row('allow', objects, `${artifacts}/__outputs/blog/index.html`) // docs/security.md says so
    row('allow', ['s3:GetObject', 's3:PutObject'], `${artifacts}/.caisson/__outputs~1shop/manifest.json`)
    row('allow', 's3:ListBucket', artifacts, { 's3:prefix': '__outputs/shop/' })
    row('no', 's3:ListBucket', artifacts, { 's3:prefix': '' })
    row('no', objects, `${artifacts}/index.html`)
    row('allow', objects, `${state}/jobs/abc123/result.json`)
    row('allow', 's3:ListBucket', state, { 's3:prefix': 'jobs/abc123/' })
    row('no', 's3:ListBucket', state, { 's3:prefix': '' })
    row('allow', 'sns:Publish', topic('domain-events.fifo'))
    row('no', 'sns:Publish', topic('other'))
    row('no', 'sns:Publish', topic('builds-shop.fifo'))
    row('no', 'sqs:SendMessage', queue('events'))
    row('no', 'events:PutEvents', bus('default'))
    row('deny', 'sns:Publish', topic('domain-events.fifo', other), {}, { owner: other })
    row('allow', lines, stream('/existing/node'))
    row('no', lines, stream('/caisson/jobs/shop'))
    row('no', lines, `arn:aws:logs:${region}:${account}:log-group:/caisson/builders/node:log-stream:x`)
    row('allow', 's3:GetObject', `${state}/control/shop/abc123`)
    row('no', ['s3:PutObject', 's3:DeleteObject'], `${state}/control/shop/abc123`)
    row('allow', 's3:ListBucket', state, { 's3:prefix': 'control/shop/abc123' })
    row('allow', 'ssm:GetParameter', parameter('caisson/operator/hook'))
    row('allow', 'secretsmanager:GetSecretValue', secret('caisson/operator/hook-AbCdEf'))
    row('no', ['ecr:GetAuthorizationToken'], '*')
    row('no', push, repository('caisson/apps/shop'))
    row('deny', push.filter((a) => a !== 'ecr:BatchCheckLayerAvailability'), repository('caisson/builders/node'))
    row('no', 'ssm:GetParameter', parameter('caisson/shop/npm'))
    row('no', 'secretsmanager:GetSecretValue', secret('caisson/shop/npm-AbCdEf'))
    row('deny', 's3:DeleteBucket', artifacts)
    row('deny', 'iam:PassRole', role(`caisson/builders/caisson-builder-node-${region}`))
    row('deny', 'sts:AssumeRole', role(`caisson/projects/caisson-project-shop-${region}`))
    row('no', 'sts:AssumeRole', puller)
    row('deny', objects, 'arn:aws:s3:::bucket-of-another-account/__outputs/shop/x', {}, { owner: other })

    begin('builder kaniko', { policies: ['builder kaniko'], boundary: true })
    row('allow', 'ecr:GetAuthorizationToken', '*')
    row('allow', push.concat(pull), repository('caisson/apps/shop'))
    row('no', ['ecr:CreateRepository', 'ecr:PutLifecyclePolicy', 'ecr:DeleteRepository'], repository('caisson/apps/shop'))
    row('no', 'ecr:PutImage', repository('other-system'))
    row('deny', 'ecr:PutImage', repository('caisson/builders/kaniko'))
    row('no', objects, `${artifacts}/__outputs/shop/index.html`)
    row('allow', objects, `${state}/cache/shop/refs~2fheads~2fmain/manifest.json`)
    row('allow', 's3:ListBucket', state, { 's3:prefix': 'cache/' })
    row('no', 's3:ListBucket', state)
    row('allow', 's3:GetObject', `${state}/control/shop/abc123`)
    row('no', ['s3:PutObject', 's3:DeleteObject'], `${state}/control/shop/abc123`)
    row('allow', 's3:ListBucket', state, { 's3:prefix': 'control/shop/abc123' })
    row('no', 'sns:Publish', topic('domain-events.fifo'))
    row('no', lines, stream('/existing/node'))
    row('deny', 's3:DeleteBucket', state)
    row('deny', 'iam:PassRole', role(`caisson/builders/caisson-builder-kaniko-${region}`))
    row('deny', 'sts:AssumeRole', role(`caisson/projects/caisson-project-shop-${region}`))
    row('allow', 'sts:AssumeRole', puller)

    // keys of topics and queues, by way of those alone
    const policy = 'policy of a key'
    const unnamed = notifyKey.replace(/1$/, '2') // blog's policy names it, the boundary does not
    const holders = [['boundary', 'everything'], ['project shop', 'shop']]
    for (const [name, held] of holders) {
        begin(`${name}, key of topics and queues`, { policies: [held], boundary: true, resourcePolicy: policy })
        row('allow', dataKey, notifyKey, via('sns'))
        row('allow', dataKey, notifyKey, via('sqs'))
        row('no', dataKey, notifyKey, via('s3'))
        row('no', dataKey, notifyKey)
        row('no', ['kms:Encrypt', 'kms:CreateGrant', 'kms:ScheduleKeyDeletion'], notifyKey, via('sns'))
        row('no', dataKey, unnamed, via('sns'))
        row('no', dataKey, key, via('sns'))
    }
    begin('project blog, key of topics and queues', { policies: ['blog'], boundary: true, resourcePolicy: policy })
    row('no', dataKey, unnamed, via('sns'))
    row('no', dataKey, notifyKey, via('sns'))
    for (const [held, named] of [['blog', unnamed], ['shop', notifyKey]]) {
        begin(`project ${held} without the boundary, key of topics and queues`, { policies: [held], resourcePolicy: policy })
        row('allow', dataKey, named, via('sqs'))
        row('no', dataKey, named, via('s3'))
    }
    begin('builder node, key of topics and queues', { policies: ['builder node'], boundary: true, resourcePolicy: policy })
    row('no', dataKey, notifyKey, via('sns'))

    // ECS itself
    begin('execution role', { policies: ['execution'], boundary: true })
    row('allow', 'ecr:GetAuthorizationToken', '*')
    row('allow', pull, repository('caisson/builders/node'))
    row('no', pull, repository('caisson/apps/shop'))
    row('deny', 'ecr:PutImage', repository('caisson/builders/node'))
    row('deny', pull, repository('caisson/builders/node', other), {}, { owner: other })
    row('allow', ['logs:CreateLogStream', 'logs:PutLogEvents'], `arn:aws:logs:${region}:${account}:log-group:/caisson/builds:log-stream:x`)
    row('no', ['logs:CreateLogGroup', 'logs:DeleteLogGroup'], `arn:aws:logs:${region}:${account}:log-group:/caisson/builds`)
    row('no', 'logs:PutLogEvents', `arn:aws:logs:${region}:${account}:log-group:/other:log-stream:x`)
    row('no', ['s3:GetObject', 's3:PutObject'], `${artifacts}/__outputs/shop/x`)
    row('no', 'secretsmanager:GetSecretValue', secret('caisson/shop/npm-AbCdEf'))
    row('no', 'ssm:GetParameter', parameter('caisson/shop/npm'))
    row('deny', 's3:DeleteBucket', artifacts)
    row('deny', 'iam:PassRole', role(`caisson/caisson-execution-${region}`))
    row('deny', 'sts:AssumeRole', role(`caisson/projects/caisson-project-shop-${region}`))
    row('no', 'sts:AssumeRole', puller)

    begin('flow logs role', { policies: ['flow logs'], boundary: true })
    row('allow', 'logs:PutLogEvents', `arn:aws:logs:${region}:${account}:log-group:/caisson/flow-logs:log-stream:eni-1`)
    row('allow', 'logs:CreateLogStream', `arn:aws:logs:${region}:${account}:log-group:/caisson/flow-logs:log-stream:eni-1`)
    row('allow', 'logs:DescribeLogStreams', `arn:aws:logs:${region}:${account}:log-group:/caisson/flow-logs`)
    row('no', 'logs:PutLogEvents', `arn:aws:logs:${region}:${account}:log-group:/caisson/builds:log-stream:x`)
    row('deny', 'iam:PassRole', role(`caisson/caisson-flow-logs-${region}`))

    // EventBridge, which tells of lost jobs by HTTPS
    begin('role that calls consumers', { policies: ['lost caller'], boundary: true })
    row('allow', 'events:InvokeApiDestination', destination('caisson-hook'))
    row('no', 'events:InvokeApiDestination', destination('other'))
    row('no', 'events:PutEvents', bus('default'))
    row('no', 'sqs:SendMessage', queue('events'))
    row('no', 'secretsmanager:GetSecretValue', secret('caisson/shop/npm-AbCdEf'))
    row('no', ['s3:GetObject', 's3:PutObject'], `${artifacts}/__outputs/shop/x`)
    row('deny', 's3:DeleteBucket', artifacts)
    row('deny', 'iam:PassRole', role(`caisson/caisson-lost-caller-${region}`))
    row('deny', 'sts:AssumeRole', role(`caisson/projects/caisson-project-shop-${region}`))

    // who may take a role (confused deputy)
    const ecs = { 'aws:SourceAccount': account, 'aws:SourceArn': task('caisson/0123456789abcdef0123456789abcdef') }
    const taken = [
        ['trust of shop', `caisson/projects/caisson-project-shop-${region}`],
        ['trust of builder', `caisson/builders/caisson-builder-node-${region}`],
        ['trust of execution', `caisson/caisson-execution-${region}`],
    ]
    for (const [trust, name] of taken) {
        begin(trust, { principal: 'ecs-tasks.amazonaws.com', resourcePolicy: trust })
        row('allow', 'sts:AssumeRole', role(name), ecs)
        row('no', 'sts:AssumeRole', role(name), { ...ecs, 'aws:SourceAccount': other })
        row('no', 'sts:AssumeRole', role(name), { ...ecs, 'aws:SourceArn': ecs['aws:SourceArn'].replace(account, other) })
        row('no', 'sts:AssumeRole', role(name), { ...ecs, 'aws:SourceArn': ecs['aws:SourceArn'].replace(region, 'us-east-1') })
        row('no', 'sts:AssumeRole', role(name), {})
        begin(trust, { principal: 'ec2.amazonaws.com', resourcePolicy: trust })
        row('no', 'sts:AssumeRole', role(name), ecs)
        begin(trust, { principal: role('admin'), policies: ['everything'], resourcePolicy: trust })
        row('no', 'sts:AssumeRole', role(name))
        begin(trust, { principal: role('admin', other), policies: ['everything'], resourcePolicy: trust })
        row('no', 'sts:AssumeRole', role(name))
    }
    begin('trust of flow logs', { principal: 'vpc-flow-logs.amazonaws.com', resourcePolicy: 'trust of flow logs' })
    const flow = { 'aws:SourceAccount': account, 'aws:SourceArn': `arn:aws:ec2:${region}:${account}:vpc-flow-log/fl-1` }
    row('allow', 'sts:AssumeRole', role(`caisson/caisson-flow-logs-${region}`), flow)
    row('no', 'sts:AssumeRole', role(`caisson/caisson-flow-logs-${region}`), { ...flow, 'aws:SourceAccount': other })
    row('no', 'sts:AssumeRole', role(`caisson/caisson-flow-logs-${region}`), { ...flow, 'aws:SourceArn': flow['aws:SourceArn'].replace(account, other) })
    begin('trust of the role that calls consumers', { principal: 'events.amazonaws.com', resourcePolicy: 'trust of lost caller' })
    const hook = { 'aws:SourceAccount': account, 'aws:SourceArn': rule('caisson-lost-for-hook') }
    row('allow', 'sts:AssumeRole', role(`caisson/caisson-lost-caller-${region}`), hook)
    row('no', 'sts:AssumeRole', role(`caisson/caisson-lost-caller-${region}`), { ...hook, 'aws:SourceAccount': other })
    row('no', 'sts:AssumeRole', role(`caisson/caisson-lost-caller-${region}`), { ...hook, 'aws:SourceArn': rule('of-somebody-else') })

    // who starts tasks
    begin('run task', { policies: ['run task'] })
    const ours = { 'ecs:cluster': cluster('caisson'), 'ecs:enable-execute-command': 'false' }
    row('allow', 'ecs:RunTask', taskDefinition('caisson-node:7'), ours)
    row('allow', 'ecs:RunTask', taskDefinition('caisson-node:7'), { 'ecs:cluster': cluster('caisson') })
    row('no', 'ecs:RunTask', taskDefinition('caisson-node:7'), { ...ours, 'ecs:enable-execute-command': 'true' })
    row('no', 'ecs:RunTask', taskDefinition('caisson-node:7'), { ...ours, 'ecs:cluster': cluster('production') })
    row('no', 'ecs:RunTask', taskDefinition('production:7'), ours)
    row('no', 'ecs:RegisterTaskDefinition', '*')
    row('allow', ['ecs:DescribeTasks', 'ecs:StopTask'], task('caisson/0123456789abcdef0123456789abcdef'), { 'ecs:cluster': cluster('caisson') })
    row('no', ['ecs:DescribeTasks', 'ecs:StopTask'], task('caisson/0123456789abcdef0123456789abcdef'), { 'ecs:cluster': cluster('production') })
    row('no', 'ecs:StopTask', task('production/0123456789abcdef0123456789abcdef'), { 'ecs:cluster': cluster('production') })
    row('allow', 'ecs:ListTasks', `arn:aws:ecs:${region}:${account}:container-instance/caisson/*`, { 'ecs:cluster': cluster('caisson') })
    row('no', 'ecs:ListTasks', `arn:aws:ecs:${region}:${account}:container-instance/production/*`, { 'ecs:cluster': cluster('production') })
    row('allow', 'ecs:TagResource', task('caisson/0123456789abcdef0123456789abcdef'), { 'ecs:CreateAction': 'RunTask' })
    row('no', 'ecs:TagResource', task('caisson/0123456789abcdef0123456789abcdef'))
    row('no', 'ecs:ExecuteCommand', task('caisson/0123456789abcdef0123456789abcdef'), { 'ecs:cluster': cluster('caisson') })
    const toEcs = { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' }
    row('allow', 'iam:PassRole', role(`caisson/caisson-execution-${region}`), toEcs)
    row('allow', 'iam:PassRole', role(`caisson/projects/caisson-project-shop-${region}`), toEcs)
    row('allow', 'iam:PassRole', role(`caisson/builders/caisson-builder-node-${region}`), toEcs)
    row('no', 'iam:PassRole', role(`caisson/projects/caisson-project-shop-${region}`), { 'iam:PassedToService': 'lambda.amazonaws.com' })
    row('no', 'iam:PassRole', role('admin'), toEcs)
    row('no', 'iam:PassRole', role(`caisson/caisson-flow-logs-${region}`), toEcs)
    row('no', 'iam:PassRole', role('caisson/projects/x', other), toEcs, { owner: other })

    // who adds projects: alone, and with all rights besides
    const bounded = { 'iam:PermissionsBoundary': boundaryArn }
    const loose = { 'iam:PermissionsBoundary': `arn:aws:iam::${account}:policy/mine` }
    const mine = role(`caisson/projects/caisson-project-new-${region}`)
    const changes = ['iam:CreateRole', 'iam:PutRolePolicy', 'iam:PutRolePermissionsBoundary', 'iam:UpdateAssumeRolePolicy']
    begin('project admin', { policies: ['project admin'] })
    row('allow', changes.concat(['iam:DeleteRole', 'iam:DeleteRolePolicy']), mine, bounded)
    row('deny', changes, mine, loose)
    row('deny', 'iam:CreateRole', mine)
    row('no', 'iam:CreateRole', role('admin'), bounded)
    row('no', changes, role(`caisson/caisson-execution-${region}`), bounded)
    row('allow', ['iam:GetRole', 'iam:GetRolePolicy', 'iam:ListRolePolicies', 'iam:ListAttachedRolePolicies', 'iam:TagRole'], mine)
    row('no', 'iam:GetRole', role('admin'))
    row('no', 'iam:AttachRolePolicy', mine, bounded)
    row('no', 'iam:PassRole', mine)
    row('no', 'iam:CreateUser', `arn:aws:iam::${account}:user/mallory`)
    row('allow', ['ecr:CreateRepository', 'ecr:DeleteRepository', 'ecr:PutLifecyclePolicy'], repository('caisson/apps/new'))
    row('no', ['ecr:DeleteRepository', 'ecr:PutImage'], repository('caisson/builders/node'))
    begin('project admin who is an administrator too', { policies: ['project admin', 'everything'] })
    row('allow', changes, mine, bounded)
    row('deny', changes.concat(['iam:AttachRolePolicy']), mine, loose)
    row('deny', changes.concat(['iam:AttachRolePolicy']), mine) // a role without a boundary
    row('deny', changes, role(`caisson/caisson-execution-${region}`))
    row('deny', 'iam:DeleteRolePermissionsBoundary', mine, bounded)
    row('deny', ['iam:CreatePolicyVersion', 'iam:SetDefaultPolicyVersion', 'iam:DeletePolicy', 'iam:DeletePolicyVersion'], boundaryArn)
    row('allow', 'iam:CreateRole', role('of-another-system'))

    // through the endpoints of the network
    begin('endpoint for S3', { policies: ['everything'], endpoint: 'endpoint s3' })
    row('allow', ['s3:GetObject', 's3:PutObject'], `${artifacts}/__outputs/shop/index.html`)
    row('no', ['s3:GetObject', 's3:PutObject'], 'arn:aws:s3:::bucket-of-another-account/x', {}, { owner: other })
    // the layers lie in a bucket of ECR's own account, and ECR signs the addresses
    begin('endpoint for S3, layers', { principal: role('ecr', '555555555555'), policies: ['everything'], endpoint: 'endpoint s3' })
    row('allow', 's3:GetObject', `arn:aws:s3:::prod-${region}-starport-layer-bucket/abc/def`, {}, { owner: '555555555555' })
    row('no', 's3:PutObject', `arn:aws:s3:::prod-${region}-starport-layer-bucket/abc/def`, {}, { owner: '555555555555' })
    row('no', 's3:GetObject', 'arn:aws:s3:::their-bucket/abc', {}, { owner: '555555555555' })
    begin('project through the endpoint for S3', { policies: ['shop'], boundary: true, endpoint: 'endpoint s3' })
    row('allow', ['s3:GetObject', 's3:PutObject'], `${artifacts}/__outputs/shop/index.html`)
    row('no', ['s3:GetObject', 's3:PutObject'], `${artifacts}/__outputs/blog/index.html`)
    begin('interface endpoint', { policies: ['everything'], endpoint: 'endpoint interface' })
    row('allow', 'ecr:PutImage', repository('caisson/apps/shop'))
    begin('interface endpoint, credentials of another account', { principal: role('smuggled', other), policies: ['everything'], endpoint: 'endpoint interface' })
    row('no', 'ecr:PutImage', repository('theirs', other), {}, { owner: other })

    // what buckets say
    for (const [bucket, arn] of [['bucket artifacts', artifacts], ['bucket state', state]]) {
        begin(bucket, { policies: ['everything'], resourcePolicy: bucket })
        row('allow', ['s3:GetObject', 's3:PutObject'], `${arn}/jobs/x`)
        row('deny', ['s3:GetObject', 's3:PutObject'], `${arn}/jobs/x`, { 'aws:SecureTransport': 'false', 's3:TlsVersion': null })
        row('deny', ['s3:GetObject', 's3:PutObject'], `${arn}/jobs/x`, { 's3:TlsVersion': '1.1' })
        row('deny', 's3:ListBucket', arn, { 'aws:SecureTransport': 'false', 's3:TlsVersion': null })
        begin(`${bucket}, another account`, { principal: role('admin', other), policies: ['everything'], resourcePolicy: bucket })
        row('no', ['s3:GetObject', 's3:PutObject'], `${arn}/__outputs/shop/index.html`)
        begin(`${bucket}, CloudFront`, { principal: 'cloudfront.amazonaws.com', resourcePolicy: bucket })
        const ofUs = { 'aws:SourceArn': `arn:aws:cloudfront::${account}:distribution/E1EXAMPLE` }
        row(arn === artifacts ? 'allow' : 'no', 's3:GetObject', `${arn}/__outputs/shop/index.html`, ofUs)
        row('no', 's3:GetObject', `${arn}/.caisson/__outputs~1shop/manifest.json`, ofUs)
        row('no', 's3:PutObject', `${arn}/__outputs/shop/index.html`, ofUs)
        row('no', 's3:GetObject', `${arn}/__outputs/shop/index.html`, { 'aws:SourceArn': `arn:aws:cloudfront::${other}:distribution/E2` })
    }

    // what EventBridge and CloudWatch may send, and to whom
    const rules = { stopped: 'caisson-task-stopped', lost: 'caisson-job-lost-clone', consumer: 'caisson-lost-for-hook' }
    const queues = [
        ['queue of stopped tasks', 'caisson-task-stopped', ['stopped']],
        ['queue of lost jobs', 'caisson-job-lost', ['lost']],
        ['queue of dead letters', 'caisson-dead-letters', ['stopped', 'lost', 'consumer']],
    ]
    for (const [policy, name, senders] of queues) {
        begin(policy, { principal: 'events.amazonaws.com', resourcePolicy: policy })
        const sent = (from) => ({ 'aws:SourceAccount': account, 'aws:SourceArn': from })
        for (const [kind, from] of Object.entries(rules)) row(senders.includes(kind) ? 'allow' : 'no', 'sqs:SendMessage', queue(name), sent(rule(from)))
        row('no', 'sqs:SendMessage', queue(name), sent(rule('other')))
        row('no', 'sqs:SendMessage', queue(name), { ...sent(rule(rules[senders[0]])), 'aws:SourceAccount': other })
        row('no', ['sqs:ReceiveMessage', 'sqs:PurgeQueue'], queue(name), sent(rule(rules[senders[0]])))
        row('deny', 'sqs:SendMessage', queue(name), { ...sent(rule(rules[senders[0]])), 'aws:SecureTransport': 'false' })
        begin(`${policy}, another account`, { principal: role('admin', other), policies: ['everything'], resourcePolicy: policy })
        row('no', ['sqs:SendMessage', 'sqs:ReceiveMessage'], queue(name))
    }
    begin('topic of alarms', { principal: 'cloudwatch.amazonaws.com', resourcePolicy: 'topic of alarms' })
    const alarm = (name, of = account) => ({ 'aws:SourceAccount': of, 'aws:SourceArn': `arn:aws:cloudwatch:${region}:${of}:alarm:${name}` })
    row('allow', 'sns:Publish', topic('caisson-alarms'), alarm('caisson-dead-letters'))
    row('no', 'sns:Publish', topic('caisson-alarms'), alarm('other'))
    row('no', 'sns:Publish', topic('caisson-alarms'), alarm('caisson-dead-letters', other))
    row('no', 'sns:Publish', topic('caisson-alarms'), { ...alarm('caisson-dead-letters'), 'aws:SourceAccount': other })
    row('no', 'sns:Subscribe', topic('caisson-alarms'), alarm('caisson-dead-letters'))
    begin('builder repository, another account that may pull', { principal: role('puller', '444455556666'), policies: ['everything'], resourcePolicy: 'builder repository' })
    row('allow', pull, repository('caisson/builders/node'))
    row('no', 'ecr:PutImage', repository('caisson/builders/node'))
    begin('builder repository, any other account', { principal: role('puller', other), policies: ['everything'], resourcePolicy: 'builder repository' })
    row('no', pull, repository('caisson/builders/node'))
    return list
}
