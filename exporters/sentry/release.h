/* The release of a profile. */
#ifndef EXPORTERS_SENTRY_RELEASE_H
#define EXPORTERS_SENTRY_RELEASE_H

#include "profiler/model/profile.h"

/*
 * What stands for a release that nobody named: the build-id of the profile's
 * main binary, or the program's name, for there must be one. Returns `text`.
 */
#define EXP_RELEASE_BYTES (2 * PROF_BUILD_ID_BYTES + 1)
const char *exp_release_of_profile(
    const struct prof_profile *profile, char text[static EXP_RELEASE_BYTES]);

#endif
