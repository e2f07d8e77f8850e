/* The one error type and the sentence that goes with it. */
#include "profiler/base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *status_text(enum status status)
{
    static const char *const texts[] = {
#define STATUS_NAME(name, text) [STATUS_##name] = text,
        STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    };
    return (size_t)status < sizeof texts / sizeof texts[0] ? texts[status]
                                                           : "unknown status";
}

enum status fail(struct diag *diag, enum status status, const char *format, ...)
{
    int saved_errno = errno;
    if (diag == NULL)
        return status;

    diag->status = status;
    diag->sys_errno = status == STATUS_SYSTEM ? saved_errno : 0;

    va_list args;
    va_start(args, format);
    int written = vsnprintf(diag->text, sizeof diag->text, format, args);
    va_end(args);

    size_t used = written < 0 ? 0 : (size_t)written;
    if (status == STATUS_SYSTEM && used < sizeof diag->text) {
        (void)snprintf(
            diag->text + used, sizeof diag->text - used, ": %s",
            strerror(saved_errno));
    }
    errno = saved_errno;
    return status;
}
