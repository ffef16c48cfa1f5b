// The CloudFront function of module storage, as terraform fills it in: which object an address means.
import { readFileSync } from 'node:fs'

const text = readFileSync(new URL('../../terraform/modules/storage/sites.js', import.meta.url), 'utf8')
const load = (domain) => new Function(`${text.replace('${domain}', domain)}; return handler`)()
const ask = (domain, uri, host = 'd1.cloudfront.net') => {
    const answer = load(domain)({ request: { method: 'GET', uri, headers: { host: { value: host } } } })
    return answer.statusCode ?? answer.uri
}

const domain = 'sites.example.com'
const table = [
    ['', '/shop/', undefined, '/shop/index.html'],
    ['', '/shop', undefined, '/shop/index.html'],
    ['', '/shop/docs', undefined, '/shop/docs/index.html'],
    ['', '/shop/assets/app.1a2b.js', undefined, '/shop/assets/app.1a2b.js'],
    ['', '/', undefined, '/index.html'],
    [domain, '/', 'shop.sites.example.com', '/shop/index.html'],
    [domain, '/docs/', 'Shop.Sites.Example.com', '/shop/docs/index.html'],
    [domain, '/app.js', 'shop.sites.example.com', '/shop/app.js'],
    [domain, '/', 'sites.example.com', 404],
    [domain, '/', 'a.b.sites.example.com', 404],
    [domain, '/', 'shop.evil.com', 404],
    [domain, '/', 'shopsites.example.com', 404],
    [domain, '/', '.caisson.sites.example.com', 404],
    [domain, '/', '..sites.example.com', 404],
]
let failed = 0
for (const [where, uri, host, expected] of table) {
    const got = ask(where, uri, host)
    if (got !== expected) {
        failed++
        console.log(`FAIL: ${host ?? ''}${uri}: ${got}, not ${expected}`)
    }
}
console.log(`${table.length - failed} passed, ${failed} failed, 0 skipped`)
process.exit(failed ? 1 : 0)
