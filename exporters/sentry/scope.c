/* What is said about a program beside what it did. */
#include "exporters/sentry/scope.h"

const char *exp_scope_environment(const char *environment)
{
    return environment != NULL && environment[0] != '\0' ? environment
                                                         : "production";
}
