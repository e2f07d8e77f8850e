/* What stands for a release that nobody named. */
#include "exporters/sentry/release.h"

#include <stdio.h>

#include "exporters/text.h"

/* "" when there is none. */
static const char *build_id_of_path(
    const struct prof_profile *profile, uint32_t path,
    char text[static EXP_RELEASE_BYTES])
{
    text[0] = '\0';
    for (uint32_t i = 0; i < prof_profile_module_count(profile); i++) {
        const struct prof_module *module = prof_profile_module(profile, i);
        if (module->kind != PROF_MODULE_FILE || module->path != path)
            continue;
        for (size_t at = 0; at < module->build_id_bytes; at++)
            (void)snprintf(
                text + 2 * at, EXP_RELEASE_BYTES - 2 * at, "%02x",
                module->build_id[at]);
        break;
    }
    return text;
}

const char *exp_release_of_profile(
    const struct prof_profile *profile, char text[static EXP_RELEASE_BYTES])
{
    const struct prof_process *first = prof_profile_process_count(profile) > 0
                                           ? prof_profile_process(profile, 0)
                                           : NULL;
    if (first != NULL && *build_id_of_path(profile, first->path, text) != '\0')
        return text;
    const char *name = "";
    if (first != NULL)
        name = exp_text_base_name(prof_profile_text(profile, first->path));
    if (first != NULL && *name == '\0')
        name = prof_profile_text(profile, first->name);
    (void)snprintf(
        text, EXP_RELEASE_BYTES, "%s", *name != '\0' ? name : "unknown");
    return text;
}
