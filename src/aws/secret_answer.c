#include "aws/secret_answer.h"

#include <string.h>

#include "core/json.h"
#include "core/mem.h"

static bool says(const struct json_failure *failure, const char *word)
{
    return failure && strstr(failure->message, word);
}

static bool is_code(const struct json_failure *failure, const char *const *codes)
{
    for (; failure && *codes; codes++)
        if (strcmp(failure->code, *codes) == 0)
            return true;
    return false;
}

/* The keys of KMS: both services call it with the role of who asks, and pass on what it says in words of their own. */
static bool is_about_key(const struct json_failure *failure)
{
    static const char *const codes[] = {"DecryptionFailure", "InvalidKeyId", "KMSAccessDeniedException", NULL};

    return is_code(failure, codes) || says(failure, "kms:") || says(failure, "KMS") || says(failure, "ciphertext");
}

void secret_failure(const struct json_failure *failure, const char *action, const char *arn, struct error *err)
{
    static const char *const missing[] = {"ParameterNotFound", "ParameterVersionNotFound", "ResourceNotFoundException",
                                          NULL};
    bool denied = strcmp(err->reason, "access-denied") == 0;
    bool final =
        err->class == CLASS_PLATFORM && !err->retryable && (failure || denied || strcmp(err->reason, "not-found") == 0);
    const char *reason = "secret-refused";

    if (!final)
        return;
    err->class = CLASS_SECRET_UNAVAILABLE;
    if (is_about_key(failure)) {
        reason = "secret-key-refused";
        error_hint(err, "allow kms:Decrypt on the key that encrypts it (%s), in the role's policy and in the key's",
                   arn);
    } else if (denied) {
        reason = "secret-denied";
        error_hint(err, "allow %s on %s for the task's role", action, arn);
    } else if (is_code(failure, missing) || strcmp(err->reason, "not-found") == 0) {
        reason = "secret-not-found";
        error_hint(err, "is %s the right name, region and account?", arn);
    }
    snprintf(err->reason, sizeof err->reason, "%s", reason);
}

json_t *secret_document(struct view answer, struct error *err)
{
    struct error ignored;
    json_t *document = json_parse(answer.data, answer.len, CLASS_SECRET_UNAVAILABLE, "", &ignored);

    if (json_is_object(document))
        return document;
    secret_document_free(document);
    secret_unreadable(err, "what came back is no JSON object");
    return NULL;
}

/* jansson keeps its texts in memory of its own and frees it as it is. */
static void wipe_texts(json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_string(json)) {
        wipe((char *)json_string_value(json), json_string_length(json));
    } else if (json_is_object(json)) {
        json_object_foreach(json, key, value) wipe_texts(value);
    } else if (json_is_array(json)) {
        for (i = 0; i < json_array_size(json); i++)
            wipe_texts(json_array_get(json, i));
    }
}

void secret_document_free(json_t *document)
{
    wipe_texts(document);
    json_decref(document);
}

int secret_unreadable(struct error *err, const char *format, ...)
{
    char message[400];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return error_set(err, CLASS_SECRET_UNAVAILABLE, "secret-unreadable", "%s", message);
}
