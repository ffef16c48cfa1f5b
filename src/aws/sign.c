#include "aws/sign.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/sign_internal.h"
#include "core/mem.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

static void put_digits(char *at, int value, int digits)
{
    while (digits-- > 0) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Several times a request, where strftime would cost as much as a hash. */
void sign_date(int64_t wall_ms, char date[SIGN_DATE_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    memcpy(date, "19700101T000000Z", SIGN_DATE_SIZE);
    if (!gmtime_r(&seconds, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
        return;
    put_digits(date, 1900 + tm.tm_year, 4);
    put_digits(date + 4, tm.tm_mon + 1, 2);
    put_digits(date + 6, tm.tm_mday, 2);
    put_digits(date + 9, tm.tm_hour, 2);
    put_digits(date + 11, tm.tm_min, 2);
    put_digits(date + 13, tm.tm_sec, 2);
}

void sign_scope(const struct sign_request *request, struct buf *out)
{
    char date[SIGN_DATE_SIZE];

    sign_date(request->wall_ms, date);
    buf_addf(out, "%.8s/%s/%s/aws4_request", date, request->region, request->service);
}

static void canonical_request(const struct sign_request *request, const struct sign_header_list *headers,
                              struct buf *out)
{
    buf_adds(out, request->method);
    buf_addc(out, '\n');
    sign_canonical_path(request, out);
    buf_addc(out, '\n');
    sign_canonical_query(request->query, out);
    buf_addc(out, '\n');
    sign_canonical_headers(headers, out);
    buf_addc(out, '\n');
    sign_signed_headers(headers, out);
    buf_addc(out, '\n');
    buf_adds(out, request->payload_hash);
}

void sign_canonical_request(const struct sign_request *request, const struct credentials *credentials, struct buf *out)
{
    struct sign_header_list headers;

    sign_header_list_init(&headers, request, credentials);
    canonical_request(request, &headers, out);
    sign_header_list_dispose(&headers);
}

void sign_string_to_sign(const struct sign_request *request, const char *canonical, struct buf *out)
{
    char date[SIGN_DATE_SIZE];
    char hash[SHA256_HEX_SIZE];

    sign_date(request->wall_ms, date);
    sha256_hex(canonical, strlen(canonical), hash);
    buf_addf(out, ALGORITHM "\n%s\n", date);
    sign_scope(request, out);
    buf_addf(out, "\n%s", hash);
}

static void hmac(const void *key, size_t key_len, const char *text, size_t len, unsigned char out[SHA256_SIZE])
{
    unsigned int size = SHA256_SIZE;

    /* Fails only when libcrypto lacks SHA-256 or memory: neither can be answered with a wrong signature. */
    if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, len, out, &size))
        abort();
}

static void derive_key(const struct sign_request *request, const struct credentials *credentials,
                       unsigned char key[SHA256_SIZE])
{
    char date[SIGN_DATE_SIZE];
    char *secret = xasprintf("AWS4%s", credentials->secret_key);

    sign_date(request->wall_ms, date);
    hmac(secret, strlen(secret), date, 8, key);
    hmac(key, SHA256_SIZE, request->region, strlen(request->region), key);
    hmac(key, SHA256_SIZE, request->service, strlen(request->service), key);
    hmac(key, SHA256_SIZE, "aws4_request", 12, key);
    wipe_free(secret);
}

static void signing_key(const struct sign_request *request, const struct credentials *credentials,
                        unsigned char key[SHA256_SIZE])
{
    struct sign_cache *cache = request->cache;
    struct buf text;

    if (!cache) {
        derive_key(request, credentials, key);
        return;
    }
    buf_init(&text, SIGN_TEXT_MAX);
    sign_scope(request, &text);
    buf_addf(&text, "\n%s", credentials->secret_key);
    if (strcmp(buf_text(&text), cache->from) == 0) {
        memcpy(key, cache->key, SHA256_SIZE);
    } else {
        derive_key(request, credentials, key);
        if (text.len < sizeof cache->from) {
            memcpy(cache->from, buf_text(&text), text.len + 1);
            memcpy(cache->key, key, SHA256_SIZE);
        }
    }
    buf_wipe(&text);
}

static void signature(const struct sign_request *request, const struct credentials *credentials,
                      const struct sign_header_list *headers, char hex[SHA256_HEX_SIZE])
{
    unsigned char key[SHA256_SIZE];
    unsigned char mac[SHA256_SIZE];
    struct buf canonical, text;

    buf_init(&canonical, SIGN_TEXT_MAX);
    buf_init(&text, SIGN_TEXT_MAX);
    canonical_request(request, headers, &canonical);
    sign_string_to_sign(request, buf_text(&canonical), &text);
    signing_key(request, credentials, key);
    hmac(key, sizeof key, buf_text(&text), text.len, mac);
    sign_hex(mac, hex);
    wipe(key, sizeof key);
    buf_wipe(&canonical);
    buf_dispose(&text);
}

void sign_headers(const struct sign_request *request, const struct credentials *credentials, struct strings *out)
{
    struct sign_header_list headers;
    char hex[SHA256_HEX_SIZE];
    struct buf line;

    sign_header_list_init(&headers, request, credentials);
    signature(request, credentials, &headers, hex);
    strings_addf(out, "X-Amz-Date: %s", headers.date);
    if (credentials->session_token)
        strings_addf(out, "X-Amz-Security-Token: %s", credentials->session_token);
    if (request->content_hash_header)
        strings_addf(out, "X-Amz-Content-Sha256: %s", request->payload_hash);
    buf_init(&line, SIGN_TEXT_MAX);
    buf_addf(&line, "Authorization: " ALGORITHM " Credential=%s/", credentials->access_key);
    sign_scope(request, &line);
    buf_adds(&line, ", SignedHeaders=");
    sign_signed_headers(&headers, &line);
    buf_addf(&line, ", Signature=%s", hex);
    strings_take(out, buf_take(&line));
    sign_header_list_dispose(&headers);
}
