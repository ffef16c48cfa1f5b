/*
 * Which addresses are nobody's on the public internet: what a job's callback may not reach unasked, since the build
 * chooses its URL and the task stands within a private network.
 * https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry (RFC 6890, RFC 4193).
 */
#ifndef CAISSON_CORE_ADDRESS_H
#define CAISSON_CORE_ADDRESS_H

#include <stdbool.h>

struct sockaddr;
/* Private, loopback, link-local, shared, reserved, multicast, or an IPv6 form that holds such an IPv4 address; true of
 * all that is neither IPv4 nor IPv6. */
bool address_is_private(const struct sockaddr *address);

/* Of this machine or the link to it alone: loopback, link-local, EC2's and ECS's own services. A broker is none of these,
 * and whoever answers there may be the build. */
bool address_is_own(const struct sockaddr *address);

/* Private, of a host as URLs have it, as far as the text tells: an address in any notation that resolvers take (127.1,
 * 0x7f000001, [::1]), or a name beneath localhost. False of all other names: look at what they resolve to. */
bool host_is_private(const char *host);
bool host_is_loopback(const char *host);

#endif
