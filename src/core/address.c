#include "core/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/mem.h"

struct range4 {
    uint32_t address;
    unsigned bits;
};
static const struct range4 local4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* shared by carriers' NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local: credentials, metadata */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* of the IETF's protocols */
    {0xc0000200, 24}, /* documentation */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static const struct range4 own4[] = {
    {0x00000000, 8},  /* "any", which connects to loopback */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local */
};

struct range6 {
    uint8_t prefix[8];
    unsigned bits;
};
static const struct range6 local6[] = {
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, /* NAT64 of one's own */
    {{0x01}, 64},                               /* discard */
    {{0x20, 0x01}, 23},                         /* of the IETF's protocols, Teredo among them */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},             /* documentation */
    {{0x3f, 0xff}, 20},                         /* documentation */
    {{0x5f}, 16},                               /* segment routing */
    {{0xfc}, 7},                                /* private; fd00:ec2::… is EC2's metadata */
    {{0xfe, 0x80}, 9},                          /* link-local, and the old site-local */
    {{0xff}, 8},                                /* multicast */
};

static const struct range6 own6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2}, 32}, /* EC2's services */
    {{0xfe, 0x80}, 10},             /* link-local */
};

/* Which of the ranges are meant. */
struct ranges {
    const struct range4 *v4;
    const struct range6 *v6;
    size_t len4, len6;
};
static const struct ranges local = {local4, local6, ARRAY_LEN(local4), ARRAY_LEN(local6)};
static const struct ranges own = {own4, own6, ARRAY_LEN(own4), ARRAY_LEN(own6)};

static bool lies_in4(const struct ranges *ranges, uint32_t address)
{
    size_t i;

    for (i = 0; i < ranges->len4; i++)
        if ((address ^ ranges->v4[i].address) >> (32 - ranges->v4[i].bits) == 0)
            return true;
    return false;
}

static bool begins6(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8;

    return memcmp(address, prefix, whole) == 0 &&
           (bits % 8 == 0 || (address[whole] ^ prefix[whole]) >> (8 - bits % 8) == 0);
}

static uint32_t read4(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Where an IPv4 address lies within one of IPv6: mapped, compatible (:: and ::1 too), NAT64, 6to4. NULL: nowhere. */
static const uint8_t *inner4(const uint8_t *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t compatible[12] = {0};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (memcmp(address, mapped, 12) == 0 || memcmp(address, compatible, 12) == 0 || memcmp(address, nat64, 12) == 0)
        return address + 12;
    return address[0] == 0x20 && address[1] == 0x02 ? address + 2 : NULL;
}

static bool lies_in6(const struct ranges *ranges, const uint8_t *address)
{
    const uint8_t *inner = inner4(address);
    size_t i;

    if (inner)
        return lies_in4(ranges, read4(inner));
    for (i = 0; i < ranges->len6; i++)
        if (begins6(address, ranges->v6[i].prefix, ranges->v6[i].bits))
            return true;
    return false;
}

/* All that is neither IPv4 nor IPv6 does. */
static bool lies_in(const struct ranges *ranges, const struct sockaddr *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        return lies_in4(ranges, ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        memcpy(&in6, address, sizeof in6);
        return lies_in6(ranges, in6.sin6_addr.s6_addr);
    }
    return true;
}

bool address_is_private(const struct sockaddr *address)
{
    return lies_in(&local, address);
}

bool address_is_own(const struct sockaddr *address)
{
    return lies_in(&own, address);
}

/* ---- hosts ---- */

/* The address that a host is, as 16 bytes, IPv4 mapped. False: it is a name. */
static bool read_host(const char *host, uint8_t out[16])
{
    char text[INET6_ADDRSTRLEN + 16];
    struct in_addr in;
    size_t len = strlen(host);
    char *zone;

    if (len > 2 && host[0] == '[' && host[len - 1] == ']')
        snprintf(text, sizeof text, "%.*s", (int)(len - 2), host + 1);
    else
        snprintf(text, sizeof text, "%s", host);
    zone = strchr(text, '%');
    if (zone)
        *zone = '\0';
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    len = strlen(text);
    if (len > 1 && text[len - 1] == '.')
        text[len - 1] = '\0';
    if (!inet_aton(text, &in))
        return false;
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, &in.s_addr, 4);
    return true;
}

/* RFC 6761, 6.3 */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t len = strlen(host);

    if (len && host[len - 1] == '.')
        len--;
    if (len < sizeof name - 1 || strncasecmp(host + len - (sizeof name - 1), name, sizeof name - 1) != 0)
        return false;
    return len == sizeof name - 1 || host[len - sizeof name] == '.';
}

bool host_is_private(const char *host)
{
    uint8_t address[16];

    return is_localhost(host) || (read_host(host, address) && lies_in6(&local, address));
}

bool host_is_loopback(const char *host)
{
    uint8_t address[16];
    const uint8_t *inner;

    if (is_localhost(host))
        return true;
    if (!read_host(host, address))
        return false;
    inner = inner4(address);
    return inner && (inner[0] == 127 || (address[10] == 0 && address[0] == 0 && read4(inner) == 1));
}
