#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "oci/layout_internal.h"

#define READ_SIZE ((size_t)256 << 10)

void oci_digest_text(const unsigned char hash[32], char digest[OCI_DIGEST_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *at = digest + 7;
    size_t i;

    memcpy(digest, "sha256:", 7);
    for (i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        *at++ = digits[hash[i] >> 4];
        *at++ = digits[hash[i] & 15];
    }
    *at = '\0';
}

void oci_digest(const void *data, size_t len, char digest[OCI_DIGEST_SIZE])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256(data ? data : "", len, hash);
    oci_digest_text(hash, digest);
}

/* One byte more is asked for than there should be: a file that grew has another size. */
static int hash_file(EVP_MD_CTX *hash, char *buffer, int fd, int64_t size, bool (*stopped)(void *context),
                     void *context)
{
    int64_t at = 0;

    for (;;) {
        ssize_t got = pread(fd, buffer, READ_SIZE, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return at != size;
        at += got;
        if (at > size)
            return 1;
        if (stopped && stopped(context))
            return -ECANCELED;
        EVP_DigestUpdate(hash, buffer, (size_t)got);
    }
}

int oci_digest_file(int fd, int64_t size, bool (*stopped)(void *context), void *context, char digest[OCI_DIGEST_SIZE])
{
    unsigned char result[SHA256_DIGEST_LENGTH];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    char *buffer = xmalloc(READ_SIZE);
    int status;

    if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
        abort();
    status = hash_file(hash, buffer, fd, size, stopped, context);
    if (!status && EVP_DigestFinal_ex(hash, result, NULL))
        oci_digest_text(result, digest);
    free(buffer);
    EVP_MD_CTX_free(hash);
    return status;
}
