/*
 * A recording on disk.
 *
 * Records are staged in memory, written behind what the header counts, and
 * counted by one small write of the head: header, attribute and id, 240 bytes
 * within one page. What is staged stays staged until that write succeeded, so
 * a failed sync is simply tried again.
 */
#include "profiler/recording/perf_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "profiler/recording/perf_annex.h"
#include "profiler/recording/perf_feature.h"
#include "profiler/recording/perf_place.h"
#include "profiler/recording/perf_record.h"
#include "profiler/recording/perf_roll.h"
#include "profiler/recording/perf_spool.h"

/* Bytes staged before they are written: bounds memory, amortizes writes. */
enum { CHUNK_BYTES = 1 << 20 };

/* The attribute as Linux 4.1 and every perf since knows it. */
enum { ATTR_BYTES = PERF_ATTR_SIZE_VER5 };

struct file_attr {
    unsigned char attr[ATTR_BYTES];
    struct perf_section ids;
};

struct head {
    struct perf_file_header header;
    struct file_attr attr;
    uint64_t event_id;
};
_Static_assert(sizeof(struct head) == 240, "no padding on disk");

struct prof_recording {
    int fd;
    uint64_t data_bytes; /* that the header counts */
    uint64_t features[PERF_FEATURE_WORDS];
    struct prof_buffer staged; /* whole records, or features, not counted yet */
    struct prof_perf_roll roll;
    struct prof_perf_placer placer;
    struct prof_perf_spool spool;
    uint64_t sample_count; /* staged or written */
    uint64_t first_ns, last_ns;
    uint64_t period_ns;
    uint64_t chain[PERF_CHAIN_MAX];
};

static struct perf_event_attr make_attr(const struct prof_recording *recording)
{
    return (struct perf_event_attr){
        .type = PERF_TYPE_SOFTWARE,
        .size = ATTR_BYTES,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = recording->period_ns,
        .sample_type = PERF_OWN_SAMPLE_TYPE,
        .read_format = PERF_FORMAT_ID,
        .sample_id_all = 1,
        .mmap = 1,
        .mmap2 = 1,
        .comm = 1,
        .comm_exec = 1,
        /* Else perf report warns of a kernel whose symbols it cannot move to
           where they were; KSYMBOL and kernel addresses work all the same. */
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
}

static enum status write_head(
    const struct prof_recording *recording, struct diag *diag)
{
    struct perf_event_attr attr = make_attr(recording);
    struct head head = {
        .header =
            {
                .magic = PERF_FILE_MAGIC,
                .header_bytes = sizeof head.header,
                .attr_bytes = sizeof head.attr,
                .attrs = {offsetof(struct head, attr), sizeof head.attr},
                .data = {sizeof head, recording->data_bytes},
            },
        .attr.ids = {offsetof(struct head, event_id), sizeof(uint64_t)},
        .event_id = PERF_OWN_EVENT_ID,
    };
    memcpy(head.attr.attr, &attr, ATTR_BYTES);
    memcpy(
        head.header.features, recording->features, sizeof head.header.features);
    return prof_bytes_write_at(recording->fd, &head, sizeof head, 0, diag);
}

enum status prof_recording_adopt_fd(
    int fd, struct prof_recording **out, struct diag *diag)
{
    if (lseek(fd, 0, SEEK_CUR) < 0)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "a recording needs a file it can seek in, not a pipe or terminal");
    struct prof_recording *recording = calloc(1, sizeof *recording);
    if (recording == NULL)
        return fail(diag, STATUS_NO_MEMORY, "recording: out of memory");

    recording->fd = fd;
    recording->first_ns = UINT64_MAX;
    prof_perf_roll_init(&recording->roll);
    prof_perf_placer_init(&recording->placer);
    prof_perf_spool_init(&recording->spool);
    enum status status = STATUS_OK;
    if (ftruncate(fd, 0) != 0)
        status = fail(diag, STATUS_SYSTEM, "truncate the recording");
    if (status == STATUS_OK)
        status = write_head(recording, diag);
    if (status != STATUS_OK) {
        free(recording);
        return status;
    }
    *out = recording;
    return STATUS_OK;
}

enum status prof_recording_create(
    const char *path, struct prof_recording **recording, struct diag *diag)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(diag, STATUS_SYSTEM, "create '%s'", path);
    enum status status = prof_recording_adopt_fd(fd, recording, diag);
    if (status != STATUS_OK)
        close(fd);
    return status;
}

void prof_recording_destroy(struct prof_recording *recording)
{
    if (recording == NULL)
        return;
    close(recording->fd);
    prof_perf_roll_fini(&recording->roll);
    prof_perf_placer_fini(&recording->placer);
    prof_perf_spool_fini(&recording->spool);
    prof_buffer_fini(&recording->staged);
    free(recording);
}

/* ---- staging ---- */

/* The column of the event that was asked for: the profile's first. */
enum { PERIOD_COLUMN = 0 };

static const char *event_name(const struct prof_profile *profile)
{
    if (prof_profile_value_type_count(profile) == 0)
        return "cpu";
    return prof_profile_text(
        profile, prof_profile_value_type(profile, PERIOD_COLUMN)->name);
}

/*
 * Fill recording->chain with the addresses of a stack, leaf first, a marker
 * wherever it changes between kernel and user. A stack deeper than a record
 * can hold loses its outermost frames here; the annex has them.
 */
static uint32_t build_chain(
    struct prof_recording *recording, const struct prof_profile *profile,
    uint32_t process, uint32_t leaf, uint64_t time_ns)
{
    uint32_t count = 0;
    uint64_t context = 0;
    for (uint32_t stack = leaf;
         stack != PROF_NONE && count + 2 <= PERF_CHAIN_MAX;) {
        const struct prof_stack *row = prof_profile_stack(profile, stack);
        struct prof_perf_place place = prof_perf_place_frame(
            &recording->placer, profile, process, row->frame, time_ns,
            &recording->staged);
        uint64_t wanted =
            place.is_kernel ? PERF_CONTEXT_KERNEL : PERF_CONTEXT_USER;
        if (context != wanted)
            recording->chain[count++] = wanted;
        context = wanted;
        recording->chain[count++] = place.address;
        stack = row->parent;
    }
    return count;
}

/*
 * What an image did not live to see counted is added when its end is noticed,
 * and the next image of the pid may have begun by then. perf knows a process
 * by pid and time alone: the moment before still is the image's.
 */
static uint64_t time_of(
    const struct prof_recording *recording, uint32_t process,
    const struct prof_sample *sample)
{
    uint64_t until_ns =
        prof_perf_roll_epoch(&recording->roll, process).until_ns;
    return sample->time_ns < until_ns || until_ns == 0 ? sample->time_ns
                                                       : until_ns - 1;
}

static void stage_sample(
    struct prof_recording *recording, const struct prof_profile *profile,
    const struct prof_sample *sample)
{
    const struct prof_thread *thread =
        prof_profile_thread(profile, sample->thread);
    uint32_t process = thread->process;
    if (process == PROF_NONE)
        return;
    uint64_t time_ns = time_of(recording, process, sample);
    uint32_t count =
        build_chain(recording, profile, process, sample->stack, time_ns);
    struct perf_sample record = {
        .stamp =
            {prof_profile_process(profile, process)->pid, thread->tid, time_ns},
        .period = sample->values[PERIOD_COLUMN],
        .ip = count > 0 ? recording->chain[1] : 0,
        .is_kernel = count > 0 && recording->chain[0] == PERF_CONTEXT_KERNEL,
        .chain = recording->chain,
        .chain_count = count};
    prof_perf_put_sample(&recording->staged, &record);

    if (time_ns < recording->first_ns)
        recording->first_ns = time_ns;
    if (time_ns > recording->last_ns)
        recording->last_ns = time_ns;
}

static void stage_mappings(
    struct prof_recording *recording, const struct prof_profile *profile)
{
    struct prof_perf_placer *placer = &recording->placer;
    uint32_t count = prof_profile_mapping_count(profile);
    for (uint32_t id = placer->mapping.count; id < count && !placer->is_failed;
         id++) {
        uint32_t process = prof_profile_mapping(profile, id)->process;
        prof_perf_placer_add_mapping(
            placer, profile, id,
            prof_perf_roll_epoch(&recording->roll, process).from_ns,
            &recording->staged);
    }
}

/* Stage what is new, samples up to a chunk; staged.count 0: nothing is. */
static enum status stage(
    struct prof_recording *recording, const struct prof_profile *profile,
    struct diag *diag)
{
    prof_perf_roll_call(&recording->roll, profile, &recording->staged);
    stage_mappings(recording, profile);

    if (recording->sample_count < prof_profile_summed_count(profile))
        return fail(
            diag, STATUS_LIMIT,
            "more samples went by meanwhile than memory is kept for");
    uint64_t count = prof_profile_added_count(profile);
    while (recording->sample_count < count &&
           recording->staged.count < CHUNK_BYTES) {
        const struct prof_sample *sample =
            prof_profile_added_sample(profile, recording->sample_count);
        stage_sample(recording, profile, sample);
        prof_perf_spool_put(&recording->spool, profile, sample);
        recording->sample_count++;
    }
    if (recording->staged.is_failed || recording->roll.is_failed ||
        recording->placer.is_failed || recording->spool.recent.is_failed)
        return fail(diag, STATUS_NO_MEMORY, "recording: out of memory");
    return STATUS_OK;
}

/* Write what is staged, then make it count. */
static enum status flush(struct prof_recording *recording, struct diag *diag)
{
    struct prof_buffer *staged = &recording->staged;
    enum status status = prof_bytes_write_at(
        recording->fd, staged->data, staged->count,
        sizeof(struct head) + recording->data_bytes, diag);
    if (status != STATUS_OK)
        return status;

    recording->data_bytes += staged->count;
    status = write_head(recording, diag);
    if (status != STATUS_OK)
        recording->data_bytes -= staged->count;
    else
        staged->count = 0;
    return status;
}

enum status prof_recording_sync(
    struct prof_recording *recording, const struct prof_profile *profile,
    struct diag *diag)
{
    recording->period_ns = prof_profile_read_origin(profile)->period_ns;
    enum status status = STATUS_OK;
    if (recording->staged.count == 0)
        status = stage(recording, profile, diag);
    while (status == STATUS_OK && recording->staged.count > 0) {
        status = flush(recording, diag);
        if (status == STATUS_OK)
            status =
                prof_perf_spool_drain(&recording->spool, recording->fd, diag);
        if (status == STATUS_OK)
            status = stage(recording, profile, diag);
    }
    return status;
}

/* The samples and the tail of the annex, of which `annex` is there, at
 * `offset`. */
static enum status write_annex_end(
    const struct prof_recording *recording, const unsigned char *annex,
    size_t annex_bytes, uint64_t offset, struct diag *diag)
{
    uint32_t sum = (uint32_t)crc32_z(0, annex, annex_bytes);
    enum status status = prof_perf_spool_copy(
        &recording->spool, recording->fd, offset, &sum, diag);
    if (status != STATUS_OK)
        return status;
    struct prof_buffer tail = {0};
    prof_perf_annex_put_tail(&tail, sum);
    if (tail.is_failed)
        status = fail(diag, STATUS_NO_MEMORY, "recording: out of memory");
    else
        status = prof_bytes_write_at(
            recording->fd, tail.data, tail.count,
            offset + prof_perf_spool_bytes(&recording->spool), diag);
    prof_buffer_fini(&tail);
    return status;
}

static enum status write_features(
    struct prof_recording *recording, const struct prof_profile *profile,
    struct diag *diag)
{
    struct perf_event_attr attr = make_attr(recording);
    struct perf_feature_facts facts = {
        .profile = profile,
        .attr = &attr,
        .event_name = event_name(profile),
        .first_ns = recording->first_ns,
        .last_ns = recording->last_ns,
        .annex_rows = recording->spool.rows,
        .annex_row_bytes = prof_perf_spool_bytes(&recording->spool)};
    uint64_t offset = sizeof(struct head) + recording->data_bytes;
    struct prof_buffer features = {0};
    uint64_t bits[PERF_FEATURE_WORDS];
    size_t annex_at = prof_perf_put_features(&features, offset, &facts, bits);
    enum status status = STATUS_OK;
    if (features.is_failed)
        status = fail(diag, STATUS_NO_MEMORY, "recording: out of memory");
    if (status == STATUS_OK)
        status = prof_bytes_write_at(
            recording->fd, features.data, features.count, offset, diag);
    if (status == STATUS_OK)
        status = write_annex_end(
            recording, features.data + annex_at, features.count - annex_at,
            offset + features.count, diag);
    if (status == STATUS_OK)
        memcpy(recording->features, bits, sizeof bits);
    prof_buffer_fini(&features);
    return status;
}

enum status prof_recording_finish(
    struct prof_recording *recording, const struct prof_profile *profile,
    struct diag *diag)
{
    enum status status = prof_recording_sync(recording, profile, diag);
    if (status == STATUS_OK)
        status = write_features(recording, profile, diag);
    return status == STATUS_OK ? write_head(recording, diag) : status;
}
