/*
 * What a process that crashed has to say.
 *
 * glibc leaves the text of assert(), of its own checks (malloc, stack smashing)
 * and of what else ends in abort() where __abort_msg points to: a size of 32
 * bits, then the text.
 *
 * libstdc++ has a list of caught exceptions for each thread; one that nobody
 * catches is put there before std::terminate() is called. The layouts are those
 * of the Itanium C++ ABI (2.2 exceptions, 2.9.4 run-time type information) and
 * of gcc's unwind-cxx.h:
 *
 *     __cxa_eh_globals    caughtExceptions, uncaughtExceptions
 *     __cxa_exception     exceptionType, ..., unwindHeader; then the object
 *     std::type_info      vtable, name; for a class with one base, that
 *
 * std::runtime_error and std::logic_error, and what is derived from them, keep
 * the text of what() behind their vtable. Where what() is another function, it
 * is looked at: prof_crash_simple_result().
 */
#include "profiler/collector/crash_words.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collector/maps.h"

enum {
    WORD = 8,
    CAUGHT_CLASS = 80,  /* of __cxa_exception: unwindHeader.exception_class */
    CAUGHT_BYTES = 112, /* and all of it */
    NAME = 8,
    BASE = 16,
    WHAT_SLOT = 2 * WORD, /* behind the destructors */
    BASES_MAX = 16,
};

static const uint64_t class_of_gcc = UINT64_C(0x474e5543432b2b00);

/* Errors read as 0, which is a pointer to nothing. */
static uint64_t load(struct prof_reader *memory, uint64_t address)
{
    uint64_t word;
    return address != 0 && prof_reader_load(memory, address, &word) ? word : 0;
}

/* Text up to a NUL, or as much as there is room for. */
static void read_text(
    struct prof_reader *memory, uint64_t address, char *text, size_t bytes)
{
    size_t used = 0;
    while (address != 0 && used + 1 < bytes) {
        /* Words, and never one that reaches into the next page too early. */
        uint64_t word, start = address & ~UINT64_C(7);
        if (!prof_reader_load(memory, start, &word))
            break;
        for (; address < start + WORD && used + 1 < bytes; address++) {
            char byte = (char)(word >> 8 * (address - start));
            if (byte == '\0') {
                text[used] = '\0';
                return;
            }
            text[used++] = byte;
        }
    }
    text[used] = '\0';
}

static void read_message(
    struct prof_crash *crash, struct prof_reader *memory, uint64_t pointer_pc)
{
    enum { SIZE_BYTES = 4 };
    uint64_t at = load(memory, pointer_pc);
    if (at == 0)
        return;
    read_text(memory, at + SIZE_BYTES, crash->message, sizeof crash->message);
    size_t length = strlen(crash->message);
    while (length > 0 && crash->message[length - 1] == '\n')
        crash->message[--length] = '\0';
}

/* ---- exceptions ---- */

/* The mangled name of a type; "" when it is none. */
static void read_type(
    struct prof_reader *memory, uint64_t type, char *name, size_t bytes)
{
    uint64_t at = load(memory, type + NAME);
    name[0] = '\0';
    if (type == 0 || at == 0)
        return;
    read_text(memory, at, name, bytes);
    if (name[0] == '*') /* is to be compared by its address alone */
        memmove(name, name + 1, strlen(name));
}

static uint64_t base_of(struct prof_reader *memory, uint64_t type)
{
    char kind[64];
    uint64_t kinds_type = load(memory, load(memory, type) - WORD);
    read_type(memory, kinds_type, kind, sizeof kind);
    return strcmp(kind, "N10__cxxabiv120__si_class_type_infoE") == 0
               ? load(memory, type + BASE)
               : 0;
}

/* The ancestor that keeps a text; 0: none does. */
static uint64_t find_keeper(struct prof_reader *memory, uint64_t type)
{
    char name[64];
    for (int i = 0; i < BASES_MAX && type != 0; i++) {
        read_type(memory, type, name, sizeof name);
        if (strcmp(name, "St13runtime_error") == 0 ||
            strcmp(name, "St11logic_error") == 0)
            return type;
        type = base_of(memory, type);
    }
    return 0;
}

/* Whether two addresses are of one file: then its own what() is called. */
static bool is_same_file(uint32_t pid, uint64_t first, uint64_t second)
{
    uint64_t inodes[2] = {0, 0};
    char *maps = prof_maps_read(pid), *rest = maps;
    for (char *text; (text = strsep(&rest, "\n")) != NULL;) {
        struct prof_maps_line line;
        if (!prof_maps_parse(text, &line))
            continue;
        if (first - line.start < line.end - line.start)
            inodes[0] = line.inode;
        if (second - line.start < line.end - line.start)
            inodes[1] = line.inode;
    }
    free(maps);
    return inodes[0] != 0 && inodes[0] == inodes[1];
}

static void read_what(
    struct prof_crash *crash, struct prof_reader *memory, uint32_t pid,
    uint64_t type, uint64_t object)
{
    uint64_t keeper = find_keeper(memory, type);
    uint64_t what = load(memory, load(memory, object) + WHAT_SLOT);
    uint64_t text = keeper != 0 && is_same_file(pid, what, keeper)
                        ? load(memory, object + WORD)
                        : prof_crash_simple_result(memory, what, object);
    read_text(
        memory, text, crash->exception_what, sizeof crash->exception_what);
}

/* Whether it has std::exception among its ancestors, by single inheritance. */
static bool is_standard(struct prof_reader *memory, uint64_t type)
{
    char name[64];
    for (int i = 0; i < BASES_MAX && type != 0; i++) {
        read_type(memory, type, name, sizeof name);
        if (strcmp(name, "St9exception") == 0)
            return true;
        type = base_of(memory, type);
    }
    return false;
}

static void read_exception(
    struct prof_crash *crash, struct prof_reader *memory, uint32_t pid,
    uint64_t globals)
{
    uint64_t caught = load(memory, globals);
    uint64_t class = load(memory, caught + CAUGHT_CLASS);
    if (caught == 0 || (class & ~UINT64_C(0xff)) != class_of_gcc)
        return;
    /* One that was thrown again from an exception_ptr only refers to it. */
    uint64_t object =
        class == class_of_gcc ? caught + CAUGHT_BYTES : load(memory, caught);
    uint64_t type = load(memory, object - CAUGHT_BYTES);
    read_type(
        memory, type, crash->exception_type, sizeof crash->exception_type);
    if (is_standard(memory, type))
        read_what(crash, memory, pid, type, object);
}

void prof_crash_read_words(
    struct prof_crash *crash, uint32_t pid, const struct wire_crashes *places,
    const struct wire_crash *wire)
{
    struct prof_process_reader memory;
    if (wire->signal != SIGABRT)
        return;
    prof_process_reader_init(&memory, (pid_t)pid);
    read_message(crash, &memory.reader, places->abort_message_pc);
    if (places->exceptions_offset != 0)
        read_exception(
            crash, &memory.reader, pid,
            wire->thread_pointer + (uint64_t)places->exceptions_offset);
}
