/* A format that a profile can be written in. */
#include "exporters/format.h"

#include "exporters/output.h"

enum status exp_format_save(
    const struct exp_format *format, const struct prof_profile *profile,
    const struct exp_options *options, const char *path, struct diag *diag)
{
    struct exp_output *output;
    enum status status = exp_output_open(&output, path, diag);
    if (status != STATUS_OK)
        return status;
    format->write(profile, options, exp_output_writer(output));
    return exp_output_commit(output, diag);
}
