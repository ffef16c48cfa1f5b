#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <unistd.h>

#include "aws/sign_internal.h"
#include "core/mem.h"

#define READ_SIZE ((size_t)256 << 10)

void sign_hex(const unsigned char digest[SHA256_SIZE], char hex[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < SHA256_SIZE; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * SHA256_SIZE] = '\0';
}

void sha256_hex(const void *data, size_t len, char hex[SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_SIZE];

    SHA256(data ? data : "", len, digest);
    sign_hex(digest, hex);
}

static int hash_file(EVP_MD_CTX *hash, char *buffer, int fd, int64_t offset, int64_t length,
                     bool (*stopped)(void *context), void *context)
{
    while (length > 0) {
        ssize_t n = pread(fd, buffer, length < (int64_t)READ_SIZE ? (size_t)length : READ_SIZE, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0) {
            errno = 0;
            return -1;
        }
        if (stopped && stopped(context)) {
            errno = ECANCELED;
            return -1;
        }
        EVP_DigestUpdate(hash, buffer, (size_t)n);
        offset += n;
        length -= n;
    }
    return 0;
}

int sha256_hex_file(int fd, int64_t offset, int64_t length, char hex[SHA256_HEX_SIZE])
{
    return sha256_hex_file_unless(fd, offset, length, NULL, NULL, hex);
}

int sha256_hex_file_unless(int fd, int64_t offset, int64_t length, bool (*stopped)(void *context), void *context,
                           char hex[SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_SIZE];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    char *buffer = xmalloc(READ_SIZE);
    int result = -1;

    if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
        abort();
    if (hash_file(hash, buffer, fd, offset, length, stopped, context) == 0 && EVP_DigestFinal_ex(hash, digest, NULL)) {
        sign_hex(digest, hex);
        result = 0;
    }
    free(buffer);
    EVP_MD_CTX_free(hash);
    return result;
}
