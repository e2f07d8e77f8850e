/* The files of a line table; see the header. */
#include "symbolizer/line_files.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/budget.h"

void sym_line_files_init(struct sym_line_files *files, const char *comp_dir)
{
    *files = (struct sym_line_files){
        .names.row_bytes = sizeof(struct sym_line_file),
        .dirs.row_bytes = sizeof(const char *),
        .comp_dir = comp_dir};
}

void sym_line_files_fini(struct sym_line_files *files)
{
    table_fini(&files->names);
    table_fini(&files->dirs);
}

/* Join up to three parts with slashes between them, dropping empty ones. */
static uint32_t add_joined(
    struct sym_strings *strings, const char *a, const char *b, const char *c)
{
    const char *const parts[] = {a, b, c};
    size_t room = strlen(a) + strlen(b) + strlen(c) + 3, used = 0;
    if (room > SYM_TEXT_LIMIT_BYTES)
        return 0;
    char *path = malloc(room);
    if (path == NULL)
        return SYM_NO_STRING;
    for (size_t i = 0; i < 3; i++) {
        size_t bytes = strlen(parts[i]);
        if (bytes == 0)
            continue;
        if (used > 0 && path[used - 1] != '/')
            path[used++] = '/';
        memcpy(path + used, parts[i], bytes);
        used += bytes;
    }
    uint32_t id = sym_strings_add(strings, path, used);
    free(path);
    return id;
}

uint32_t sym_line_files_path(
    struct sym_line_files *files, struct sym_strings *strings, uint64_t number)
{
    if (number < files->first || number - files->first >= files->names.count)
        return 0;
    struct sym_line_file *row =
        table_row(&files->names, (uint32_t)(number - files->first));
    if (row->path != SYM_NO_STRING || row->name[0] == '\0')
        return row->name[0] == '\0' ? 0 : row->path;

    const char *dir = "", *root = "";
    if (row->name[0] != '/') {
        if (row->dir < files->dirs.count)
            dir = *(const char **)table_row(&files->dirs, (uint32_t)row->dir);
        if (dir[0] != '/')
            root = files->comp_dir;
    }
    row->path = add_joined(strings, root, dir, row->name);
    return row->path;
}
