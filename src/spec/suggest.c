#include <ctype.h>
#include <string.h>

#include "spec/problems.h"

#define WORD_MAX 40

/* Keys differ in case and in how words are joined more often than by letters: fold both. */
static size_t fold(const char *text, char out[WORD_MAX])
{
    size_t len = 0;

    for (; *text && len < WORD_MAX; text++)
        if (*text != '_' && *text != '-')
            out[len++] = (char)tolower((unsigned char)*text);
    return len;
}

static int least(int a, int b, int c)
{
    int min = a < b ? a : b;

    return min < c ? min : c;
}

/* Optimal string alignment: insertions, deletions, substitutions, and neighbours swapped count 1 each. */
static int distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int rows[WORD_MAX + 1][WORD_MAX + 1];
    size_t i;
    size_t j;

    for (i = 0; i <= a_len; i++)
        rows[i][0] = (int)i;
    for (j = 0; j <= b_len; j++)
        rows[0][j] = (int)j;
    for (i = 1; i <= a_len; i++) {
        for (j = 1; j <= b_len; j++) {
            int cost = a[i - 1] != b[j - 1];

            rows[i][j] = least(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && rows[i - 2][j - 2] + 1 < rows[i][j])
                rows[i][j] = rows[i - 2][j - 2] + 1;
        }
    }
    return rows[a_len][b_len];
}

const char *suggest(const char *written, const char *const *candidates)
{
    char a[WORD_MAX];
    char b[WORD_MAX];
    size_t a_len = fold(written, a);
    const char *best = NULL;
    int best_distance = 0;

    for (; *candidates; candidates++) {
        size_t b_len = fold(*candidates, b);
        int limit = (int)(b_len <= 3 ? 1 : b_len <= 6 ? 2 : 3);
        int d = distance(a, a_len, b, b_len);

        if (d <= limit && (!best || d < best_distance)) {
            best = *candidates;
            best_distance = d;
        }
    }
    return best;
}
