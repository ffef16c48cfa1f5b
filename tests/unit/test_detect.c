#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "detect/detect.h"
#include "detect/frameworks.h"

/* A project's files: name, text, name, text, …, NULL. Removed again by the test's teardown. */
static char *root;

static void put(const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", root, name);
    char *slash = strrchr(path, '/');

    *slash = '\0';
    assert_int_equal(fs_make_folders(path, 0755), 0);
    *slash = '/';
    assert_int_equal(fs_write_file(path, text, strlen(text), 0644), 0);
}

static int setup(void **state)
{
    const char *parent = getenv("TMPDIR");

    (void)state;
    return fs_make_temp(parent ? parent : "/tmp", "detect-", &root);
}

static int teardown(void **state)
{
    int result = fs_remove_tree(root);

    (void)state;
    free(root);
    return result;
}

static struct detection detected;
static struct error failure;

static void detect_in(const char *directory, const struct detect_hints *hints)
{
    detection_dispose(&detected);
    memset(&failure, 0, sizeof failure);
    if (detect_project(root, directory, hints, &detected, &failure))
        fail_msg("%s", failure.message);
    assert_string_equal(failure.message, "");
}

static void expect(const char *what, const struct conclusion *conclusion, const char *value, const char *from)
{
    const char *got = conclusion->value ? conclusion->value : "(nothing)";
    const char *got_from = conclusion->from ? conclusion->from : "(nothing)";

    if (strcmp(got, value) != 0 || (from && strcmp(got_from, from) != 0))
        fail_msg("%s: \"%s\" from \"%s\", wanted \"%s\" from \"%s\"", what, got, got_from, value, from ? from : "*");
}

#define EXPECT(field, value, from) expect(#field, &detected.field, value, from)

static bool warned(const char *part)
{
    size_t i;

    for (i = 0; i < detected.warnings.len; i++)
        if (strstr(detected.warnings.items[i], part))
            return true;
    return false;
}

static void test_vite_and_npm(void **state)
{
    (void)state;
    put("package.json", "{\"scripts\":{\"build\":\"tsc -b && vite build\"},\"devDependencies\":{\"vite\":\"^7.0.0\"},"
                        "\"engines\":{\"node\":\"^20.19.0 || >=22.12.0\"}}");
    put("package-lock.json", "{}");
    put("vite.config.ts", "import { defineConfig } from 'vite'\nexport default defineConfig({ plugins: [] })\n");
    detect_in(".", NULL);
    EXPECT(package_manager, "npm", "package-lock.json");
    EXPECT(node, "^20.19.0 || >=22.12.0", "package.json, engines.node");
    EXPECT(node_major, "24", "package.json, engines.node");
    EXPECT(framework, "vite", "package.json, devDependencies.vite");
    EXPECT(install, "npm ci", "package-lock.json");
    EXPECT(build, "npm run build", "package.json, scripts.build");
    EXPECT(output, "dist", "default of vite");
    assert_int_equal(detected.warnings.len, 0);
}

static const struct {
    const char *config;
    const char *script;
    const char *output;
    const char *from;
    const char *warning;
} outputs_of_vite[] = {
    {"export default { build: { outDir: 'public_html' } }", "vite build", "public_html", "vite.config.js, build.outDir",
     NULL},
    {"export default { build: { outDir: \"./out/\", }, }", "vite build", "out", "vite.config.js, build.outDir", NULL},
    {"export default { root: 'src', build: { outDir: '../www' } }", "vite build", "www", "vite.config.js, build.outDir",
     NULL},
    {"export default { root: 'src' }", "vite build", "src/dist", "vite.config.js, root", NULL},
    {"export default { build: { outDir: `build` as const } }", "vite build", "build", "vite.config.js, build.outDir",
     NULL},
    {"// build: { outDir: 'x' }\n/* build: { outDir: 'y' } */ export default {}", "vite build", "dist",
     "default of vite", NULL},
    {"const s = \"build: { outDir: 'x' }\"; export default {}", "vite build", "dist", "default of vite", NULL},
    {"const r = /{build: {outDir: 'x'}}/; export default {}", "vite build", "dist", "default of vite", NULL},
    {"export default { test: { outDir: 'x' } }", "vite build", "dist", "default of vite", NULL},
    {"export default { build: { outDir: join(__dirname, 'x') } }", "vite build", "dist", "default of vite",
     "computes build.outDir"},
    {"export default { build: { outDir: 'a' + b } }", "vite build", "dist", "default of vite", "computes build.outDir"},
    {"export default { build: { outDir } }", "vite build", "dist", "default of vite", "computes build.outDir"},
    {"export default { build: { outDir: `${x}` } }", "vite build", "dist", "default of vite", "computes build.outDir"},
    {"x({ build: { outDir: 'a' } }); y({ build: { outDir: 'b' } })", "vite build", "dist", "default of vite",
     "computes build.outDir"},
    {"export default { build: { outDir: '../../../etc' } }", "vite build", "dist", "default of vite", "leads out"},
    {"export default { build: { outDir: '/etc' } }", "vite build", "dist", "default of vite", "leads out"},
    {"export default {}", "vite build --outDir www", "www", "package.json, scripts.build", NULL},
    {"export default {}", "vite build --outDir=\"a b\"", "a b", "package.json, scripts.build", NULL},
    {"export default {}", "vite build --outDir $OUT", "dist", "default of vite", NULL},
    {"export default {}", "vite build app --outDir ../www", "www", "package.json, scripts.build", NULL},
    {"export default {}", "vite build app", "app/dist", "package.json, scripts.build", NULL},
    {"export default {}", "echo --outDir x && vite build", "dist", "default of vite", NULL},
    {"export default {}", "node ./node_modules/vite/bin/vite.js build --outDir y", "y", "package.json, scripts.build",
     NULL},
    {"{{{{'", "vite build", "dist", "default of vite", NULL},
    {"/* `", "vite build", "dist", "default of vite", NULL},
    {"", "vite build", "dist", "default of vite", NULL},
};

static void test_output_of_vite(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(outputs_of_vite); i++) {
        CLEANUP_JSON json_t *package =
            json_pack("{s{ss}s{ss}}", "scripts", "build", outputs_of_vite[i].script, "dependencies", "vite", "7");
        CLEANUP_FREE char *text = json_dumps(package, 0);

        put("package.json", text);
        put("yarn.lock", "# yarn lockfile v1\n");
        put("vite.config.js", outputs_of_vite[i].config);
        detect_in(".", NULL);
        expect(outputs_of_vite[i].config, &detected.output, outputs_of_vite[i].output, outputs_of_vite[i].from);
        if (outputs_of_vite[i].warning ? !warned(outputs_of_vite[i].warning) : detected.warnings.len > 0)
            fail_msg("warnings of %s", outputs_of_vite[i].config);
    }
}

/* One project a framework: what its own starter or documentation sets up. */
static const struct {
    const char *framework;
    const char *package;
    const char *file, *text; /* one more file */
    const char *build;
    const char *output;
    const char *warning;
} frameworks[] = {
    {"create-react-app", "{\"scripts\":{\"build\":\"react-scripts build\"},\"dependencies\":{\"react-scripts\":\"5\"}}",
     NULL, NULL, "npm run build", "build", NULL},
    {"create-react-app",
     "{\"scripts\":{\"build\":\"cross-env BUILD_PATH=./www react-scripts "
     "build\"},\"dependencies\":{\"react-scripts\":\"5\"}}",
     NULL, NULL, "npm run build", "www", NULL},
    {"next", "{\"scripts\":{\"build\":\"next build\"},\"dependencies\":{\"next\":\"15\",\"react\":\"19\"}}",
     "next.config.mjs",
     "/** @type {import('next').NextConfig} */\nconst nextConfig = { output: 'export' }\nexport default nextConfig",
     "npm run build", "out", NULL},
    {"next", "{\"scripts\":{\"build\":\"next build\"},\"dependencies\":{\"next\":\"15\"}}", "next.config.ts",
     "const c: NextConfig = { output: 'export', distDir: 'www' };", "npm run build", "www", NULL},
    {"next", "{\"scripts\":{\"build\":\"next build\"},\"dependencies\":{\"next\":\"15\"}}", "next.config.js",
     "module.exports = { reactStrictMode: true }", "npm run build", "out", "set output: 'export'"},
    {"next", "{\"scripts\":{\"build\":\"next build\"},\"dependencies\":{\"next\":\"15\"}}", "next.config.js",
     "module.exports = { output: prod ? 'export' : undefined }", "npm run build", "out", "computes output"},
    {"next", "{\"scripts\":{\"build\":\"next build\"},\"dependencies\":{\"next\":\"15\"}}", NULL, NULL, "npm run build",
     "out", "set output: 'export'"},
    {"next", "{\"scripts\":{\"build\":\"next build && next export -o site\"},\"dependencies\":{\"next\":\"13\"}}", NULL,
     NULL, "npm run build", "site", NULL},
    {"astro",
     "{\"scripts\":{\"build\":\"astro check && astro build\"},\"dependencies\":{\"astro\":\"5\",\"vite\":\"6\"}}",
     "astro.config.mjs", "export default defineConfig({ outDir: './public_site' })", "npm run build", "public_site",
     NULL},
    {"astro", "{\"scripts\":{\"build\":\"astro build\"},\"dependencies\":{\"astro\":\"5\"}}", "astro.config.mjs",
     "export default defineConfig({ output: 'server' })", "npm run build", "dist", "Astro needs a server"},
    {"vitepress",
     "{\"scripts\":{\"docs:build\":\"vitepress build docs\"},\"devDependencies\":{\"vitepress\":\"1\",\"vue\":\"3\"}}",
     "docs/.vitepress/config.mts", "export default {}", "npm run docs:build", "docs/.vitepress/dist", NULL},
    {"vitepress",
     "{\"scripts\":{\"build\":\"vitepress build\"},\"devDependencies\":{\"vitepress\":\"1\",\"vite\":\"6\"}}", NULL,
     NULL, "npm run build", ".vitepress/dist", NULL},
    {"vitepress", "{\"devDependencies\":{\"vitepress\":\"1\"}}", "docs/.vitepress/config.ts",
     "export default { outDir: '../site' }", "npx vitepress build docs", "site", NULL},
    {"vite",
     "{\"scripts\":{\"build\":\"vite build\",\"docs:build\":\"vitepress build "
     "docs\"},\"devDependencies\":{\"vitepress\":\"1\",\"vite\":\"6\"}}",
     NULL, NULL, "npm run build", "dist", NULL},
    {"docusaurus", "{\"scripts\":{\"build\":\"docusaurus build\"},\"dependencies\":{\"@docusaurus/core\":\"3\"}}", NULL,
     NULL, "npm run build", "build", NULL},
    {"docusaurus",
     "{\"scripts\":{\"build\":\"docusaurus build --out-dir www\"},\"dependencies\":{\"@docusaurus/core\":\"3\"}}", NULL,
     NULL, "npm run build", "www", NULL},
    {"sveltekit",
     "{\"scripts\":{\"build\":\"vite "
     "build\"},\"devDependencies\":{\"@sveltejs/kit\":\"2\",\"@sveltejs/adapter-static\":\"3\",\"vite\":\"7\"}}",
     "svelte.config.js", "const config = { kit: { adapter: adapter({ pages: 'public', fallback: '404.html' }) } }",
     "npm run build", "public", NULL},
    {"sveltekit",
     "{\"scripts\":{\"build\":\"vite "
     "build\"},\"devDependencies\":{\"@sveltejs/kit\":\"2\",\"@sveltejs/adapter-auto\":\"3\",\"vite\":\"7\"}}",
     NULL, NULL, "npm run build", "build", "adapter-static"},
    {"angular", "{\"scripts\":{\"build\":\"ng build\"},\"dependencies\":{\"@angular/core\":\"20\"}}", "angular.json",
     "{\"projects\":{\"lib\":{\"projectType\":\"library\",\"architect\":{\"build\":{}}},\"shop\":{\"projectType\":"
     "\"application\",\"architect\":{\"build\":{\"builder\":\"@angular/build:application\",\"options\":{}}}}}}",
     "npm run build", "dist/shop/browser", NULL},
    {"angular", "{\"scripts\":{\"build\":\"ng build\"},\"dependencies\":{\"@angular/core\":\"17\"}}", "angular.json",
     "{\"projects\":{\"shop\":{\"architect\":{\"build\":{\"builder\":\"@angular-devkit/"
     "build-angular:application\",\"options\":{\"outputPath\":{\"base\":\"www\",\"browser\":\"\"}}}}}}}",
     "npm run build", "www", NULL},
    {"angular", "{\"scripts\":{\"build\":\"ng build\"},\"dependencies\":{\"@angular/core\":\"15\"}}", "angular.json",
     "{\"defaultProject\":\"b\",\"projects\":{\"a\":{\"architect\":{\"build\":{}}},\"b\":{\"architect\":{\"build\":{"
     "\"builder\":\"@angular-devkit/build-angular:browser\",\"options\":{\"outputPath\":\"dist/b\"}}}}}}",
     "npm run build", "dist/b", NULL},
    {"angular", "{\"scripts\":{\"build\":\"ng build\"},\"dependencies\":{\"@angular/core\":\"15\"}}", "angular.json",
     "{\"projects\":[1]}", "npm run build", "(nothing)", NULL},
    {"vue-cli", "{\"scripts\":{\"build\":\"vue-cli-service build\"},\"devDependencies\":{\"@vue/cli-service\":\"5\"}}",
     "vue.config.js", "module.exports = { outputDir: 'target' }", "npm run build", "target", NULL},
    {"eleventy", "{\"scripts\":{\"build\":\"npx @11ty/eleventy\"},\"devDependencies\":{\"@11ty/eleventy\":\"3\"}}",
     ".eleventy.js", "module.exports = function(c) { return { dir: { input: 'src', output: 'www' } }; };",
     "npm run build", "www", NULL},
    {"eleventy", "{\"devDependencies\":{\"@11ty/eleventy\":\"3\"}}", NULL, NULL, "npx eleventy", "_site", NULL},
    {"nuxt",
     "{\"scripts\":{\"build\":\"nuxt build\",\"generate\":\"nuxt generate\"},\"dependencies\":{\"nuxt\":\"^3.17.0\"}}",
     NULL, NULL, "npm run generate", ".output/public", NULL},
    {"nuxt", "{\"scripts\":{\"build\":\"nuxt build\"},\"dependencies\":{\"nuxt\":\"^4.0.0\"}}", NULL, NULL,
     "npx nuxt generate", ".output/public", NULL},
    {"nuxt2", "{\"scripts\":{\"generate\":\"nuxt generate\"},\"dependencies\":{\"nuxt\":\"^2.15.8\"}}", NULL, NULL,
     "npm run generate", "dist", NULL},
    {"gatsby", "{\"scripts\":{\"build\":\"gatsby build\"},\"dependencies\":{\"gatsby\":\"5\"}}", NULL, NULL,
     "npm run build", "public", NULL},
    {"react-router",
     "{\"scripts\":{\"build\":\"react-router "
     "build\"},\"devDependencies\":{\"@react-router/dev\":\"7\",\"vite\":\"6\"}}",
     "react-router.config.ts", "export default { ssr: false } satisfies Config;", "npm run build", "build/client",
     NULL},
    {"react-router",
     "{\"scripts\":{\"build\":\"react-router "
     "build\"},\"devDependencies\":{\"@react-router/dev\":\"7\",\"vite\":\"6\"}}",
     "react-router.config.ts", "export default { ssr: true }", "npm run build", "build/client", "ssr: false"},
    {"remix",
     "{\"scripts\":{\"build\":\"remix vite:build\"},\"devDependencies\":{\"@remix-run/dev\":\"2\",\"vite\":\"5\"}}",
     "vite.config.ts", "export default defineConfig({ plugins: [remix({ ssr: false })] })", "npm run build",
     "build/client", NULL},
    {"vuepress",
     "{\"scripts\":{\"docs:build\":\"vuepress build docs\"},\"devDependencies\":{\"vuepress\":\"2.0.0-rc.20\"}}", NULL,
     NULL, "npm run docs:build", "docs/.vuepress/dist", NULL},
    {"vite",
     "{\"scripts\":{\"build\":\"run-p type-check \\\"build-only {@}\\\" --\",\"build-only\":\"vite build --outDir "
     "www\",\"type-check\":\"vue-tsc\"},\"dependencies\":{\"vue\":\"3\"},\"devDependencies\":{\"vite\":\"7\"}}",
     NULL, NULL, "npm run build", "www", NULL},
    {"parcel",
     "{\"scripts\":{\"build\":\"parcel build src/index.html --dist-dir www\"},\"devDependencies\":{\"parcel\":\"2\"}}",
     NULL, NULL, "npm run build", "www", NULL},
    {"rsbuild", "{\"scripts\":{\"build\":\"rsbuild build\"},\"devDependencies\":{\"@rsbuild/core\":\"1\"}}",
     "rsbuild.config.ts", "export default defineConfig({ output: { distPath: { root: 'www' } } })", "npm run build",
     "www", NULL},
};

static void test_frameworks(void **state)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(frameworks); i++) {
        put("package.json", frameworks[i].package);
        put("package-lock.json", "{}");
        if (frameworks[i].file)
            put(frameworks[i].file, frameworks[i].text);
        detect_in(".", NULL);
        expect(frameworks[i].package, &detected.framework, frameworks[i].framework, NULL);
        expect(frameworks[i].package, &detected.build, frameworks[i].build, NULL);
        expect(frameworks[i].package, &detected.output, frameworks[i].output, NULL);
        if (frameworks[i].warning ? !warned(frameworks[i].warning) : detected.warnings.len > 0)
            fail_msg("warnings of %s: %s", frameworks[i].package,
                     detected.warnings.len ? detected.warnings.items[0] : "none");
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static const struct {
    const char *field;
    const char *lockfile, *text;
    const char *manager;
    const char *version;
    const char *install;
    const char *run;
} managers[] = {
    {NULL, "package-lock.json", "{}", "npm", NULL, "npm ci", "npm run build"},
    {NULL, "npm-shrinkwrap.json", "{}", "npm", NULL, "npm ci", "npm run build"},
    {NULL, NULL, NULL, "npm", NULL, "npm install", "npm run build"},
    {NULL, "yarn.lock", "# yarn lockfile v1\n\na@1:\n", "yarn", NULL, "yarn install --frozen-lockfile",
     "yarn run build"},
    {NULL, "yarn.lock", "# generated\n\n__metadata:\n  version: 8\n", "yarn-berry", NULL, "yarn install --immutable",
     "yarn run build"},
    {NULL, "pnpm-lock.yaml", "", "pnpm", NULL, "pnpm install --frozen-lockfile", "pnpm run build"},
    {NULL, "bun.lock", "{}", "bun", NULL, "bun install --frozen-lockfile", "bun run build"},
    {NULL, "bun.lockb", "x", "bun", NULL, "bun install --frozen-lockfile", "bun run build"},
    {"pnpm@9.1.0+sha512.abc", "pnpm-lock.yaml", "", "pnpm", "9.1.0", "pnpm install --frozen-lockfile",
     "pnpm run build"},
    {"yarn@4.5.0", "yarn.lock", "", "yarn-berry", "4.5.0", "yarn install --immutable", "yarn run build"},
    {"yarn@1.22.22", "yarn.lock", "", "yarn", "1.22.22", "yarn install --frozen-lockfile", "yarn run build"},
    {"yarn@4.5.0", NULL, NULL, "yarn-berry", "4.5.0", "yarn install --no-immutable", "yarn run build"},
    {"pnpm@9.1.0", "package-lock.json", "{}", "pnpm", "9.1.0", "pnpm install --no-frozen-lockfile", "pnpm run build"},
    {"npm@10.2.3", "package-lock.json", "{}", "npm", "10.2.3", "npm ci", "npm run build"},
    {"pnpmx@1", "package-lock.json", "{}", "npm", NULL, "npm ci", "npm run build"},
    {"npm@$(id)", "package-lock.json", "{}", "npm", NULL, "npm ci", "npm run build"},
};

static void test_package_managers(void **state)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(managers); i++) {
        CLEANUP_JSON json_t *package = json_pack("{s{ss}s{ss}}", "scripts", "build", "make", "dependencies", "a", "1");
        CLEANUP_FREE char *text = NULL;

        if (managers[i].field)
            json_object_set_new(package, "packageManager", json_string(managers[i].field));
        text = json_dumps(package, 0);
        put("package.json", text);
        if (managers[i].lockfile)
            put(managers[i].lockfile, managers[i].text);
        detect_in(".", NULL);
        expect(text, &detected.package_manager, managers[i].manager, NULL);
        expect(text, &detected.package_manager_version, managers[i].version ? managers[i].version : "(nothing)", NULL);
        expect(text, &detected.install, managers[i].install, NULL);
        expect(text, &detected.build, managers[i].run, NULL);
        EXPECT(framework, "(nothing)", NULL);
        EXPECT(output, "(nothing)", "no known framework");
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void test_two_lockfiles_warn(void **state)
{
    (void)state;
    put("package.json", "{\"dependencies\":{\"vite\":\"7\"}}");
    put("package-lock.json", "{}");
    put("pnpm-lock.yaml", "");
    detect_in(".", NULL);
    EXPECT(package_manager, "pnpm", "pnpm-lock.yaml");
    EXPECT(build, "pnpm exec vite build", "default of vite");
    assert_true(warned("package-lock.json lies beside pnpm-lock.yaml"));
}

static void test_workspace_member(void **state)
{
    (void)state;
    put("package.json", "{\"packageManager\":\"pnpm@9.15.0\",\"engines\":{\"node\":\"22\"}}");
    put("pnpm-workspace.yaml", "packages: [apps/*]\n");
    put("pnpm-lock.yaml", "");
    put("apps/web/package.json", "{\"scripts\":{\"build\":\"vite build\"},\"dependencies\":{\"vite\":\"7\"}}");
    put("apps/web/vite.config.ts", "export default { build: { outDir: '../../dist/web' } }");
    detect_in("apps/web", NULL);
    EXPECT(package_manager, "pnpm", "the workspace's package.json, packageManager");
    EXPECT(package_manager_version, "9.15.0", NULL);
    EXPECT(install, "pnpm install --frozen-lockfile", "pnpm-lock.yaml");
    EXPECT(node, "22", "the workspace's package.json, engines.node");
    EXPECT(output, "/dist/web", "vite.config.ts, build.outDir");
    /* the same lockfile without a workspace is someone else's */
    {
        CLEANUP_FREE char *path = xasprintf("%s/pnpm-workspace.yaml", root);

        assert_int_equal(unlink(path), 0);
    }
    detect_in("apps/web", NULL);
    EXPECT(package_manager, "npm", "default");
    EXPECT(install, "npm install", NULL);
}

static void test_node(void **state)
{
    static const struct {
        const char *file, *text;
        const char *wanted, *major, *from;
    } files[] = {
        {".nvmrc", "v18.20.1\n", "v18.20.1", "18", ".nvmrc"},
        {".nvmrc", "lts/*", "lts/*", "24", ".nvmrc"},
        {".nvmrc", "lts/hydrogen\r\n", "lts/hydrogen", "18", ".nvmrc"},
        {".nvmrc", "# comment\n\n 20 # why\n", "20", "20", ".nvmrc"},
        {".nvmrc", "node\n", "node", "24", ".nvmrc"},
        {".nvmrc", "16\n", "16", "16", ".nvmrc"},
        {".nvmrc", "\n\n", "20", "20", "default"},
        {".nvmrc", "$(id)\n", "20", "20", "default"},
        {".nvmrc", "\x1b[31m20\n", "20", "20", "default"},
        {".node-version", "22.3.0\n", "22.3.0", "22", ".node-version"},
    };
    CLEANUP_FREE char *text = NULL;
    struct detect_hints hints = {.node = "18.10", .node_default = "22"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(files); i++) {
        put("package.json", "{}");
        put(files[i].file, files[i].text);
        detect_in(".", NULL);
        expect(files[i].text, &detected.node, files[i].wanted, files[i].from);
        expect(files[i].text, &detected.node_major, files[i].major, NULL);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
    put("package.json", "{\"engines\":{\"node\":\">=30 <30\"},\"volta\":{\"node\":\"20.1.0\"}}");
    detect_in(".", NULL);
    EXPECT(node, "20.1.0", "package.json, volta.node");
    put("package.json", "{\"engines\":{\"node\":\">=30 <30\"}}");
    detect_in(".", NULL);
    EXPECT(node_major, "20", "default");
    assert_true(warned("no Node version satisfies"));
    detect_in(".", &hints);
    EXPECT(node, "18.10", "build.node");
    EXPECT(node_major, "18", "build.node");
    put("package.json", "{}");
    hints.node = NULL;
    detect_in(".", &hints);
    EXPECT(node, "22", "default");
    text = xasprintf("%5000s", "20");
    put(".nvmrc", text);
    detect_in(".", NULL);
    EXPECT(node, "20", "default");
    assert_true(warned("too large"));
}

static void test_static_sites(void **state)
{
    (void)state;
    put("index.html", "<p>hi");
    detect_in(".", NULL);
    EXPECT(package_manager, "none", "no package.json");
    EXPECT(framework, "static", "index.html");
    EXPECT(install, "(nothing)", NULL);
    EXPECT(build, "(nothing)", NULL);
    EXPECT(output, ".", "index.html");
    assert_int_equal(detected.warnings.len, 0);
    put("package.json", "{\"dependencies\":{\"jquery\":\"3\"},\"scripts\":{\"start\":\"serve\"}}");
    detect_in(".", NULL);
    EXPECT(framework, "static", "index.html");
    EXPECT(install, "(nothing)", "nothing to build");
    put("package.json", "{\"scripts\":{\"build\":\"make\"}}");
    detect_in(".", NULL);
    EXPECT(framework, "(nothing)", NULL);
    EXPECT(build, "npm run build", NULL);
    put("site/public/index.html", "x");
    detect_in("./site/", NULL);
    EXPECT(output, "public", "public/index.html");
    put("empty/readme", "x");
    detect_in("empty", NULL);
    EXPECT(framework, "(nothing)", NULL);
    assert_true(warned("neither package.json nor index.html"));
}

static void test_hints(void **state)
{
    struct detect_hints hints = {.framework = "vite"};
    struct detection detection;
    struct error err = {.message = ""};

    (void)state;
    put("package.json", "{\"scripts\":{\"build\":\"make\"}}");
    detect_in(".", &hints);
    EXPECT(framework, "vite", "build.framework");
    EXPECT(build, "npm run build", NULL);
    EXPECT(output, "dist", "default of vite");
    hints.framework = "vlte";
    assert_int_equal(detect_project(root, ".", &hints, &detection, &err), -1);
    assert_int_equal(err.class, CLASS_SPEC_INVALID);
    assert_string_equal(err.reason, "unknown-framework");
    assert_non_null(strstr(err.hint, "docusaurus"));
    hints = (struct detect_hints){.node = "twenty"};
    assert_int_equal(detect_project(root, ".", &hints, &detection, &err), -1);
    assert_string_equal(err.reason, "bad-node-version");
}

static void refuse(const char *directory, enum error_class class, const char *reason, const char *part)
{
    struct detection detection;
    struct error err = {.message = ""};

    assert_int_equal(detect_project(root, directory, NULL, &detection, &err), -1);
    assert_int_equal(err.class, class);
    assert_string_equal(err.reason, reason);
    if (!strstr(err.message, part))
        fail_msg("\"%s\" does not say \"%s\"", err.message, part);
    assert_null(detection.node.value);
}

static void test_refuses_directories(void **state)
{
    CLEANUP_FREE char *link = xasprintf("%s/link", root);

    (void)state;
    put("file", "");
    assert_int_equal(symlink("/", link), 0);
    refuse("missing", CLASS_REF_NOT_FOUND, "directory-not-found", "no such folder");
    refuse("file", CLASS_REF_NOT_FOUND, "directory-not-found", "Not a directory");
    refuse("link", CLASS_REF_NOT_FOUND, "directory-not-found", "symbolic link");
    refuse("link/etc", CLASS_REF_NOT_FOUND, "directory-not-found", "symbolic link");
    refuse("../..", CLASS_REF_NOT_FOUND, "directory-not-found", "leads out");
    refuse("/etc", CLASS_REF_NOT_FOUND, "directory-not-found", "leads out");
}

static void test_refuses_package_json(void **state)
{
    static const char *const bad[] = {"", "[]", "{", "null", "{\"a\":1}}", "{\"a\":\"\xff\"}"};
    CLEANUP_FREE char *large = xasprintf("{\"a\":\"%*s\"}", 1 << 20, "");
    CLEANUP_FREE char *path = xasprintf("%s/package.json", root);
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        put("package.json", bad[i]);
        refuse(".", CLASS_BUILD_FAILED, "bad-package-json", "package.json");
    }
    put("package.json", large);
    refuse(".", CLASS_BUILD_FAILED, "bad-package-json", "too large");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    refuse(".", CLASS_BUILD_FAILED, "bad-package-json", "symbolic link");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse(".", CLASS_BUILD_FAILED, "bad-package-json", "not a regular file");
}

/* What npm takes, and wrong types everywhere: no crash, defaults. */
static void test_odd_package_json(void **state)
{
    static const char *const odd[] = {
        "\xEF\xBB\xBF{}",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"scripts\":[],\"dependencies\":\"vite\",\"engines\":[\"node\"],\"packageManager\":{},\"workspaces\":1}",
        "{\"scripts\":{\"build\":7},\"devDependencies\":{\"nuxt\":null,\"vite\":{}},\"engines\":{\"node\":20}}",
        "{\"scripts\":{\"build\":\"npm run build && npm run a\",\"a\":\"npm run build; npm run a\"}}",
        "{\"scripts\":{\"build\":\"vite build '\"},\"volta\":7}",
        "{\"name\":\"\\u0000\"}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(odd); i++) {
        put("package.json", odd[i]);
        detect_in(".", NULL);
        EXPECT(node_major, "20", "default");
    }
}

static void test_links_are_not_followed(void **state)
{
    CLEANUP_FREE char *config = xasprintf("%s/vite.config.js", root);
    CLEANUP_FREE char *nvmrc = xasprintf("%s/.nvmrc", root);
    CLEANUP_FREE char *secret = xasprintf("%s/secret", root);

    (void)state;
    put("package.json", "{\"dependencies\":{\"vite\":\"7\"}}");
    put("secret", "18");
    assert_int_equal(symlink(secret, config), 0);
    assert_int_equal(symlink(secret, nvmrc), 0);
    detect_in(".", NULL);
    EXPECT(node, "20", "default");
    EXPECT(output, "dist", "default of vite");
    assert_true(warned(".nvmrc is not read: it is a symbolic link"));
}

static void test_json_round_trip(void **state)
{
    struct detection copy;
    struct error err = {.message = ""};

    (void)state;
    put("package.json", "{\"dependencies\":{\"next\":\"15\"}}");
    detect_in(".", NULL);
    {
        CLEANUP_JSON json_t *json = detection_to_json(&detected);

        assert_int_equal(detection_from_json(&copy, json, &err), 0);
    }
    assert_string_equal(copy.framework.value, "next");
    assert_string_equal(copy.output.from, "default of next");
    assert_null(copy.package_manager_version.value);
    assert_int_equal(copy.warnings.len, detected.warnings.len);
    assert_string_equal(copy.warnings.items[0], detected.warnings.items[0]);
    detection_dispose(&copy);
    {
        CLEANUP_JSON json_t *json = json_pack("{s{si}si}", "node", "value", 1, "warnings", 5);

        assert_int_equal(detection_from_json(&copy, json, &err), -1);
        assert_int_equal(err.class, CLASS_INTERNAL);
    }
}

static void test_names_are_the_table(void **state)
{
    const char *const *names = detect_framework_names();
    size_t i;

    (void)state;
    for (i = 0; framework_at(i); i++)
        assert_string_equal(names[i], framework_at(i)->name);
    assert_null(names[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vite_and_npm),
        TEST(test_output_of_vite),
        TEST(test_frameworks),
        TEST(test_package_managers),
        TEST(test_two_lockfiles_warn),
        TEST(test_workspace_member),
        TEST(test_node),
        TEST(test_static_sites),
        TEST(test_hints),
        TEST(test_refuses_directories),
        TEST(test_refuses_package_json),
        TEST(test_odd_package_json),
        TEST(test_links_are_not_followed),
        TEST(test_json_round_trip),
        TEST(test_names_are_the_table),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);

    detection_dispose(&detected);
    return result;
}
