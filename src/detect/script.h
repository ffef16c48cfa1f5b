/*
 * What a script of package.json runs, as far as its plain text tells: the words of its commands, with the scripts that
 * it runs in turn ("npm run x", "run-s a b") put in. Nothing is executed or expanded; a word with a variable in it is
 * kept as it stands and never taken as a value.
 */
#ifndef CAISSON_DETECT_SCRIPT_H
#define CAISSON_DETECT_SCRIPT_H

#include "core/strings.h"
#include "detect/project.h"

struct script {
    struct strings words; /* "" stands between commands */
    struct strings names; /* of the scripts that were put in, the first one first */
};

/* name may be one that is not there: the script is empty then. */
void script_read(struct script *script, const struct project *project, const char *name);
/* A command of ours in place of a script. */
void script_read_text(struct script *script, const char *text);
void script_dispose(struct script *script);

/* Finds a tool's command ("vite build"; one word or two). The index past its words, or -1. */
int script_find(const struct script *script, const char *tool);
/* The value of a flag in the command that `at` (from script_find) lies in: "--outDir x", "--outDir=x", and, for a flag
 * that ends in '=' ("BUILD_PATH="), an assignment before the command. Borrowed; NULL when absent or not plain. */
const char *script_flag(const struct script *script, int at, const char *flag);
/* The first word right after the tool when it is no flag. Borrowed; NULL. */
const char *script_argument(const struct script *script, int at);

#endif
