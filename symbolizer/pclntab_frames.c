/*
 * What is known of a function (runtime/runtime2.go, `_func`):
 *
 *   cell     entry
 *   4 bytes  name, size of arguments, deferreturn
 *   4 bytes  values by pc: of the stack pointer, file, line
 *   4 bytes  how many more values by pc there are
 *   4 bytes  its unit                    since Go 1.16
 *   4 bytes  the line it starts in       since Go 1.20
 *   4 bytes  kind, flags, 0, how much data there is
 *   4 bytes  for each of those values; then, for each kind of data
 *            a word, aligned: its address; since Go 1.18 4 bytes: its offset
 *            in the data of functions
 *
 * Values by pc are pairs of a difference to the value before, zigzag, and a
 * number of quanta that it holds for, in LEB128; the first value is told from
 * -1, and a difference of 0 ends them. Two of them are the file and the line;
 * the third one of the others (PCDATA_InlTreeIndex) is the row of the inlined
 * call in the fourth kind of data (FUNCDATA_InlTree), below 0 for none:
 *
 *   Go 1.16  parent row 2, kind 1, 0 1, file 4, line 4, name 4, parent pc 4
 *   Go 1.20  kind 1, 0 3, name 4, parent pc 4, line of its function 4
 *
 * The parent pc is that of an instruction which belongs to the call site in
 * the caller: what file, line and row are there is what the next frame has.
 * That is what the runtime goes by since Go 1.20, and true before.
 *
 * Inlined calls of Go 1.15 and earlier are left out: there, numbers of values
 * and data changed from version to version, and nothing in the file tells.
 */
#include "symbolizer/pclntab_frames.h"

#include "symbolizer/bytes.h"

enum {
    VALUE_OF_ROW = 2, /* PCDATA_InlTreeIndex */
    DATA_OF_ROWS = 3, /* FUNCDATA_InlTree */

    /* For one answer: the longest function may be a megabyte of code, and the
       compiler inlines some dozen levels. */
    STEP_LIMIT = 1 << 20,
    CALL_LIMIT = 256,
};

struct head {
    uint64_t file, line; /* values by pc */
    uint64_t value_count, unit;
    unsigned data_count;
    struct sym_bytes more; /* what follows */
};

static struct head read_head(
    const struct sym_pclntab *table, const struct sym_pclntab_function *of)
{
    struct sym_bytes bytes = sym_bytes_of(of->head.start, of->head.count, 0);
    sym_bytes_skip(&bytes, table->cell_bytes + 16);
    struct head head = {
        .file = sym_bytes_fixed(&bytes, 4), .line = sym_bytes_fixed(&bytes, 4)};
    head.value_count = sym_bytes_fixed(&bytes, 4);
    if (table->form != SYM_GO_1_2)
        head.unit = sym_bytes_fixed(&bytes, 4);
    if (table->form == SYM_GO_1_20)
        sym_bytes_skip(&bytes, 4);
    sym_bytes_skip(&bytes, 3);
    head.data_count = (unsigned)sym_bytes_fixed(&bytes, 1);
    head.more = bytes;
    return head;
}

/* ---- values by pc ---- */

/* The value at the walk's place, or -1. */
static int32_t value_at(struct sym_pclntab_walk *walk, uint64_t offset)
{
    const struct sym_pclntab *table = walk->table;
    struct sym_bytes bytes =
        sym_bytes_of(table->values.start, table->values.count, offset);
    uint32_t value = UINT32_MAX;
    uint64_t end = 0;
    for (bool is_first = true; offset != 0 && !bytes.is_bad; is_first = false) {
        if (walk->steps_left == 0)
            return -1;
        walk->steps_left--;
        uint32_t change = (uint32_t)sym_bytes_uleb(&bytes);
        if (change == 0 && !is_first)
            return -1;
        value += (change >> 1) ^ (0 - (change & 1));
        end += (uint32_t)sym_bytes_uleb(&bytes) * (uint64_t)table->quantum;
        if (walk->distance < end && !bytes.is_bad)
            return (int32_t)value;
    }
    return -1;
}

/* ---- files ---- */

static const char *file_at(
    const struct sym_pclntab *table, const struct head *head, int32_t number)
{
    if (number < 0)
        return "";
    bool is_old = table->form == SYM_GO_1_2;
    struct sym_section_bytes list = is_old ? table->files : table->units;
    struct sym_section_bytes texts = is_old ? table->bytes : table->files;
    struct sym_bytes entry = sym_bytes_of(
        list.start, list.count, 4 * (head->unit + (uint64_t)number));
    uint64_t offset = sym_bytes_fixed(&entry, 4);
    return entry.is_bad ? ""
                        : sym_bytes_short_text(
                              sym_bytes_of(texts.start, texts.count, offset));
}

/* ---- inlined calls ---- */

struct call {
    uint64_t name, distance; /* of the parent pc */
};

static bool read_call(struct sym_bytes *rows, bool is_late, struct call *call)
{
    sym_bytes_skip(rows, is_late ? 4 : 12);
    call->name = sym_bytes_fixed(rows, 4);
    call->distance = sym_bytes_fixed(rows, 4);
    return !rows->is_bad;
}

/* The rows of a function's inlined calls; none: bad bytes. */
static struct sym_bytes calls_of(
    const struct sym_pclntab *table, const struct head *head)
{
    struct sym_bytes bytes = head->more;
    sym_bytes_skip(&bytes, 4 * head->value_count);
    bool is_address = table->form == SYM_GO_1_16;
    unsigned word = is_address ? table->word_bytes : 4;
    uint64_t before =
        (uint64_t)(bytes.at - (const uint8_t *)table->bytes.start);
    sym_bytes_skip(&bytes, (0 - before) % word);
    sym_bytes_skip(&bytes, (uint64_t)word * DATA_OF_ROWS);
    uint64_t place = sym_bytes_fixed(&bytes, word);
    if (bytes.is_bad || head->data_count <= DATA_OF_ROWS)
        return sym_bytes_of(NULL, 0, 1);
    struct sym_section_bytes data = table->data;
    if (is_address)
        data = sym_image_loaded(table->image, place);
    return sym_bytes_of(data.start, data.count, is_address ? 0 : place);
}

/* The call the walk's place is in, unless it is in the function itself. */
static bool find_call(
    struct sym_pclntab_walk *walk, const struct head *head, struct call *call)
{
    const struct sym_pclntab *table = walk->table;
    struct sym_bytes values = head->more;
    sym_bytes_skip(&values, 4 * VALUE_OF_ROW);
    uint64_t offset = sym_bytes_fixed(&values, 4);
    if (table->form == SYM_GO_1_2 || head->value_count <= VALUE_OF_ROW ||
        values.is_bad)
        return false;
    int32_t row = value_at(walk, offset);
    if (row < 0)
        return false;
    bool is_late = table->form == SYM_GO_1_20;
    struct sym_bytes rows = calls_of(table, head);
    sym_bytes_skip(&rows, (uint64_t)row * (is_late ? 16 : 20));
    return read_call(&rows, is_late, call) &&
           call->distance < walk->function.end - walk->function.vaddr;
}

/* ---- the walk ---- */

struct sym_pclntab_walk sym_pclntab_walk_begin(
    const struct sym_pclntab *table,
    const struct sym_pclntab_function *function, uint64_t vaddr)
{
    return (struct sym_pclntab_walk){
        .table = table,
        .function = *function,
        .distance = vaddr - function->vaddr,
        .steps_left = STEP_LIMIT,
        .calls_left = CALL_LIMIT};
}

bool sym_pclntab_walk_next(
    struct sym_pclntab_walk *walk, struct sym_pclntab_frame *frame)
{
    if (walk->is_over)
        return false;
    struct head head = read_head(walk->table, &walk->function);
    int32_t line = value_at(walk, head.line);
    *frame = (struct sym_pclntab_frame){
        .function = walk->function.name,
        .file = file_at(walk->table, &head, value_at(walk, head.file)),
        .line = line > 0 ? (uint32_t)line : 0};
    struct call call = {0};
    frame->is_inlined = walk->calls_left > 0 && find_call(walk, &head, &call);
    walk->is_over = !frame->is_inlined;
    if (frame->is_inlined) {
        walk->calls_left--;
        frame->function = sym_pclntab_name(walk->table, call.name);
        walk->distance = call.distance;
    }
    return true;
}

bool sym_pclntab_walk_is_damaged(const struct sym_pclntab_walk *walk)
{
    return walk->steps_left == 0 || walk->calls_left == 0;
}
