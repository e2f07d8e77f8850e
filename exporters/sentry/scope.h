/*
 * What is said about a program beside what it did: the settings that every
 * Sentry SDK has. Texts are borrowed; NULL or "" is not set.
 */
#ifndef EXPORTERS_SENTRY_SCOPE_H
#define EXPORTERS_SENTRY_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#define EXP_TAGS_MAX  32
#define EXP_TAG_BYTES 200 /* of a key or a value, with the NUL */

struct exp_tag {
    char key[EXP_TAG_BYTES], value[EXP_TAG_BYTES];
};

struct exp_scope {
    const char *release;
    const char *environment;
    const char *dist;
    const char *server_name;
    const char *in_app; /* see in_app.h */
    bool is_pii_sent;   /* names of users in paths, of machines, arguments */
    struct exp_tag tags[EXP_TAGS_MAX];
    size_t tag_count;
};

/* The environment, or what SDKs say where none is set. */
const char *exp_scope_environment(const char *environment);

#endif
