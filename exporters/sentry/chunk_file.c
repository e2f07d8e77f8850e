/* An envelope as a file. */
#include "exporters/sentry/chunk_file.h"

#include <stddef.h>

#include "exporters/sentry/chunk.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/scope.h"
#include "exporters/writer.h"

static enum status take(
    void *context, const char *payload, size_t bytes, struct diag *diag)
{
    (void)diag;
    exp_chunk_add(context, payload, bytes);
    return STATUS_OK;
}

void exp_chunk_file_write(
    const struct prof_profile *profile, const struct exp_options *options,
    struct exp_writer *writer)
{
    static const struct exp_scope nothing;
    struct exp_envelope *envelope = exp_envelope_create(NULL);
    enum status status = STATUS_NO_MEMORY;
    size_t bytes = 0;
    if (envelope != NULL)
        status = exp_chunks_of_profile(
            profile, options->scope ? options->scope : &nothing, take, envelope,
            NULL);
    const char *text =
        status == STATUS_OK ? exp_envelope_bytes(envelope, &bytes) : NULL;
    if (text != NULL)
        exp_write(writer, text, bytes);
    else
        exp_writer_fail(
            writer, status == STATUS_OK ? STATUS_NO_MEMORY : status);
    exp_envelope_destroy(envelope);
}
