/* --short-names: names without what makes those of templates long. */
#ifndef TOOLS_SHORT_NAMES_H
#define TOOLS_SHORT_NAMES_H

#include "profiler/model/profile.h"

/*
 * Leave the arguments of templates out of the names of functions that came
 * from files; names that a runtime gave stay, for there angle brackets are
 * something else. Call after symbolize_profile(). Running out of memory is the
 * profile's status.
 */
void shorten_names(struct prof_profile *profile);

#endif
