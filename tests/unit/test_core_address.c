#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/address.h"
#include "core/mem.h"

static bool lies(const char *text, bool (*where)(const struct sockaddr *address))
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return where((const struct sockaddr *)&in);
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
        fail_msg("%s is no address", text);
    return where((const struct sockaddr *)&in6);
}

/* The first and the last of each range, and their neighbours. */
static void addresses(void **state)
{
    static const char *const local[] = {"0.0.0.0",
                                        "0.255.255.255",
                                        "10.0.0.0",
                                        "10.255.255.255",
                                        "100.64.0.0",
                                        "100.127.255.255",
                                        "127.0.0.1",
                                        "127.255.255.255",
                                        "169.254.0.0",
                                        "169.254.170.2",
                                        "169.254.169.254",
                                        "172.16.0.0",
                                        "172.31.255.255",
                                        "192.0.0.8",
                                        "192.0.2.1",
                                        "192.168.0.0",
                                        "192.168.255.255",
                                        "198.18.0.0",
                                        "198.19.255.255",
                                        "198.51.100.7",
                                        "203.0.113.9",
                                        "224.0.0.1",
                                        "240.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "::127.0.0.1",
                                        "::ffff:10.1.2.3",
                                        "::ffff:169.254.170.2",
                                        "64:ff9b::a9fe:aa02",
                                        "64:ff9b:1::1",
                                        "100::1",
                                        "2001::1",
                                        "2001:db8::1",
                                        "2002:7f00:1::",
                                        "2002:a00:1::1",
                                        "fc00::1",
                                        "fd00:ec2::254",
                                        "fe80::1",
                                        "fec0::1",
                                        "ff02::1",
                                        "3fff::1",
                                        "5f00::1",
                                        "fdff:ffff:ffff::1",
                                        "febf::1"};
    static const char *const public[] = {
        "1.0.0.0",          "9.255.255.255",   "11.0.0.0",     "100.63.255.255", "100.128.0.0",     "126.255.255.255",
        "128.0.0.1",        "169.253.255.255", "169.255.0.0",  "172.15.255.255", "172.32.0.0",      "192.0.1.1",
        "192.0.3.1",        "192.167.255.255", "192.169.0.0",  "198.17.255.255", "198.20.0.0",      "223.255.255.255",
        "52.95.110.1",      "2a00:1450::1",    "2600:1f18::1", "2001:200::1",    "2001:db9::1",     "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2002:808:808::1", "fbff::1",      "4000::1",        "2606:4700::1111", "100:0:0:1::1"};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(local); i++)
        if (!lies(local[i], address_is_private) || !host_is_private(local[i]))
            fail_msg("%s is taken for a public address", local[i]);
    for (i = 0; i < ARRAY_LEN(public); i++)
        if (lies(public[i], address_is_private) || host_is_private(public[i]))
            fail_msg("%s is taken for a private address", public[i]);
    assert_true(address_is_private((const struct sockaddr *)&un));
}

static void addresses_of_this_machine(void **state)
{
    static const char *const own[] = {
        "0.0.0.0", "127.0.0.1",        "127.255.255.255", "169.254.170.2", "169.254.169.254", "::",
        "::1",     "::ffff:127.0.0.1", "fe80::1",         "fd00:ec2::254", "64:ff9b::7f00:1"};
    static const char *const others[] = {"10.0.0.1",    "172.31.0.1", "192.168.1.1", "100.64.0.1",
                                         "203.0.113.7", "8.8.8.8",    "169.253.0.1", "fd00::1",
                                         "fd00:ec3::1", "2600::1",    "224.0.0.1"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(own); i++)
        if (!lies(own[i], address_is_own))
            fail_msg("%s is not taken for this machine's", own[i]);
    for (i = 0; i < ARRAY_LEN(others); i++)
        if (lies(others[i], address_is_own))
            fail_msg("%s is taken for this machine's", others[i]);
}

static void hosts(void **state)
{
    static const char *const loopback[] = {"127.0.0.1",    "127.1",      "0x7f000001",  "2130706433",
                                           "017700000001", "127.0.0.1.", "[::1]",       "::1",
                                           "localhost",    "LocalHost.", "a.localhost", "[::ffff:127.0.0.1]"};
    static const char *const local[] = {
        "10.1", "[fe80::1%eth0]", "0", "169.254.169.254", "0xa9.0xfe.0xaa.0x02", "[fd00:ec2::254]"};
    static const char *const names[] = {
        "example.com", "notlocalhost", "localhost.example.com", "127.0.0.1.example.com", "8.8.8.8", "",
        "[]",          "1.2.3.4.5"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(loopback); i++)
        if (!host_is_loopback(loopback[i]) || !host_is_private(loopback[i]))
            fail_msg("%s is not taken for loopback", loopback[i]);
    for (i = 0; i < ARRAY_LEN(local); i++)
        if (host_is_loopback(local[i]) || !host_is_private(local[i]))
            fail_msg("%s is not taken for private", local[i]);
    for (i = 0; i < ARRAY_LEN(names); i++)
        if (host_is_loopback(names[i]) || host_is_private(names[i]))
            fail_msg("%s is taken for private", names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(addresses_of_this_machine),
                                       cmocka_unit_test(hosts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
