#include <brotli/decode.h>
#include <curl/curl.h>
#include <git2.h>
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <openssl/crypto.h>
#include <rabbitmq-c/amqp.h>
#include <yaml.h>
#include <zlib.h>
#include <zstd.h>

#include "cli/commands.h"
#include "core/json.h"

/* Of the programs that have it, those that are released: it takes malloc's place there. */
extern int mi_version(void) __attribute__((weak));

static void put_numbers(json_t *list, const char *name, int major, int minor, int patch)
{
    char text[40];

    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    json_put_text(list, name, text);
}

static json_t *libraries(void)
{
    json_t *list = json_object();
    int major, minor, patch;
    uint32_t brotli = BrotliDecoderVersion();

    git_libgit2_version(&major, &minor, &patch);
    json_put_text(list, "libcurl", curl_version_info(CURLVERSION_NOW)->version);
    json_put_text(list, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    put_numbers(list, "libgit2", major, minor, patch);
    json_put_text(list, "jansson", jansson_version_str());
    json_put_text(list, "libyaml", yaml_get_version_string());
    json_put_text(list, "zlib", zlibVersion());
    put_numbers(list, "brotli", (int)(brotli >> 24), (int)(brotli >> 12 & 0xfff), (int)(brotli & 0xfff));
    json_put_text(list, "zstd", ZSTD_versionString());
    /* These two have no function for it among what is linked. */
    put_numbers(list, "hiredis", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    put_numbers(list, "rabbitmq-c", AMQP_VERSION_MAJOR, AMQP_VERSION_MINOR, AMQP_VERSION_PATCH);
    json_put_text(list, "librdkafka", rd_kafka_version_str());
    if (mi_version)
        put_numbers(list, "mimalloc", mi_version() / 10000, mi_version() / 100 % 100, mi_version() % 100);
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
