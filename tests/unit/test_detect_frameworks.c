#include <unit/support/detect_bed.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "detect/detect.h"
#include "detect/frameworks.h"

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

static void test_names_are_the_table(void **state)
{
    const char *const *names = detect_framework_names();
    size_t i;

    (void)state;
    for (i = 0; framework_at(i); i++)
        assert_string_equal(names[i], framework_at(i)->name);
    assert_null(names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_output_of_vite),
        TEST(test_frameworks),
        TEST(test_names_are_the_table),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);

    detection_dispose(&detected);
    return result;
}
