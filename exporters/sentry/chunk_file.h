/*
 * An envelope as a file: all chunks of a profile, to be sent by any tool that
 * sends envelopes. The settings are those of the options' scope.
 */
#ifndef EXPORTERS_SENTRY_CHUNK_FILE_H
#define EXPORTERS_SENTRY_CHUNK_FILE_H

#include "exporters/format.h"

exp_format_write exp_chunk_file_write;

#endif
