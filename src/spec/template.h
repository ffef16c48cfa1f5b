/* ${project}, ${id}, ${ref}, ${commit}, ${short_commit} in the fields that the table names; $${ is a plain ${. */
#ifndef CAISSON_SPEC_TEMPLATE_H
#define CAISSON_SPEC_TEMPLATE_H

#include "spec/names.h"

struct template_values {
    const char *project, *id, *ref, *commit; /* borrowed; NULL: not known */
};

/* 0 and *used the VARIABLE_* bits of what stands in the text, or −1 and why. */
int template_check(const char *text, unsigned allowed, unsigned *used, struct remark *remark);
/* For a text that template_check accepted. `which` says which variables; with less than VARIABLES_ALL what comes out is
 * a template still ($${ stays). Variables that are not known become empty. Caller frees. */
char *template_expand(const char *text, const struct template_values *values, unsigned which);
/* The VARIABLE_* bits of what is known. */
unsigned template_known(const struct template_values *values);
/* The name of the n-th variable, from 0; NULL past the last. Its bit is 1 << n. */
const char *template_variable(unsigned n);

#endif
