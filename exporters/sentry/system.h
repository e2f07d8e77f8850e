/* The system a crash happened on, as the contexts `os` and `device` say it. */
#ifndef EXPORTERS_SENTRY_SYSTEM_H
#define EXPORTERS_SENTRY_SYSTEM_H

#include <stdint.h>

#define EXP_SYSTEM_TEXT_BYTES 256

/* Texts are "" and numbers 0 where something is not known. */
struct exp_system {
    char kernel[EXP_SYSTEM_TEXT_BYTES]; /* release: "6.1.0-13-amd64" */
    char
        version[EXP_SYSTEM_TEXT_BYTES]; /* the kernel's own word of its build */
    char machine[EXP_SYSTEM_TEXT_BYTES];              /* "x86_64" */
    char distribution[EXP_SYSTEM_TEXT_BYTES];         /* "debian" */
    char distribution_version[EXP_SYSTEM_TEXT_BYTES]; /* "12" */
    char distribution_title[EXP_SYSTEM_TEXT_BYTES];
    char processor[EXP_SYSTEM_TEXT_BYTES];
    uint32_t processor_count;
    uint64_t memory_bytes, free_bytes;
    uint64_t boot_unix_s;
};

/* What we run on; no names of machines or people. */
void exp_system_read(struct exp_system *system);

struct exp_json;

/* The members `os` and `device` of an event's contexts. */
void exp_system_write(const struct exp_system *system, struct exp_json *json);

#endif
