/*
 * Which frames are the program's own (`in_app`), as opposed to those of the
 * system: Sentry folds the others away.
 *
 * The rule: the executable and the objects it brought along, that is those
 * that do not lie in the system's folders for libraries; what a runtime made in
 * memory; never the kernel. A list of shell patterns overrules it, separated by
 * commas, of which the last that fits decides; one that begins with '!' says
 * that what fits is not the program's own:
 *
 *     /opt/app/?*,!/opt/app/vendor/?*,libssl.so.?,!std::*
 *
 * A pattern with a '/' is compared with an object's path, any other with its
 * name and with the name of the function.
 */
#ifndef EXPORTERS_SENTRY_IN_APP_H
#define EXPORTERS_SENTRY_IN_APP_H

#include <stdbool.h>

/*
 *   patterns  NULL or "": none
 *   path      of the object; "": there is none
 *   function  its name; "" where it is not known
 *   is_own    what the rule says
 */
bool exp_in_app(
    const char *patterns, const char *path, const char *function, bool is_own);

#endif
