/* What Redis refuses, in words that say what to do. */
#include <string.h>

#include "bus/redis_internal.h"
#include "bus/request.h"

static bool begins(const redisReply *reply, const char *word)
{
    return strncmp(reply->str, word, strlen(word)) == 0;
}

static bool begins_one(const redisReply *reply, const char *const *words)
{
    for (; *words; words++)
        if (begins(reply, *words))
            return true;
    return false;
}

void redis_explain(const char *host, int port, const redisReply *reply, struct error *err)
{
    static const char *const denied[] = {"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password", NULL};
    static const char *const busy[] = {"OOM",      "LOADING", "BUSY",       "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN",
                                       "READONLY", "MISCONF", "NOREPLICAS", "UNKILLABLE", NULL};
    char quote[304];

    bus_quote(reply->str, reply->len, quote);
    if (begins_one(reply, denied)) {
        error_set(err, CLASS_CREDENTIALS, "broker-denied", "redis %s:%d: %s", host, port, quote);
        error_hint(err, "check user name and password, and that its ACL allows the command, the channel and the key");
    } else if (begins_one(reply, busy)) {
        error_set(err, CLASS_PLATFORM, "broker-busy", "redis %s:%d: %s", host, port, quote);
        error_retryable(err, 0);
    } else {
        error_set(err, CLASS_PLATFORM, "broker-refused", "redis %s:%d: %s", host, port, quote);
        if (begins(reply, "MOVED"))
            error_hint(err, "the stream lies on another node of this cluster: name that one");
    }
}
