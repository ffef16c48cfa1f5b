/*
 * Version ranges as npm's node-semver reads them, kept as a union of half-open intervals, and nvm's names for Node
 * ("lts/iron", "node", "lts" and a star). Pre-release tags are read and set aside: a builder image never carries one.
 */
#ifndef CAISSON_DETECT_RANGE_H
#define CAISSON_DETECT_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANGE_TEXT_MAX 256 /* longer texts are no ranges */
#define RANGE_INTERVALS_MAX 32

struct interval {
    uint64_t from;
    uint64_t to; /* exclusive */
};

struct range {
    struct interval intervals[RANGE_INTERVALS_MAX];
    size_t len; /* 0: nothing satisfies it */
};

/* 0, or -1 for a text that is no range. */
int range_parse(struct range *range, const char *text);
/* A full version ("v20.11.1") as a point; 0 or -1. */
int range_parse_version(uint64_t *point, const char *text);
bool range_has(const struct range *range, uint64_t point);
/* Whether some version of that major is in it. */
bool range_has_major(const struct range *range, uint32_t major);
/* The largest major version in it, or the one with which an endless part begins; -1 when it is empty. */
int64_t range_highest_major(const struct range *range);
uint32_t range_major(uint64_t point);

#endif
