/* Registries, repositories of images, tags, and what else an image's keys hold. The forms are those of
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "spec/names.h"
#include "spec/paths.h"
#include "spec/problems.h"
#include "spec/spec.h"

#define REPOSITORY_MAX 255
#define TAG_MAX 128
#define WORD_MAX 64
#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" LOWER

static const char repository_forms[] = "registry.example/team/app, or oci:FOLDER";

/* ---- registries and repositories ---- */

/* One part of a name: lower-case words with ".", "_", "__" or dashes between them. */
static bool component_is_valid(const char *part, size_t len)
{
    size_t i = 0;

    while (i < len) {
        size_t word = strspn(part + i, LOWER);
        size_t gap;

        if (word == 0 || i + word > len)
            return false;
        i += word;
        if (i == len)
            return true;
        gap = strspn(part + i, "-");
        if (gap == 0)
            gap = part[i] == '.' ? 1 : part[i] == '_' ? 1 + (size_t)(part[i + 1] == '_') : 0;
        if (gap == 0)
            return false;
        i += gap;
    }
    return false;
}

static bool path_is_valid(const char *path)
{
    for (;;) {
        size_t len = strcspn(path, "/");

        if (!component_is_valid(path, len))
            return false;
        if (path[len] == '\0')
            return true;
        path += len + 1;
    }
}

/* A host, and nothing that could be the first part of a name instead. */
static bool names_registry(const char *text, size_t len)
{
    bool telling = memchr(text, '.', len) || memchr(text, ':', len) || (len == 9 && strncmp(text, "localhost", 9) == 0);

    return telling && host_is_valid(text, len);
}

static bool holds_credentials(const char *text)
{
    const char *host = strstr(text, "://") ? strstr(text, "://") + 3 : text;

    return memchr(host, '@', strcspn(host, "/")) != NULL;
}

static char *with_lower_host(const char *text, size_t host_len)
{
    char *copy = xstrdup(text);
    size_t i;

    for (i = 0; i < host_len; i++)
        copy[i] = (char)tolower((unsigned char)copy[i]);
    return copy;
}

int check_registry(const char *text, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (holds_credentials(text))
        return remark_set(remark, NULL, "the name holds credentials");
    if (!names_registry(text, strlen(text)))
        return remark_set(remark, "a host, with a port where it has one: docker.io, localhost:5000",
                          "%s is not a registry", quote(shown, text));
    remark->normal = with_lower_host(text, strlen(text));
    return 0;
}

static int check_path(const char *text, const char *path, struct remark *remark)
{
    char shown[QUOTE_SIZE];
    const char *last = strrchr(path, '/') ? strrchr(path, '/') : path;

    if (path_is_valid(path))
        return 0;
    if (strchr(path, '@'))
        return remark_set(remark, "leave what begins with @ out", "%s holds a digest", quote(shown, text));
    if (strchr(last, ':'))
        return remark_set(remark, "tags go to image.tags", "%s holds a tag", quote(shown, text));
    return remark_set(remark, "lower-case letters, digits, and ., _ or - between them", "%s is not a repository's name",
                      quote(shown, text));
}

/* "registry[/path]"; `whole`: the path has to be there. */
static int check_place(const char *text, bool whole, struct remark *remark)
{
    size_t host_len = strcspn(text, "/");
    char shown[QUOTE_SIZE];

    if (strlen(text) > REPOSITORY_MAX)
        return remark_set(remark, NULL, "longer than %d bytes", REPOSITORY_MAX);
    /* Not quoted. */
    if (holds_credentials(text))
        return remark_set(remark, "put them into image.auth or image.pull_auth", "the name holds credentials");
    if (strstr(text, "://"))
        return remark_set(remark, "leave what stands before the host out", "%s is a URL", quote(shown, text));
    if (!names_registry(text, host_len))
        return remark_set(remark, whole ? repository_forms : "registry.example or registry.example/team",
                          "%s names no registry", quote(shown, text));
    if (text[host_len] == '\0' && whole)
        return remark_set(remark, repository_forms, "%s names a registry only", quote(shown, text));
    if (text[host_len] && check_path(text, text + host_len + 1, remark))
        return -1;
    remark->normal = with_lower_host(text, host_len);
    return 0;
}

static int check_layout(const char *folder, struct remark *remark)
{
    char shown[QUOTE_SIZE];
    CLEANUP_FREE char *normal = NULL;
    struct remark of_path = {0};

    if (check_folder(folder, &of_path))
        return remark_set(remark, of_path.hint, "%s", of_path.message);
    normal = of_path.normal;
    if (*folder == '\0' || strcmp(normal, ".") == 0 || strcmp(normal, "/") == 0)
        return remark_set(remark, "oci:FOLDER", "a folder of its own is needed, not %s", quote(shown, folder));
    remark->normal = xasprintf("oci:%s", normal);
    return 0;
}

int check_image_repository(const char *text, struct remark *remark)
{
    if (strncmp(text, "oci:", 4) == 0)
        return check_layout(text + 4, remark);
    return check_place(text, true, remark);
}

int check_mirror(const char *text, struct remark *remark)
{
    return check_place(text, false, remark);
}

int check_registry_pin(const char *text, struct remark *remark)
{
    size_t len = strlen(text);
    CLEANUP_FREE char *bare = xstrndup(text, len && text[len - 1] == '/' ? len - 1 : len);

    return check_place(bare, false, remark);
}

bool image_is_folder(const char *repository)
{
    return strncmp(repository, "oci:", 4) == 0;
}

/* ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com[.cn], ACCOUNT.dkr-ecr[-fips].REGION.on.aws:
 * https://docs.aws.amazon.com/general/latest/gr/ecr.html */
bool image_is_of_ecr(const char *repository)
{
    static const char *const middles[] = {".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.", ".dkr-ecr-fips."};
    static const char *const ends[] = {".amazonaws.com", ".amazonaws.com.cn", ".on.aws",
                                       ".on.amazonwebservices.com.cn"};
    CLEANUP_FREE char *host = xstrndup(repository, strcspn(repository, "/"));
    size_t account = strspn(host, "0123456789");
    const char *region = NULL;
    size_t i;

    for (i = 0; account == 12 && i < ARRAY_LEN(middles); i++)
        if (strncmp(host + 12, middles[i], strlen(middles[i])) == 0)
            region = host + 12 + strlen(middles[i]);
    for (i = 0; region && i < ARRAY_LEN(ends); i++) {
        size_t len = strcspn(region, ".");

        if (len && strcmp(region + len, ends[i]) == 0)
            return true;
    }
    return false;
}

bool image_is_beneath(const char *repository, const char *place)
{
    size_t len = strlen(place);

    if (strncmp(repository, place, len) != 0)
        return false;
    return repository[len] == '/' || (repository[len] == '\0' && strchr(place, '/'));
}

/* ---- tags ---- */

int check_image_tag(const char *text, struct remark *remark)
{
    size_t len = strlen(text);
    char shown[QUOTE_SIZE];

    if (len > TAG_MAX)
        return remark_set(remark, "a shorter one, like ${short_commit}", "%s has more than %d characters",
                          quote(shown, text), TAG_MAX);
    if (len && *text != '.' && *text != '-' && strspn(text, LETTERS "_.-") == len)
        return 0;
    return remark_set(remark, "letters, digits, _, . and -, not . or - first", "%s is not a tag", quote(shown, text));
}

char *image_tag_part(const char *text)
{
    char *part = xstrdup(text);
    char *out = part;

    for (; text && *text; text++) {
        bool continues = ((unsigned char)*text & 0xc0) == 0x80; /* of a character of several bytes */
        bool allowed = strchr(LETTERS "_.-", *text) != NULL;

        if (allowed)
            *out = *text;
        else
            *out = out == part ? '_' : '-'; /* a tag may not begin with '-' */
        out += allowed || !continues;
    }
    if (part)
        *out = '\0';
    return part;
}

/* ---- other texts ---- */

int check_file(const char *text, struct remark *remark)
{
    if (check_folder(text, remark))
        return -1;
    if (strcmp(remark->normal, ".") == 0 || strcmp(remark->normal, "/") == 0)
        return remark_set(remark, NULL, "a file is meant, not a folder");
    return 0;
}

int check_template_name(const char *text, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (strlen(text) <= WORD_MAX && islower((unsigned char)*text) && strspn(text, LOWER "-") == strlen(text))
        return 0;
    return remark_set(remark, "node18, node20, node22 or node24", "%s is not a template", quote(shown, text));
}

int check_platform(const char *text, struct remark *remark)
{
    const char *arch = strncmp(text, "linux/", 6) == 0 ? text + 6 : "";
    size_t len = strspn(arch, LOWER);
    const char *variant = arch + len + (arch[len] == '/');
    char shown[QUOTE_SIZE];

    if (len && strlen(text) <= WORD_MAX &&
        (arch[len] == '\0' || (arch[len] == '/' && *variant && strspn(variant, LOWER) == strlen(variant))))
        return 0;
    return remark_set(remark, "linux/amd64, linux/arm64 or linux/arm/v7", "%s is not a platform", quote(shown, text));
}

int check_arg_name(const char *text, struct remark *remark)
{
    if (env_name_valid(text))
        return 0;
    return remark_set(remark, "letters, digits and _, not a digit first, at most 256", "not a name of an ARG");
}

int check_kms_key(const char *text, struct remark *remark)
{
    size_t len = strlen(text);

    if (len <= 2048 && strspn(text, LETTERS ":/_-") == len)
        return 0;
    return remark_set(remark, "a key's id, alias/NAME, or the ARN of either", "not a name of a key");
}

/* arn:aws:iam::123456789012:role/path/name:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns */
int check_role(const char *text, struct remark *remark)
{
    static const struct {
        const char *start, *letters;
        size_t least, most;
    } parts[] = {
        {"arn:aws", "abcdefghijklmnopqrstuvwxyz-", 0, 20},
        {":iam::", "0123456789", 12, 12},
        {":role/", LETTERS "_+=,.@/-", 1, 576},
    };
    const char *at = text;
    size_t i;

    for (i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t len = strlen(parts[i].start);

        if (strncmp(at, parts[i].start, len) != 0)
            break;
        at += len;
        len = strspn(at, parts[i].letters);
        if (len < parts[i].least || len > parts[i].most)
            break;
        at += len;
    }
    if (i == sizeof parts / sizeof *parts && *at == '\0')
        return 0;
    return remark_set(remark, "arn:aws:iam::123456789012:role/pull", "not the ARN of a role");
}

/* https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html#tag-restrictions */
static int check_tag_text(const char *text, size_t max, const char *what, struct remark *remark)
{
    size_t characters = 0;
    const char *c;

    for (c = text; *c; c++) {
        characters += ((unsigned char)*c & 0xc0) != 0x80;
        if (!((unsigned char)*c & 0x80) && !strchr(LETTERS " _.:/=+-@", *c))
            return remark_set(remark, "letters, digits, blanks and _ . : / = + - @", "not a %s of a tag", what);
    }
    if (characters > max)
        return remark_set(remark, NULL, "a %s of a tag has at most %zu characters", what, max);
    return 0;
}

int check_resource_tag_name(const char *text, struct remark *remark)
{
    if (*text == '\0' || strncmp(text, "aws:", 4) == 0)
        return remark_set(remark, NULL, "the key of a tag is not empty and does not begin with aws:");
    return check_tag_text(text, 128, "key", remark);
}

int check_resource_tag(const char *text, struct remark *remark)
{
    return check_tag_text(text, 256, "value", remark);
}
