/*
 * Golden files: output compared byte for byte with tests/golden/NAME.
 *
 * With WATCHFIRE_REGOLDEN=1 in the environment they are rewritten instead; the
 * change is then reviewed as any other. tools/regolden does both.
 */
#ifndef TESTS_EXPORTERS_GOLDEN_H
#define TESTS_EXPORTERS_GOLDEN_H

#include <stddef.h>

#include "exporters/writer.h"

/* Fail the running case unless the bytes are those of the golden file. */
void check_golden(const char *name, const char *bytes, size_t count);

/* The same of what a writer in memory holds. */
void check_golden_writer(const char *name, struct exp_writer *writer);

#endif
