/*
 * check_rows FILE [EVERY]: our reading of a file's CFI against binutils'.
 *
 * `readelf -wF` prints every row of every FDE. Each is compared with the row
 * our interpreter makes of the same FDE: the pcs, the CFA rule, the rule of
 * every register we keep. Then the lookups are held against the rows: by
 * index, by pc, in the compact form and in the table of rows. With EVERY, one
 * FDE in so many is compared.
 *
 * Exit status 0 when all agree, 1 when not, 77 when there is nothing to
 * compare. Rulings, where both are right and differ:
 *
 *  - readelf prints 'u' for a register without a rule as for one that is
 *    undefined. Without a rule compilers mean "unchanged", and so do we.
 *  - readelf prints a row for each advance, also by 0; we have no empty rows.
 *  - rows at or behind the end of their FDE cover nothing and are ours not.
 *  - columns beyond the return address (vector registers) are not kept.
 *  - an expression is compared as such, not by its operations: that is left
 *    to the tests that execute code.
 */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/unwind/image.h"
#include "profiler/unwind/sig_cfi.h"
#include "profiler/unwind/sig_row_table.h"

enum { SKIP = 77, COLUMNS_MAX = 40, MISMATCHES_SHOWN = 20 };

static const char *const COLUMN_NAMES[PROF_REG_COUNT] = {
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
    "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "ra",
};

struct check {
    const struct prof_text *text;
    const struct prof_cfi_source *source;
    unsigned long every;
    unsigned long fdes, rows, mismatches;

    /* The FDE at hand. */
    bool is_wanted;
    struct prof_fde fde;
    struct prof_rows ours;
    int columns[COLUMNS_MAX]; /* of the table's cells; -1 not kept */
    int column_count;
    bool has_row;
    char row[512]; /* readelf's last line, held back: the next one may be at
                      the same pc */
};

static void mismatch(struct check *check, const char *what)
{
    if (check->mismatches++ < MISMATCHES_SHOWN)
        fprintf(
            stderr, "pc %" PRIx64 ": %s; readelf: %s\n", check->ours.start,
            what, check->row);
}

static int column_of(const char *name)
{
    for (int i = 0; i < PROF_REG_COUNT; i++)
        if (strcmp(COLUMN_NAMES[i], name) == 0)
            return i;
    return -1;
}

/* As readelf would print the rule of a column. */
static void print_rule(
    const struct prof_rules *rules, int column, char *cell, size_t size)
{
    int32_t value = rules->value[column];
    switch (rules->rule[column]) {
    case PROF_RULE_OFFSET:
        (void)snprintf(cell, size, "c%+d", value);
        break;
    case PROF_RULE_VAL_OFFSET:
        (void)snprintf(cell, size, "v%+d", value);
        break;
    case PROF_RULE_REGISTER:
        (void)snprintf(
            cell, size, "%s",
            value >= 0 && value < PROF_REG_COUNT ? COLUMN_NAMES[value] : "?");
        break;
    case PROF_RULE_EXPRESSION:
        (void)snprintf(cell, size, "exp");
        break;
    case PROF_RULE_VAL_EXPRESSION:
        (void)snprintf(cell, size, "vexp");
        break;
    default:
        (void)snprintf(cell, size, "u");
    }
}

static void print_cfa(const struct prof_rules *rules, char *cell, size_t size)
{
    if (rules->cfa_rule == PROF_CFA_REGISTER)
        (void)snprintf(
            cell, size, "%s%+d", COLUMN_NAMES[rules->cfa_register],
            rules->cfa_value);
    else
        (void)snprintf(cell, size, "exp");
}

/* The next cell; of a register, "r1 (rdx)", the name in brackets. */
static const char *next_cell(char **rest)
{
    char *cell = strtok_r(NULL, " ", rest);
    if (cell == NULL || **rest != '(')
        return cell;
    cell = strtok_r(NULL, " ()", rest);
    return cell;
}

static void compare_cells(struct check *check)
{
    char line[sizeof check->row], cell[32], *rest = line;
    memcpy(line, check->row, sizeof line);
    (void)strtok_r(rest, " ", &rest);
    const char *cfa = strtok_r(NULL, " ", &rest);
    print_cfa(&check->ours.rules, cell, sizeof cell);
    if (cfa == NULL || strcmp(cfa, cell) != 0)
        mismatch(check, cell);
    for (int i = 0; i < check->column_count; i++) {
        const char *theirs = next_cell(&rest);
        if (check->columns[i] < 0)
            continue;
        print_rule(&check->ours.rules, check->columns[i], cell, sizeof cell);
        if (theirs != NULL && strcmp(theirs, "s") == 0)
            theirs = "u";
        if (theirs == NULL || strcmp(theirs, cell) != 0)
            mismatch(check, cell);
    }
}

/* The row again, by every other way to it. */
static void compare_lookups(struct check *check, uint64_t pc)
{
    struct prof_fde fde;
    struct prof_rows rows;
    uint32_t row = prof_row_encode(&check->ours.rules, check->source);
    if (!prof_fde_find(check->source, pc, &fde) ||
        fde.offset != check->fde.offset)
        mismatch(check, "the index leads elsewhere");
    if (!prof_rows_find(&rows, &check->fde, pc) ||
        prof_row_encode(&rows.rules, check->source) != row ||
        rows.start != check->ours.start)
        mismatch(check, "the pc leads elsewhere");
    if (check->text->rows == NULL || check->source->is_debug_frame)
        return;
    struct prof_stretch stretch = {.start = pc, .end = pc + 1};
    uint32_t found = prof_row_table_find(check->text->rows, pc, &stretch);
    bool is_wide = prof_row_cfa_bytes(row) / 8 > PROF_TABLE_WORDS_MAX;
    if (found != (is_wide ? prof_row_make(PROF_ROW_FULL, 0, 0) : row))
        mismatch(check, "the table of rows differs");
    if (pc < stretch.start || pc >= stretch.end)
        mismatch(check, "the table's stretch is elsewhere");
}

/* Compare readelf's held line with our next row. */
static void compare_row(struct check *check)
{
    uint64_t pc = strtoull(check->row, NULL, 16);
    check->has_row = false;
    if (!check->is_wanted || pc >= check->fde.end)
        return;
    if (!prof_rows_next(&check->ours)) {
        mismatch(check, "we have no such row");
        return;
    }
    check->rows++;
    if (check->ours.start != pc)
        mismatch(check, "another start");
    compare_cells(check);
    compare_lookups(check, check->ours.start);
    compare_lookups(check, check->ours.end - 1);
}

/* readelf prints no table for an FDE that adds nothing to its CIE. */
static void end_fde(struct check *check)
{
    bool had_rows = check->has_row;
    if (had_rows)
        compare_row(check);
    if (!check->is_wanted || check->fde.start == check->fde.end)
        return;
    unsigned extra = 0;
    while (prof_rows_next(&check->ours))
        extra++;
    if (check->ours.is_bad || (had_rows && extra != 0))
        mismatch(check, "we have more rows, or fewer");
    check->is_wanted = false;
}

static void begin_fde(struct check *check, const char *line)
{
    uint64_t offset = strtoull(line, NULL, 16);
    const char *range = strstr(line, " pc=");
    uint64_t start, end;
    check->is_wanted = check->fdes++ % check->every == 0;
    check->row[0] = '\0';
    if (!check->is_wanted || range == NULL ||
        sscanf(range, " pc=%" SCNx64 "..%" SCNx64, &start, &end) != 2)
        return;
    if (prof_fde_next(check->source, &offset, &check->fde) != PROF_ENTRY_FDE ||
        check->fde.start != start || check->fde.end != end) {
        check->ours.start = start;
        mismatch(check, "we read no such FDE");
        check->is_wanted = false;
        return;
    }
    prof_rows_begin(&check->ours, &check->fde);
}

/* "LOC CFA rbx ra": which register each cell of the rows below is of. */
static void read_heading(struct check *check, char *line)
{
    char *rest = line;
    check->column_count = 0;
    (void)strtok_r(rest, " \n", &rest);
    (void)strtok_r(NULL, " \n", &rest);
    for (char *name; (name = strtok_r(NULL, " \n", &rest)) != NULL &&
                     check->column_count < COLUMNS_MAX;)
        check->columns[check->column_count++] = column_of(name);
}

static void select_section(struct check *check, const char *line)
{
    if (strstr(line, ".debug_frame") != NULL)
        check->source = &check->text->debug_frame;
    else if (strstr(line, ".eh_frame ") != NULL)
        check->source = &check->text->eh_frame;
    else
        check->source = NULL;
    check->is_wanted = false;
}

static void read_row(struct check *check, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    /* A line at the same pc replaces the one before: an empty row. */
    if (check->has_row &&
        strtoull(check->row, NULL, 16) != strtoull(line, NULL, 16))
        compare_row(check);
    (void)snprintf(check->row, sizeof check->row, "%s", line);
    check->has_row = true;
}

static void read_line(struct check *check, char *line)
{
    if (strncmp(line, "Contents of the ", 16) == 0) {
        end_fde(check);
        select_section(check, line);
    } else if (check->source == NULL) {
        return;
    } else if (strstr(line, " FDE cie=") != NULL) {
        end_fde(check);
        begin_fde(check, line);
    } else if (strstr(line, " CIE ") || strstr(line, " ZERO terminator")) {
        end_fde(check);
        check->is_wanted = false;
    } else if (strncmp(line, "   LOC", 6) == 0) {
        read_heading(check, line);
    } else if (check->is_wanted && isxdigit((unsigned char)line[0])) {
        read_row(check, line);
    }
}

static int read_table(struct check *check, const char *path)
{
    char command[4200], line[512];
    if (strchr(path, '\'') != NULL)
        return SKIP;
    (void)snprintf(
        command, sizeof command, "LC_ALL=C readelf -wF '%s' 2>/dev/null", path);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL)
        return SKIP;
    while (fgets(line, sizeof line, pipe) != NULL)
        read_line(check, line);
    end_fde(check);
    (void)pclose(pipe);
    printf(
        "%s: %lu FDEs, %lu rows compared, %lu differ\n", path, check->fdes,
        check->rows, check->mismatches);
    if (check->rows == 0)
        return SKIP;
    return check->mismatches == 0 ? 0 : 1;
}

static int check_file(int fd, const char *path, unsigned long every)
{
    static struct check check;
    struct prof_image *image;
    struct prof_text text;
    struct diag diag = {.text = ""};
    if (prof_image_open(fd, path, &image, &diag) != STATUS_OK) {
        fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    if (prof_image_build_rows(image, &diag) != STATUS_OK)
        fprintf(stderr, "no table of rows: %s\n", diag.text);
    int result = SKIP;
    if (prof_image_texts(image, 0, &text, 1) == 1) {
        check.text = &text;
        check.every = every;
        result = read_table(&check, path);
    }
    prof_image_close(image);
    return result;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return SKIP;
    unsigned long every = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    int result = check_file(fd, argv[1], every > 0 ? every : 1);
    (void)close(fd);
    return result;
}
