/* The system a crash happened on. */
#include "exporters/sentry/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "exporters/json.h"
#include "exporters/sentry/time_text.h"

/* ---- reading ---- */

/* What follows `key` in a file of lines; without quotes. */
static void read_line(
    const char *path, const char *key, char text[static EXP_SYSTEM_TEXT_BYTES])
{
    char line[1024];
    size_t length = strlen(key);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, length) != 0)
            continue;
        const char *value = line + length + strspn(line + length, " \t:=\"'");
        (void)snprintf(
            text, EXP_SYSTEM_TEXT_BYTES, "%.*s", (int)strcspn(value, "\"'\n"),
            value);
        break;
    }
    if (file != NULL)
        (void)fclose(file);
}

static uint64_t read_kib(const char *key)
{
    char text[EXP_SYSTEM_TEXT_BYTES] = "";
    read_line("/proc/meminfo", key, text);
    return strtoull(text, NULL, 10) * 1024;
}

void exp_system_read(struct exp_system *system)
{
    static const char release[] = "/etc/os-release";
    struct utsname name;
    struct timespec up = {0};
    *system = (struct exp_system){.boot_unix_s = 0};
    if (uname(&name) == 0) {
        (void)snprintf(
            system->kernel, sizeof system->kernel, "%s", name.release);
        (void)snprintf(
            system->version, sizeof system->version, "%s", name.version);
        (void)snprintf(
            system->machine, sizeof system->machine, "%s", name.machine);
    }
    read_line(release, "ID=", system->distribution);
    read_line(release, "VERSION_ID=", system->distribution_version);
    read_line(release, "PRETTY_NAME=", system->distribution_title);
    read_line("/proc/cpuinfo", "model name", system->processor);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    system->processor_count = count > 0 ? (uint32_t)count : 0;
    system->memory_bytes = read_kib("MemTotal");
    system->free_bytes = read_kib("MemAvailable");
    if (clock_gettime(CLOCK_BOOTTIME, &up) == 0)
        system->boot_unix_s = (uint64_t)(time(NULL) - up.tv_sec);
}

/* ---- writing ---- */

static void write_number(struct exp_json *json, const char *key, uint64_t value)
{
    if (value == 0)
        return;
    exp_json_key(json, key);
    exp_json_u64(json, value);
}

/* Three numbers, and what a distribution has added to them. */
static void write_release(struct exp_json *json, const char *release)
{
    char numbers[EXP_SYSTEM_TEXT_BYTES];
    size_t length = strspn(release, "0123456789.");
    (void)snprintf(numbers, sizeof numbers, "%.*s", (int)length, release);
    exp_json_member_if(json, "version", numbers);
    exp_json_member_if(
        json, "build", release + length + (release[length] == '-'));
    exp_json_member_if(json, "kernel_version", release);
}

void exp_system_write(const struct exp_system *system, struct exp_json *json)
{
    char text[EXP_TIME_BYTES];
    exp_json_key(json, "os");
    exp_json_begin_object(json);
    exp_json_member_if(json, "type", "os");
    exp_json_member_if(json, "name", "Linux");
    write_release(json, system->kernel);
    exp_json_member_if(json, "raw_description", system->version);
    exp_json_member_if(json, "distribution_name", system->distribution);
    exp_json_member_if(
        json, "distribution_version", system->distribution_version);
    exp_json_member_if(
        json, "distribution_pretty_name", system->distribution_title);
    exp_json_end(json);

    exp_json_key(json, "device");
    exp_json_begin_object(json);
    exp_json_member_if(json, "type", "device");
    exp_json_member_if(json, "arch", system->machine);
    exp_json_member_if(json, "cpu_description", system->processor);
    write_number(json, "processor_count", system->processor_count);
    write_number(json, "memory_size", system->memory_bytes);
    write_number(json, "free_memory", system->free_bytes);
    if (system->boot_unix_s > 0)
        exp_json_member_if(
            json, "boot_time", exp_time_text(system->boot_unix_s * 1000, text));
    exp_json_end(json);
}
