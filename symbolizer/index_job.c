/* One index from a source to its place in the cache. */
#include "symbolizer/index_job.h"

#include <unistd.h>

#include "symbolizer/debuginfod.h"
#include "symbolizer/index.h"
#include "symbolizer/index_save.h"

/* Whether a whole index of this file is there already. */
static bool is_kept(const struct sym_index_job *job)
{
    int fd = sym_cache_find(job->cache, job->fingerprint.name);
    if (fd < 0)
        return false;
    struct sym_index index;
    enum status status = sym_index_open(&index, fd, job->fingerprint.key, NULL);
    (void)close(fd);
    if (status == STATUS_OK)
        sym_index_close(&index);
    return status == STATUS_OK;
}

enum status sym_index_job_fill(struct sym_index_job *job, struct diag *diag)
{
    struct sym_index_writer writer;
    struct sym_module *module = job->module;
    if (job->is_remote && !sym_debuginfod_fetch(&module->image, &module->debug))
        return fail(
            diag, STATUS_SYSTEM, "no server has the debug file of '%s'",
            module->path);
    enum status status =
        sym_survey_module(module, &writer, job->progress, diag);
    if (status == STATUS_OK)
        status =
            sym_index_save(&writer, job->entry.fd, job->fingerprint.key, diag);
    sym_index_writer_fini(&writer);
    return status;
}

enum status sym_index_job_begin(struct sym_index_job *job, struct diag *diag)
{
    return sym_cache_begin(
        job->cache, job->fingerprint.name, &job->entry, diag);
}

enum status sym_index_job_appear(struct sym_index_job *job, struct diag *diag)
{
    return sym_cache_commit(job->cache, &job->entry, diag);
}

static enum status make_entry(struct sym_index_job *job, struct diag *diag)
{
    enum status status = job->begin(job, diag);
    if (status != STATUS_OK)
        return status;
    status = job->fill(job, diag);
    if (status == STATUS_OK)
        return job->appear(job, diag);
    sym_cache_abandon(job->cache, &job->entry);
    return status;
}

static enum status make(struct sym_index_job *job, struct diag *diag)
{
    struct sym_module *module = job->module;
    const char *path = job->source->path;
    if (!sym_fingerprint_of(&module->image, &job->fingerprint))
        return fail(
            diag, STATUS_UNSUPPORTED, "'%s' has no code to index", path);
    if (is_kept(job))
        return STATUS_OK;
    sym_module_find_debug_file(module);
    bool has_dwarf = sym_module_has_dwarf(module);
    job->lacks_debug_file = !has_dwarf && module->image.build_id_bytes > 0;
    return has_dwarf || job->is_remote
               ? make_entry(job, diag)
               : fail(
                     diag, STATUS_UNSUPPORTED, "'%s' has no debug information",
                     path);
}

static enum status open_and_make(struct sym_index_job *job, struct diag *diag)
{
    enum status status =
        sym_source_open(&job->module->image, job->source, diag);
    return status == STATUS_OK ? make(job, diag) : status;
}

enum status sym_index_job_run(struct sym_index_job *job, struct diag *diag)
{
    struct sym_shared shared;
    const struct sym_source *source = job->source;
    bool has_memory = sym_shared_init(&shared, job->debug_dirs);
    job->module = has_memory
                      ? sym_module_create(&shared, source->kind, source->path)
                      : NULL;
    enum status status =
        job->module != NULL
            ? open_and_make(job, diag)
            : fail(diag, STATUS_NO_MEMORY, "no memory for an index");
    sym_module_destroy(job->module);
    job->module = NULL;
    sym_shared_fini(&shared);
    return status;
}
