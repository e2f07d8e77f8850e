/*
 * mapped IMAGE: a program that maps watchfire's guest into itself by plain
 * mmap(), as one that does it from outside would, and starts it. Then two
 * threads burn CPU time under outer() -> middle() -> inner(); one of them was
 * there before the guest.
 *
 * Built for glibc and musl, dynamic and static: nothing here may depend on it.
 */
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/agent/guest.h"
#include "tests/programs/burn.h"

#define NOINLINE __attribute__((noinline, noclone))

enum { PAGE_BYTES = 4096, HEADERS_MAX = 16 };

static volatile uint64_t sink;
static pthread_barrier_t barrier;

NOINLINE static void inner(void)
{
    sink += burn_ns(300 * NS_PER_MS);
}

NOINLINE static void middle(void)
{
    inner();
    sink++;
}

NOINLINE static void outer(void)
{
    middle();
    sink++;
}

NOINLINE static void *run_thread(void *unused)
{
    (void)pthread_barrier_wait(&barrier);
    outer();
    sink++;
    return unused;
}

static uint64_t page(uint64_t address)
{
    return address & ~(uint64_t)(PAGE_BYTES - 1);
}

static int protection(const Elf64_Phdr *segment)
{
    return (segment->p_flags & PF_R ? PROT_READ : 0) |
           (segment->p_flags & PF_W ? PROT_WRITE : 0) |
           (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* What the file has not got is zero: the rest of the last page, and bss. */
static void map_segment(char *base, int fd, const Elf64_Phdr *segment)
{
    uint64_t start = page(segment->p_vaddr);
    uint64_t file_end = segment->p_vaddr + segment->p_filesz;
    uint64_t end = segment->p_vaddr + segment->p_memsz;
    uint64_t mapped_end = page(file_end + PAGE_BYTES - 1);
    if (mmap(
            base + start, file_end - start, protection(segment),
            MAP_PRIVATE | MAP_FIXED, fd,
            (off_t)page(segment->p_offset)) == MAP_FAILED)
        exit(3);
    if (end <= file_end)
        return;
    memset(base + file_end, 0, mapped_end - file_end);
    if (end > mapped_end &&
        mmap(
            base + mapped_end, end - mapped_end, protection(segment),
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        exit(3);
}

/* The image's entry point, where it is now. */
static int (*map_image(const char *path))(struct prof_guest_call *)
{
    Elf64_Ehdr header;
    Elf64_Phdr segments[HEADERS_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, &header, sizeof header, 0) != sizeof header ||
        header.e_phnum > HEADERS_MAX ||
        pread(
            fd, segments, header.e_phnum * sizeof *segments,
            (off_t)header.e_phoff) < (ssize_t)sizeof *segments)
        exit(3);
    uint64_t end = 0;
    for (int i = 0; i < header.e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD)
            end = segments[i].p_vaddr + segments[i].p_memsz;
    }
    char *base = mmap(
        NULL, page(end + PAGE_BYTES - 1), PROT_NONE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        exit(3);
    for (int i = 0; i < header.e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD)
            map_segment(base, fd, &segments[i]);
    }
    close(fd);
    int (*start)(struct prof_guest_call *);
    char *entry = base + header.e_entry;
    memcpy(&start, &entry, sizeof start);
    return start;
}

int main(int argc, char **argv)
{
    static struct prof_guest_call call;
    const char *session = getenv("WATCHFIRE_SESSION");
    pthread_t thread;
    if (argc != 2 || session == NULL)
        return 2;
    pthread_barrier_init(&barrier, NULL, 2);
    if (pthread_create(&thread, NULL, run_thread, NULL) != 0)
        return 3;
    strncpy(call.session, session, sizeof call.session - 1);
    if (map_image(argv[1])(&call) != 0) {
        fprintf(stderr, "the guest did not start: %s\n", call.text);
        return 4;
    }
    (void)pthread_barrier_wait(&barrier);
    outer();
    sink++;
    return pthread_join(thread, NULL) != 0;
}
