/*
 * Names that a job's env, its secrets and its value sources may not use: those that hold the platform's credentials or
 * are what we go by, those of the loader and of our libraries, and those that we set ourselves for each command.
 *
 * None of them would reach a process of ours through `env`: workers start with an empty environment. What steers only
 * the build's own tools (GIT_*, npm_config_*, NODE_OPTIONS, PYTHONPATH, ENV) is therefore the build's affair and free;
 * a heap limit in NODE_OPTIONS defeats nothing, because limits.memory is watched from outside.
 */
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/protection.h"
#include "spec/names.h"
#include "spec/spec.h"

#define NAME_MAX_BYTES 256
#define VALUE_MAX_BYTES ((size_t)100 << 10) /* the kernel takes 128 KiB with the name (MAX_ARG_STRLEN) */

static const char *const reserved_prefixes[] = {
    "AWS_", "CAISSON_", "ECS_", "LD_", "DYLD_", "OPENSSL_", "MIMALLOC_", "BASH_FUNC_", "SSL_CERT_", "CURL_",
};

static const char *const reserved_names[] = {
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "OLDPWD",
    "TMPDIR",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "IFS",
    "NETRC",
    "GCONV_PATH",
    "LOCPATH",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "RESOLV_HOST_CONF",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
    "SSLKEYLOGFILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "XDG_CONFIG_HOME",
};

/* Programs read these in either case. */
static const char *const proxy_names[] = {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"};

bool env_name_reserved(const char *name)
{
    size_t i;

    if (!PROTECTED(RESERVED_NAMES))
        return false;
    for (i = 0; i < ARRAY_LEN(reserved_prefixes); i++)
        if (strncmp(name, reserved_prefixes[i], strlen(reserved_prefixes[i])) == 0)
            return true;
    for (i = 0; i < ARRAY_LEN(reserved_names); i++)
        if (strcmp(name, reserved_names[i]) == 0)
            return true;
    for (i = 0; i < ARRAY_LEN(proxy_names); i++)
        if (strcasecmp(name, proxy_names[i]) == 0)
            return true;
    return false;
}

void env_reserved_list(struct buf *out)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(reserved_prefixes); i++)
        buf_addf(out, "%s`%s*`", i ? ", " : "", reserved_prefixes[i]);
    for (i = 0; i < ARRAY_LEN(reserved_names); i++)
        buf_addf(out, ", `%s`", reserved_names[i]);
    for (i = 0; i < ARRAY_LEN(proxy_names); i++)
        buf_addf(out, ", `%s`", proxy_names[i]);
}

bool env_name_valid(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_BYTES || (*name >= '0' && *name <= '9'))
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

int check_env_name(const char *name, struct remark *remark)
{
    if (!env_name_valid(name))
        return remark_set(remark, "letters, digits and _, not a digit first, at most 256",
                          "not a name of an environment variable");
    if (env_name_reserved(name))
        return remark_set(remark, NULL, "%s is reserved: it belongs to the platform or to caisson itself", name);
    return 0;
}

int check_env_value(const char *text, struct remark *remark)
{
    if (strlen(text) > VALUE_MAX_BYTES)
        return remark_set(remark, NULL, "the value is longer than 100 KiB");
    return 0;
}
