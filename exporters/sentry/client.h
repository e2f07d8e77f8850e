/* How watchfire calls itself towards a Sentry backend. */
#ifndef EXPORTERS_SENTRY_CLIENT_H
#define EXPORTERS_SENTRY_CLIENT_H

#define EXP_CLIENT_NAME    "watchfire"
/* Comes from the build. */
#define EXP_CLIENT_VERSION WATCHFIRE_VERSION

#endif
