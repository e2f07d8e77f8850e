/*
 * Names of users in what is sent: paths below the folders of homes have them,
 * of sources and of programs, also where a message quotes one.
 */
#ifndef EXPORTERS_SENTRY_USER_NAMES_H
#define EXPORTERS_SENTRY_USER_NAMES_H

#include <stddef.h>

/*
 * Put "~" in the place of each, in text that ends in a NUL: "/home/~/src/a.c".
 * The text gets no longer; in JSON it stays that.
 *
 *   returns  its length
 */
size_t exp_user_names_hide(char *text);

#endif
