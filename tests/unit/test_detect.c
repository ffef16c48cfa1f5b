#include <sys/stat.h>
#include <unistd.h>

#include <unit/support/detect_bed.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "detect/detect.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vite_and_npm),
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
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);

    detection_dispose(&detected);
    return result;
}
