/* Build-ids of files and images, also of damaged ones. */
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "profiler/collector/build_id.h"

TEST(build_id_of_this_test_is_what_readelf_says)
{
    struct prof_build_id found;
    char text[2 * PROF_BUILD_ID_MAX + 1] = "", line[256] = "";
    int fd = open("/proc/self/exe", O_RDONLY);
    prof_build_id_read(fd, &found);
    close(fd);
    for (uint32_t i = 0; i < found.bytes; i++)
        (void)sprintf(text + 2 * i, "%02x", found.id[i]);

    char command[128];
    (void)snprintf(
        command, sizeof command, "readelf -n /proc/%d/exe | grep 'Build ID'",
        getpid());
    FILE *oracle = popen(command, "r");
    CHECK(fgets(line, sizeof line, oracle) != NULL);
    (void)pclose(oracle);
    CHECK(found.bytes > 0);
    CHECK(strstr(line, text) != NULL);
}

TEST(build_id_of_the_vdso_is_found_in_memory)
{
    struct prof_build_id found;
    prof_build_id_read_image(
        (const void *)getauxval(AT_SYSINFO_EHDR), 4096, &found);
    CHECK(found.bytes > 0);
}

TEST(build_id_of_damaged_images_is_none_or_some_but_never_a_crash)
{
    static unsigned char image[8192], damaged[8192];
    int fd = open("/proc/self/exe", O_RDONLY);
    CHECK(read(fd, image, sizeof image) == (ssize_t)sizeof image);
    close(fd);
    struct prof_build_id found;
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        memcpy(damaged, image, sizeof damaged);
        for (int i = 0; i < 4; i++) {
            seed = seed * 1103515245 + 12345;
            damaged[seed / 65536 % 1024] = (unsigned char)(seed >> 8);
        }
        prof_build_id_read_image(damaged, 64 + seed / 65536 % 8000, &found);
        CHECK(found.bytes <= PROF_BUILD_ID_MAX);
    }
}
