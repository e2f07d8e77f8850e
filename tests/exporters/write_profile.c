/*
 * Write one of the tests' profiles: write_profile NAME[:COUNT] FILE
 * For what looks at the result from outside: a browser, an XML parser.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/formats.h"
#include "tests/exporters/profiles.h"

static struct prof_profile *profile_named(const char *name)
{
    static const struct {
        const char *name;
        struct prof_profile *(*make)(void);
    } simple[] = {
        {"story", profile_story},      {"two", profile_two_processes},
        {"ugly", profile_ugly_names},  {"empty", profile_empty},
        {"huge", profile_huge_counts}, {"names", profile_long_names},
    };
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        if (strcmp(name, simple[i].name) == 0)
            return simple[i].make();
    }
    if (strncmp(name, "deep:", 5) == 0)
        return profile_deep((uint32_t)strtoul(name + 5, NULL, 10));
    if (strncmp(name, "large:", 6) == 0)
        return profile_large((uint32_t)strtoul(name + 6, NULL, 10));
    return NULL;
}

int main(int argc, char **argv)
{
    struct prof_profile *profile = argc == 3 ? profile_named(argv[1]) : NULL;
    if (profile == NULL) {
        (void)fprintf(stderr, "usage: write_profile NAME[:COUNT] FILE\n");
        return 2;
    }
    struct diag diag = {0};
    const struct exp_format *format;
    struct exp_options options = {0};
    enum status status = exp_format_by_path(&format, argv[2], &diag);
    if (status == STATUS_OK)
        status = exp_format_save(format, profile, &options, argv[2], &diag);
    if (status != STATUS_OK)
        (void)fprintf(stderr, "%s\n", diag.text);
    prof_profile_destroy(profile);
    return status != STATUS_OK;
}
