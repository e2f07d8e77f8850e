/* What a guest leaves behind; see the header. */
#include "profiler/attach/leftover.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "profiler/base/proc.h"

enum { PAGE_BYTES = 4096, LINE_BYTES = 512, PATH_BYTES = 96 };

static bool is_guest(uint32_t pid, uint32_t tid)
{
    char text[LINE_BYTES] = "";
    (void)snprintf(
        text, sizeof text, "/proc/%" PRIu32 "/task/%" PRIu32 "/comm", pid, tid);
    FILE *file = fopen(text, "re");
    if (file == NULL)
        return false;
    bool is_ours = fgets(text, sizeof text, file) != NULL &&
                   strcmp(text, "watchfire\n") == 0;
    (void)fclose(file);
    return is_ours;
}

static bool has_other_guest(uint32_t pid, uint32_t tid)
{
    struct proc_tasks tasks;
    uint32_t other;
    bool is_found = false;
    if (!proc_tasks_open(&tasks, pid))
        return true;
    while (!is_found && proc_tasks_next(&tasks, &other))
        is_found = other != tid && is_guest(pid, other);
    proc_tasks_close(&tasks);
    return is_found;
}

/* Whether it is a page of our code, byte for byte. */
static bool is_ours(
    const struct prof_guest_image *image, uint32_t pid, uint64_t page)
{
    uint8_t bytes[PAGE_BYTES];
    struct iovec here = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct iovec there = {
        .iov_base = (void *)(uintptr_t)page, .iov_len = sizeof bytes};
    if (process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) != PAGE_BYTES)
        return false;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const Elf64_Phdr *segment = &image->segments[i];
        for (uint64_t at = 0; (segment->p_flags & PF_X) != 0 &&
                              at + PAGE_BYTES <= segment->p_filesz;
             at += PAGE_BYTES) {
            const uint8_t *code = image->bytes + segment->p_offset + at;
            if (memcmp(bytes, code, sizeof bytes) == 0)
                return true;
        }
    }
    return false;
}

/* Two of them side by side are one mapping; much code is somebody else's. */
static uint32_t find_pages(
    const struct prof_guest_image *image, uint32_t pid, uint64_t start,
    uint64_t end, uint64_t *pages, uint32_t capacity)
{
    uint32_t count = 0;
    if (end - start > (uint64_t)capacity * PAGE_BYTES)
        return 0;
    for (; start < end; start += PAGE_BYTES) {
        if (is_ours(image, pid, start))
            pages[count++] = start;
    }
    return count;
}

uint32_t prof_leftover_find(
    const struct prof_guest_image *image, uint32_t pid, uint32_t tid,
    uint64_t *pages, uint32_t capacity)
{
    char line[LINE_BYTES];
    uint32_t count = 0;
    if (has_other_guest(pid, tid))
        return 0;
    (void)snprintf(line, sizeof line, "/proc/%" PRIu32 "/maps", pid);
    FILE *file = fopen(line, "re");
    while (file != NULL && count < capacity &&
           fgets(line, sizeof line, file) != NULL) {
        uint64_t start, end, inode;
        char access[8];
        if (sscanf(
                line, "%" SCNx64 "-%" SCNx64 " %7s %*x %*s %" SCNu64, &start,
                &end, access, &inode) == 4 &&
            strcmp(access, "r-xp") == 0 && inode == 0)
            count += find_pages(
                image, pid, start, end, pages + count, capacity - count);
    }
    if (file != NULL)
        (void)fclose(file);
    return count;
}
