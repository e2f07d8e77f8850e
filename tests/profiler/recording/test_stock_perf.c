/*
 * Recordings against stock perf, the oracle: it must read ours without a
 * word of warning and see the same samples, and we must see in its recordings
 * what it sees itself.
 *
 * Known differences, and all of them:
 *  - In its own recordings perf shows return addresses; we keep them less 1.
 *  - A garbage address that looks like a context marker makes perf throw the
 *    whole chain away, or take the rest for kernel addresses; we keep what
 *    stands before it.
 */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/recording/perf_writer.h"
#include "profiler/recording/reader.h"
#include "tests/profiler/recording/fixture.h"

enum { SKIPPED = 77 }; /* as CTest is told */

/* The program's output; its errors must be none. The caller frees it. */
static char *run(const char *command)
{
    char line[1024], errors[256];
    (void)snprintf(errors, sizeof errors, "%s", fixture_path("stderr"));
    (void)snprintf(line, sizeof line, "%s 2>'%s'", command, errors);
    FILE *pipe = popen(line, "r");
    CHECK(pipe != NULL);
    char *text = NULL;
    size_t bytes, got;
    char buffer[4096];
    FILE *out = open_memstream(&text, &bytes);
    CHECK(out != NULL);
    while ((got = fread(buffer, 1, sizeof buffer, pipe)) > 0)
        CHECK_EQ(fwrite(buffer, 1, got, out), got);
    (void)fclose(out);
    CHECK_OK(pclose(pipe));
    char *said = (char *)fixture_read(errors, &bytes);
    said[bytes] = '\0';
    CHECK_STR(said, "");
    free(said);
    return text;
}

/* Without perf there is nothing to compare with. */
__attribute__((constructor)) static void require_perf(void)
{
    if (system("perf version >/dev/null 2>&1") != 0)
        exit(SKIPPED);
}

/* perf record is refused in many containers; reading is not. */
static bool can_record(void)
{
    static int status = -1;
    char command[512];
    if (status < 0) {
        (void)snprintf(
            command, sizeof command,
            "perf record -q -g -e cpu-clock -o '%s' true >/dev/null 2>&1",
            fixture_path("probe.data"));
        status = system(command);
    }
    return status == 0;
}

/* ---- perf script's text as lines of fixture_render() ---- */

/* "\t  1200 (/opt/bin/shop)": address and module. */
static bool parse_frame(char *line, uint64_t *ip, char **module)
{
    char *end;
    *ip = strtoull(line, &end, 16);
    char *open = strstr(end, " (");
    char *close = strrchr(line, ')');
    if (open == NULL || close == NULL)
        return false;
    *close = '\0';
    *module = open + 2;
    return true;
}

static void print_frame(FILE *out, uint64_t ip, const char *module, bool is_own)
{
    unsigned long long address = ip;
    if (is_own && (ip >> 56 == 1 || ip >> 56 == 2)) /* a named frame */
        (void)fprintf(out, " {%s}", module);
    else if (strncmp(module, "/tmp/perf-", 10) == 0)
        (void)fprintf(out, " anon+%llx", address);
    else
        (void)fprintf(out, " %s+%llx", module, address);
}

/*
 * The first address of a context is where it stood; perf's own recordings
 * have return addresses behind it.
 */
static void print_frames(FILE *out, char **lines, bool is_own)
{
    bool is_first = true, is_user = false;
    for (char *line; (line = strsep(lines, "\n")) && *line != '\0';) {
        uint64_t ip;
        char *module = NULL;
        CHECK(parse_frame(line, &ip, &module));
        bool is_kernel = !is_user && ip >= 0xffff800000000000;
        bool is_exact = is_first || (!is_kernel && !is_user);
        if (!is_own && !is_exact && ip != 0)
            ip--;
        is_user = !is_kernel;
        is_first = false;
        print_frame(out, ip, module, is_own);
    }
}

static char *render_perf(const char *path, bool is_own)
{
    char command[512];
    (void)snprintf(
        command, sizeof command,
        "perf script --no-inline --max-stack 9000 --ns "
        "-F time,period,ip,dso -i '%s'",
        path);
    char *text = run(command), *rest = text;
    struct fixture_lines lines = {0};
    while (rest != NULL && *rest != '\0') {
        unsigned long long seconds, nanoseconds, period;
        char *head = strsep(&rest, "\n");
        if (*head == '\0')
            continue;
        CHECK_EQ(
            sscanf(head, " %llu.%9llu: %llu", &seconds, &nanoseconds, &period),
            3);
        char *line = NULL;
        size_t bytes;
        FILE *out = open_memstream(&line, &bytes);
        CHECK(out != NULL);
        (void)fprintf(
            out, "%llu %llu", seconds * 1000000000 + nanoseconds, period);
        print_frames(out, &rest, is_own);
        (void)fclose(out);
        fixture_add_line(&lines, line);
        free(line);
    }
    free(text);
    return fixture_join_sorted(&lines);
}

/* ---- our recordings ---- */

static void record_fixture(const char *path, bool is_finished)
{
    struct prof_profile *p = fixture_everything();
    struct prof_recording *recording;
    CHECK_OK(prof_recording_create(path, &recording, NULL));
    CHECK_OK(
        is_finished ? prof_recording_finish(recording, p, NULL)
                    : prof_recording_sync(recording, p, NULL));
    prof_recording_destroy(recording);
    prof_profile_destroy(p);
}

static char *run_on_fixture(const char *command)
{
    char line[512];
    record_fixture(fixture_path("own.data"), true);
    (void)snprintf(
        line, sizeof line, "%s -i '%s'", command, fixture_path("own.data"));
    return run(line);
}

TEST(perf_script_sees_the_stacks_of_our_recordings)
{
    struct prof_profile *p = fixture_everything();
    char *wanted = fixture_render(p, 0);
    for (int is_finished = 0; is_finished < 2; is_finished++) {
        record_fixture(fixture_path("own.data"), is_finished);
        char *actual = render_perf(fixture_path("own.data"), true);
        fixture_check_lines(actual, wanted);
        free(actual);
    }
    free(wanted);
    prof_profile_destroy(p);
}

TEST(perf_script_names_frames_that_have_no_address)
{
    char *text = run_on_fixture("perf script --no-inline -F comm,tid,ip,sym");
    CHECK(strstr(text, " [startup]\n") != NULL);
    CHECK(strstr(text, " parse (m.py:3)\n") != NULL);
    CHECK(strstr(text, "pool-1  4301") != NULL);
    CHECK(strstr(text, "mailer  4242") != NULL);
    free(text);
}

TEST(perf_gives_what_is_counted_after_an_exec_to_the_image_before)
{
    struct prof_profile *p = prof_profile_create();
    prof_profile_add_value_type(p, "cpu", "nanoseconds");
    uint32_t startup =
        prof_profile_add_named_frame(p, PROF_FRAME_ACCOUNT, "[startup]");
    for (uint64_t image = 0; image < 2; image++) {
        struct prof_process process = {
            .pid = 7,
            .name = prof_profile_string(p, image == 0 ? "shell" : "tool"),
            .start_ns = 1000 + image * 1000};
        struct prof_thread thread = {
            .process = prof_profile_add_process(p, &process), .tid = 7};
        uint32_t id = prof_profile_add_thread(p, &thread);
        fixture_sample(p, id, fixture_stack(p, &startup, 1), 2500, 40 + image);
    }
    struct prof_recording *recording;
    const char *path = fixture_path("exec.data");
    CHECK_OK(prof_recording_create(path, &recording, NULL));
    CHECK_OK(prof_recording_finish(recording, p, NULL));
    prof_recording_destroy(recording);
    char command[512];
    (void)snprintf(
        command, sizeof command, "perf script --ns -F comm,time,period -i '%s'",
        path);
    char *text = run(command);
    CHECK(strstr(text, "shell     0.000001999:         40") != NULL);
    CHECK(strstr(text, "tool     0.000002500:         41") != NULL);
    free(text);
    prof_profile_destroy(p);
}

TEST(perf_report_counts_what_we_count)
{
    struct prof_profile *p = fixture_everything();
    unsigned long long total = 0;
    for (uint32_t id = 0; id < prof_profile_sample_count(p); id++)
        total += prof_profile_sample(p, id)->values[0];
    char wanted[64];
    (void)snprintf(
        wanted, sizeof wanted, "Event count (approx.): %llu\n", total);
    char *text = run_on_fixture("perf report --stdio -g none");
    CHECK(strstr(text, "of event 'wall'\n") != NULL);
    CHECK(strstr(text, wanted) != NULL);
    CHECK(strstr(text, "[k] [startup]") != NULL);
    free(text);
    prof_profile_destroy(p);
}

TEST(perf_shows_the_header_and_build_ids_of_our_recordings)
{
    char *text = run_on_fixture("perf report --header-only");
    CHECK(strstr(text, "# hostname : forge\n") != NULL);
    CHECK(strstr(text, "# arch : x86_64\n") != NULL);
    CHECK(strstr(text, "# cmdline : /opt/bin/shop --serve") != NULL);
    CHECK(strstr(text, "name = wall,") != NULL);
    free(text);
    text = run_on_fixture("perf buildid-list");
    CHECK_STR(text, "abababababababababababababababababababab /opt/bin/shop\n");
    free(text);
}

TEST(perf_script_shows_all_of_a_deep_stack)
{
    struct prof_profile *p = prof_profile_create();
    prof_profile_add_value_type(p, "cpu", "nanoseconds");
    struct prof_process process = {
        .pid = 7, .name = prof_profile_string(p, "deep")};
    struct prof_thread thread = {
        .process = prof_profile_add_process(p, &process), .tid = 7};
    uint32_t thread_id = prof_profile_add_thread(p, &thread);
    struct prof_module module = {.path = prof_profile_string(p, "/bin/deep")};
    uint32_t module_id = prof_profile_add_module(p, &module);
    uint32_t stack = PROF_NONE;
    for (uint32_t i = 0; i < 1500; i++)
        stack = prof_profile_add_stack(
            p, stack, prof_profile_add_native_frame(p, module_id, i * 9));
    fixture_sample(p, thread_id, stack, 1000, 5);
    struct prof_recording *recording;
    const char *path = fixture_path("deep.data");
    CHECK_OK(prof_recording_create(path, &recording, NULL));
    CHECK_OK(prof_recording_finish(recording, p, NULL));
    prof_recording_destroy(recording);

    char *actual = render_perf(path, true), *wanted = fixture_render(p, 0);
    fixture_check_lines(actual, wanted);
    free(actual);
    free(wanted);
    prof_profile_destroy(p);
}

/* ---- perf's recordings ---- */

/* Whether a line of ours says less: all, or the end, of perf's is missing. */
static bool is_known_difference(
    const char *ours, size_t ours_bytes, const char *perf, size_t perf_bytes)
{
    size_t shorter = ours_bytes < perf_bytes ? ours_bytes : perf_bytes;
    bool is_prefix = memcmp(ours, perf, shorter) == 0;
    bool has_frames = memchr(perf, '+', perf_bytes) != NULL;
    return is_prefix && ours_bytes != perf_bytes &&
           (ours_bytes < perf_bytes || !has_frames);
}

/* Take lines that differ as they may out of both; how many. */
static size_t drop_known_differences(char *ours, char *perf)
{
    char *to_ours = ours, *to_perf = perf;
    size_t dropped = 0;
    while (*ours != '\0' && *perf != '\0') {
        size_t a = strcspn(ours, "\n"), b = strcspn(perf, "\n");
        if (is_known_difference(ours, a, perf, b)) {
            dropped++;
        } else {
            memmove(to_ours, ours, a + 1);
            memmove(to_perf, perf, b + 1);
            to_ours += a + 1;
            to_perf += b + 1;
        }
        ours += a + 1;
        perf += b + 1;
    }
    memmove(to_ours, ours, strlen(ours) + 1);
    memmove(to_perf, perf, strlen(perf) + 1);
    return dropped;
}

static void compare_recorded(const char *options, const char *event)
{
    static const char workload[] =
        "sh -c 'for i in 1 2 3; do (i=0; while [ $i -lt 30000 ]; do "
        "i=$((i+1)); done) & done; wait; grep -r zzz /usr/include/linux "
        ">/dev/null; true'";
    char command[1024];
    if (!can_record())
        skip();
    const char *path = fixture_path("perf.data");
    (void)snprintf(
        command, sizeof command, "perf record -q -g -F 1500 -e %s %s '%s' %s",
        event, options, path, workload);
    free(run(command));

    struct diag diag;
    struct prof_profile *q = prof_profile_create();
    CHECK_OK(prof_recording_read(path, q, &diag));
    CHECK_STR(diag.text, "");
    CHECK_EQ(prof_profile_value_type_count(q), 1);
    CHECK_STR(prof_profile_text(q, prof_profile_value_type(q, 0)->name), "cpu");
    CHECK(prof_profile_sample_count(q) > 50);
    CHECK(*prof_profile_text(q, prof_profile_read_origin(q)->hostname));

    char *ours = fixture_render(q, 0), *perf = render_perf(path, false);
    size_t dropped = drop_known_differences(ours, perf);
    fixture_check_lines(ours, perf);
    CHECK(dropped <= prof_profile_sample_count(q) / 20 + 1);
    free(ours);
    free(perf);
    prof_profile_destroy(q);
}

TEST(recordings_of_perf_read_as_perf_reads_them)
{
    compare_recorded("-o", "cpu-clock");
}

TEST(recordings_through_a_pipe_read_as_perf_reads_them)
{
    compare_recorded("-o - >", "cpu-clock");
}

TEST(compressed_recordings_read_as_perf_reads_them)
{
    compare_recorded("-z -o", "cpu-clock");
}

TEST(recordings_with_build_ids_in_mappings_read_as_perf_reads_them)
{
    compare_recorded("--buildid-mmap -o", "task-clock");
}

TEST(copied_stacks_are_counted_as_not_unwound)
{
    char command[512];
    if (!can_record())
        skip();
    const char *path = fixture_path("dwarf.data");
    (void)snprintf(
        command, sizeof command,
        "perf record -q --call-graph dwarf,1024 -e cpu-clock,page-faults "
        "-F 999 -o '%s' sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); "
        "done'",
        path);
    free(run(command));
    struct diag diag;
    struct prof_profile *q = prof_profile_create();
    CHECK_OK(prof_recording_read(path, q, &diag));
    CHECK(strstr(diag.text, "samples have a copied stack") != NULL);
    CHECK(strstr(diag.text, "only samples of cpu-clock were kept") != NULL);
    uint32_t count = prof_profile_sample_count(q);
    CHECK(count > 5);
    CHECK_EQ(prof_profile_loss(q, PROF_LOSS_INCOMPLETE), count);
    for (uint32_t id = 0; id < count; id++) {
        CHECK(prof_profile_sample(q, id)->stack != PROF_NONE);
        CHECK_EQ(prof_profile_sample(q, id)->flags, PROF_SAMPLE_TRUNCATED);
    }
    prof_profile_destroy(q);
}
