/* Another process's modules from its maps; see the header. */
#include "tests/profiler/unwind/remote.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "profiler/unwind/image.h"
#include "profiler/unwind/modules.h"

enum { OBJECTS_MAX = 128 };

struct object {
    char path[512];
    int fd;
    void *bytes; /* of the vDSO */
    struct prof_image *image;
};

struct remote {
    pid_t pid;
    struct object objects[OBJECTS_MAX];
    unsigned object_count;
    struct prof_text texts[OBJECTS_MAX];
    const char *names[OBJECTS_MAX]; /* of the texts */
    uint32_t text_count;
    struct prof_modules modules, plain_modules;
    struct prof_row_cache cache;
    struct prof_trail trail;
    struct prof_process_reader reader;
};

struct map {
    uint64_t start, end, offset;
    char path[512];
};

static bool read_remote(
    const struct remote *remote, uint64_t address, void *bytes, size_t size)
{
    struct iovec local = {bytes, size};
    struct iovec other = {(void *)(uintptr_t)address, size};
    return process_vm_readv(remote->pid, &local, 1, &other, 1, 0) ==
           (ssize_t)size;
}

bool remote_load(const struct remote *remote, uint64_t address, uint64_t *word)
{
    return read_remote(remote, address, word, sizeof *word);
}

static struct object *find_object(struct remote *remote, const char *path)
{
    for (unsigned i = 0; i < remote->object_count; i++)
        if (strcmp(remote->objects[i].path, path) == 0)
            return &remote->objects[i];
    return NULL;
}

static enum status open_image(
    const struct remote *remote, const struct map *map, struct object *object,
    struct diag *diag)
{
    if (strcmp(map->path, "[vdso]") != 0) {
        object->fd = open(map->path, O_RDONLY | O_CLOEXEC);
        return prof_image_open(object->fd, map->path, &object->image, diag);
    }
    size_t size = map->end - map->start;
    object->bytes = malloc(size);
    if (object->bytes == NULL ||
        !read_remote(remote, map->start, object->bytes, size))
        return STATUS_SYSTEM;
    return prof_image_open_memory(
        object->bytes, size, map->path, &object->image, diag);
}

static struct object *add_object(struct remote *remote, const struct map *map)
{
    struct diag diag;
    if (remote->object_count == OBJECTS_MAX)
        return NULL;
    struct object *object = &remote->objects[remote->object_count++];
    *object = (struct object){.fd = -1};
    memcpy(object->path, map->path, sizeof object->path);
    if (open_image(remote, map, object, &diag) == STATUS_OK)
        (void)!prof_image_build_rows(object->image, &diag);
    return object;
}

/* Where no image can be read, code is code all the same. */
static uint32_t add_texts(
    struct remote *remote, const struct map *map, uint32_t count)
{
    struct object *object = find_object(remote, map->path);
    if (object == NULL && (map->path[0] == '/' || map->path[0] == '['))
        object = add_object(remote, map);
    uint64_t bias;
    uint32_t room = OBJECTS_MAX - count;
    if (object != NULL && object->image != NULL &&
        prof_image_bias(object->image, map->start, map->offset, &bias))
        return prof_image_texts(
            object->image, bias, remote->texts + count, room);
    remote->texts[count] =
        (struct prof_text){.start = map->start, .end = map->end};
    return 1;
}

static bool parse(const char *line, struct map *map)
{
    char flags[5];
    map->path[0] = '\0';
    return sscanf(
               line,
               "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %511[^\n]",
               &map->start, &map->end, flags, &map->offset, map->path) >= 4 &&
           flags[2] == 'x';
}

static void publish(
    struct prof_modules *modules, const struct prof_text *texts, uint32_t count,
    struct prof_row_cache *cache)
{
    if (!prof_modules_publish(modules, texts, count, cache) ||
        !prof_modules_settle(modules, cache))
        abort(); /* nobody else is inside */
}

void remote_refresh(struct remote *remote)
{
    char path[64], line[1024];
    uint32_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)remote->pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL)
        return;
    struct map map;
    while (fgets(line, sizeof line, maps) != NULL && count < OBJECTS_MAX) {
        if (!parse(line, &map))
            continue;
        uint32_t first = count;
        count += add_texts(remote, &map, count);
        const struct object *object = find_object(remote, map.path);
        for (uint32_t i = first; i < count; i++)
            remote->names[i] = object != NULL ? object->path : "";
    }
    remote->text_count = count;
    (void)fclose(maps);
    publish(&remote->modules, remote->texts, count, &remote->cache);
    for (uint32_t i = 0; i < count; i++)
        remote->texts[i].rows = NULL;
    publish(&remote->plain_modules, remote->texts, count, NULL);
}

void remote_describe(
    const struct remote *remote, uint64_t pc, char *text, size_t size)
{
    (void)snprintf(text, size, "%" PRIx64, pc);
    for (uint32_t i = 0; i < remote->text_count; i++) {
        const struct prof_text *its = &remote->texts[i];
        const char *slash = strrchr(remote->names[i], '/');
        if (pc >= its->start && pc < its->end)
            (void)snprintf(
                text, size, "%s+%" PRIx64,
                slash != NULL ? slash + 1 : remote->names[i], pc - its->bias);
    }
}

struct remote *remote_open(pid_t pid)
{
    struct remote *remote = aligned_alloc(64, sizeof(struct remote));
    if (remote == NULL)
        abort();
    memset(remote, 0, sizeof *remote);
    remote->pid = pid;
    remote->modules.is_settled = remote->plain_modules.is_settled = true;
    remote_refresh(remote);
    return remote;
}

void remote_close(struct remote *remote)
{
    for (unsigned i = 0; i < remote->object_count; i++) {
        prof_image_close(remote->objects[i].image);
        if (remote->objects[i].fd >= 0)
            (void)close(remote->objects[i].fd);
        free(remote->objects[i].bytes);
    }
    free(remote);
}

void remote_walk(
    struct remote *remote, const struct prof_regs *regs, bool is_plain,
    struct prof_walk *walk)
{
    prof_process_reader_init(&remote->reader, remote->pid);
    if (is_plain) {
        prof_walk_stack(
            regs, NULL, &remote->reader.reader, &remote->plain_modules, NULL,
            NULL, walk);
        return;
    }
    uint32_t version = atomic_load(&remote->modules.version);
    bool is_taken = prof_trail_begin(&remote->trail, 1, version);
    prof_walk_stack(
        regs, NULL, &remote->reader.reader, &remote->modules, &remote->cache,
        is_taken ? &remote->trail : NULL, walk);
}
