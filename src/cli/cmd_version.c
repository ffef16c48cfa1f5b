#include <curl/curl.h>
#include <git2.h>
#include <openssl/crypto.h>
#include <yaml.h>
#include <zlib.h>

#include "cli/commands.h"
#include "core/json.h"

static json_t *libraries(void)
{
    json_t *list = json_object();
    char git[32];
    int major, minor, patch;

    git_libgit2_version(&major, &minor, &patch);
    snprintf(git, sizeof git, "%d.%d.%d", major, minor, patch);
    json_put_text(list, "libcurl", curl_version_info(CURLVERSION_NOW)->version);
    json_put_text(list, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    json_put_text(list, "libgit2", git);
    json_put_text(list, "jansson", jansson_version_str());
    json_put_text(list, "libyaml", yaml_get_version_string());
    json_put_text(list, "zlib", zlibVersion());
    return list;
}

static int run(const struct cli_call *call)
{
    CLEANUP_JSON json_t *list = libraries();
    const char *name;
    json_t *version;

    if (cli_flag(call, "json")) {
        CLEANUP_JSON json_t *document =
            json_pack("{s:s, s:s, s:O}", "caisson", CAISSON_VERSION, "commit", CAISSON_COMMIT, "libraries", list);

        json_dumpf(document, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
        return 0;
    }
    printf("caisson " CAISSON_VERSION "%s" CAISSON_COMMIT "\n", *CAISSON_COMMIT ? " " : "");
    json_object_foreach(list, name, version) printf("  %-10s %s\n", name, json_string_value(version));
    return 0;
}

static const struct cli_option options[] = {
    {"json", NULL, "Print JSON.", NULL},
    {0},
};

const struct cli_command cmd_version = {
    .name = "version",
    .summary = "print our version and those of the libraries within",
    .options = options,
    .run = run,
};
