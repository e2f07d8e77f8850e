/* Which mapped files are copied, by files that this test maps itself. */
#include "tests/harness.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/collector/kept_files.h"

/* A file of our own, mapped, and what the kernel says of it. */
struct scene {
    struct prof_kept_files kept;
    char path[64];
    void *bytes;
    size_t count;
    char *maps;
    struct prof_maps_line line;
};

static const char content[] = "what ran";

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

/* By the kernel's list, as the collector finds it. */
static void find_line(struct scene *scene)
{
    char *rest = scene->maps = prof_maps_read((uint32_t)getpid());
    for (char *text; (text = strsep(&rest, "\n")) != NULL;) {
        if (prof_maps_parse(text, &scene->line) &&
            scene->line.start == (uintptr_t)scene->bytes)
            return;
    }
    CHECK(!"not mapped");
}

static struct scene scene_of_size(size_t bytes)
{
    struct scene scene = {.path = "/tmp/watchfire-kept-XXXXXX", .count = bytes};
    int fd = mkstemp(scene.path);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, content, sizeof content - 1), sizeof content - 1);
    CHECK_OK(ftruncate(fd, (off_t)bytes));
    scene.bytes = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(scene.bytes != MAP_FAILED);
    (void)close(fd);
    prof_kept_files_init(&scene.kept);
    find_line(&scene);
    return scene;
}

static void end(struct scene *scene)
{
    prof_kept_files_fini(&scene->kept);
    (void)munmap(scene->bytes, scene->count);
    (void)unlink(scene->path);
    free(scene->maps);
}

static int consider(struct scene *scene, uint32_t module, bool has_build_id)
{
    prof_kept_files_consider(
        &scene->kept, module, has_build_id, (uint32_t)getpid(), &scene->line,
        scene->path);
    return prof_kept_files_find(&scene->kept, module);
}

static void check_copy(const struct scene *scene, int fd)
{
    char read_back[sizeof content] = "";
    struct stat identity;
    CHECK(fd >= 0);
    CHECK_OK(fstat(fd, &identity));
    CHECK_EQ(identity.st_size, scene->count);
    CHECK_EQ(identity.st_nlink, 0); /* it has no name */
    CHECK_EQ(pread(fd, read_back, sizeof content - 1, 0), sizeof content - 1);
    CHECK_STR(read_back, content);
}

TEST(a_file_that_is_where_its_name_says_is_not_copied)
{
    struct scene scene = scene_of_size(5000);
    CHECK_EQ(consider(&scene, 0, true), -1);
    end(&scene);
}

TEST(a_deleted_file_is_copied)
{
    struct scene scene = scene_of_size(5000);
    CHECK_OK(unlink(scene.path));
    check_copy(&scene, consider(&scene, 0, true));
    end(&scene);
}

TEST(a_file_whose_name_another_one_has_is_copied)
{
    struct scene scene = scene_of_size(5000);
    CHECK_OK(unlink(scene.path));
    write_file(scene.path, "what did not run");
    check_copy(&scene, consider(&scene, 0, true));
    end(&scene);
}

TEST(a_file_without_a_build_id_is_copied)
{
    struct scene scene = scene_of_size(5000);
    check_copy(&scene, consider(&scene, 0, false));
    end(&scene);
}

TEST(a_module_is_considered_once)
{
    struct scene scene = scene_of_size(5000);
    CHECK_EQ(consider(&scene, 4, true), -1);
    CHECK_OK(unlink(scene.path));
    CHECK_EQ(consider(&scene, 4, true), -1);
    check_copy(&scene, consider(&scene, 3, true));
    end(&scene);
}

TEST(a_file_that_loses_its_name_later_is_copied_then)
{
    for (int is_replaced = 0; is_replaced < 2; is_replaced++) {
        struct scene scene = scene_of_size(5000);
        int watch = prof_kept_files_watch(&scene.kept);
        CHECK(watch >= 0);
        CHECK_EQ(consider(&scene, 0, true), -1);
        prof_kept_files_run(&scene.kept);
        CHECK_EQ(prof_kept_files_find(&scene.kept, 0), -1);
        if (is_replaced) {
            char other[sizeof scene.path + 8];
            (void)snprintf(other, sizeof other, "%s.other", scene.path);
            write_file(other, "what did not run");
            CHECK_OK(rename(other, scene.path));
        } else {
            CHECK_OK(unlink(scene.path));
        }
        struct pollfd told = {.fd = watch, .events = POLLIN};
        CHECK_EQ(poll(&told, 1, 60000), 1);
        prof_kept_files_run(&scene.kept);
        check_copy(&scene, prof_kept_files_find(&scene.kept, 0));
        end(&scene);
    }
}

/* Sparse ones, of which each counts with all its bytes. */
TEST(what_would_fill_the_disk_is_not_copied)
{
    struct scene scene = scene_of_size((size_t)600 << 20);
    CHECK_OK(unlink(scene.path));
    CHECK_EQ(consider(&scene, 0, true), -1);
    CHECK_EQ(scene.kept.copies.count, 0);
    end(&scene);
}
