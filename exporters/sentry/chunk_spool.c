/* Chunks into a spool. */
#include "exporters/sentry/chunk_spool.h"

#include "exporters/sentry/envelope.h"
#include "exporters/sentry/spool.h"

enum status exp_chunk_spool(
    void *context, const char *payload, size_t bytes, struct diag *diag)
{
    struct exp_envelope *envelope = exp_envelope_create(NULL);
    if (envelope == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    exp_chunk_add(envelope, payload, bytes);
    enum status status = exp_spool_add(context, envelope, diag);
    exp_envelope_destroy(envelope);
    return status;
}
