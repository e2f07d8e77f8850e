/*
 * watchfire symbolize: addresses in, functions, files and lines out. Options
 * and output are those of GNU addr2line, so that it can stand in its place; a
 * line of the input that is no address is answered as unknown, as addr2line
 * does, for callers count the answers, but is also complained about.
 */
#include "tools/tool.h"

#include <getopt.h>
#include <libiberty/libiberty.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exporters/writer.h"
#include "symbolizer/symbolizer.h"
#include "tools/address_input.h"
#include "tools/open_symbolizer.h"
#include "tools/symbolize_output.h"

struct request {
    const char *path, *section;
    bool is_json, is_help, is_version;
    struct symbolize_style style;

    struct exp_writer *writer;
    struct sym_symbolizer *symbolizer;
    struct sym_module *module;
    uint64_t section_vaddr, section_bytes;
    uint64_t bad_count; /* lines that are no addresses */
};

static const char symbolize_help[] =
    "Usage: watchfire symbolize [-e FILE] [OPTION]... [ADDRESS]...\n"
    "Tell function, file and line of addresses in a program or library, as\n"
    "addr2line does. Without any ADDRESS they are read from standard input,\n"
    "one a line, and each is answered at once.\n"
    "\n"
    "  -e, --exe=FILE         the program or library; a.out unless given\n"
    "  -a, --addresses        print each address before its answer\n"
    "  -f, --functions        print the function's name\n"
    "  -i, --inlines          print the callers an address was inlined into\n"
    "  -C, --demangle         print names as a person writes them\n"
    "      --short-names      the same, without arguments of templates: "
    "map<...>\n"
    "  -p, --pretty-print     one line for each frame\n"
    "  -s, --basenames        leave folders out\n"
    "  -j, --section=NAME     addresses count from the start of this section\n"
    "      --json             llvm-symbolizer's JSON, with all of the above\n"
    "  -h, --help             this text\n"
    "  -v, --version          which watchfire this is\n"
    "\n"
    "A word @FILE stands for the words in FILE. -b, -r and -R of addr2line "
    "are\n"
    "taken and not needed.\n"
    "\n"
    "ADDRESS is hexadecimal, as the file itself has it. Exit status: 0 done, "
    "1\n"
    "the file cannot be read or a line of the input is no address, 2 the\n"
    "command line is wrong.\n";

enum { OPTION_JSON = 256, OPTION_SHORT_NAMES };

static const struct option long_options[] = {
    {"exe", required_argument, NULL, 'e'},
    {"addresses", no_argument, NULL, 'a'},
    {"functions", no_argument, NULL, 'f'},
    {"inlines", no_argument, NULL, 'i'},
    {"demangle", optional_argument, NULL, 'C'},
    {"pretty-print", no_argument, NULL, 'p'},
    {"basenames", no_argument, NULL, 's'},
    {"section", required_argument, NULL, 'j'},
    {"short-names", no_argument, NULL, OPTION_SHORT_NAMES},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {"target", required_argument, NULL, 'b'},
    {"recurse-limit", no_argument, NULL, 'R'},
    {"recursion-limit", no_argument, NULL, 'R'},
    {"no-recurse-limit", no_argument, NULL, 'r'},
    {"no-recursion-limit", no_argument, NULL, 'r'},
    {NULL, 0, NULL, 0}};

/* A letter may stand among others: it is named alone. */
static int refuse(int option, char **argv)
{
    const char letter[] = {'-', (char)optopt, '\0'};
    bool is_letter = optopt > 0 && optopt < OPTION_JSON &&
                     strncmp(argv[optind - 1], "--", 2) != 0;
    return say_usage(
        "symbolize",
        option == ':' ? "%s wants an argument" : "%s is not an option",
        is_letter ? letter : argv[optind - 1]);
}

static int take_option(struct request *request, int option, char **argv)
{
    struct symbolize_style *style = &request->style;
    switch (option) {
    case 'e':
        request->path = optarg;
        return EXIT_DONE;
    case 'a':
        style->with_address = true;
        return EXIT_DONE;
    case 'f':
        style->with_function = true;
        return EXIT_DONE;
    case 'i':
        style->with_inlines = true;
        return EXIT_DONE;
    case 'C': /* a style is taken and not needed: names tell their own */
        style->is_demangled = true;
        return EXIT_DONE;
    case OPTION_SHORT_NAMES:
        style->is_demangled = style->is_short = true;
        return EXIT_DONE;
    case 'p':
        style->is_pretty = true;
        return EXIT_DONE;
    case 's':
        style->is_base_name = true;
        return EXIT_DONE;
    case 'j':
        request->section = optarg;
        return EXIT_DONE;
    case OPTION_JSON:
        request->is_json = true;
        return EXIT_DONE;
    case 'h':
    case 'H':
        request->is_help = true;
        return EXIT_DONE;
    case 'v':
        request->is_version = true;
        return EXIT_DONE;
    case 'b': /* files tell what they are, and names are bounded anyhow */
    case 'r':
    case 'R':
        return EXIT_DONE;
    default:
        return refuse(option, argv);
    }
}

static int parse_options(struct request *request, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(
                argc, argv, ":e:afiCpsj:hHvb:rR", long_options, NULL)) != -1) {
        int status = take_option(request, option, argv);
        if (status != EXIT_DONE || request->is_help || request->is_version)
            return status;
    }
    if (request->is_json) {
        request->style.with_inlines = true;
        request->style.is_demangled = true;
    }
    return EXIT_DONE;
}

/* ---- answering ---- */

static enum status open_module(struct request *request, struct diag *diag)
{
    struct sym_options options = {.raw_names = !request->style.is_demangled};
    request->symbolizer = open_symbolizer(&options);
    if (request->symbolizer == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    struct sym_source source = {.kind = SYM_FILE, .path = request->path};
    enum status status =
        sym_module_open(request->symbolizer, &source, &request->module, diag);
    if (status != STATUS_OK)
        return status;
    request->style.module = request->path;
    request->style.address_bytes = sym_module_address_bytes(request->module);
    if (request->section != NULL &&
        !sym_module_section(
            request->module, request->section, &request->section_vaddr,
            &request->section_bytes))
        return fail(
            diag, STATUS_USAGE,
            "'%s' has no section '%s' with bytes in the file; 'readelf -S' "
            "lists them",
            request->path, request->section);
    return STATUS_OK;
}

/* What is at the address; nothing where it lies outside of the section. */
static enum status look_up(
    struct request *request, const struct address *address,
    struct sym_frames *frames, struct diag *diag)
{
    *frames = (struct sym_frames){0};
    bool is_outside =
        request->section != NULL && address->value >= request->section_bytes;
    if (!address->is_number || is_outside)
        return STATUS_OK;
    return sym_module_lookup(
        request->module, request->section_vaddr + address->value, frames, diag);
}

static enum status answer(
    struct request *request, struct exp_json *json,
    const struct address *address, struct diag *diag)
{
    struct sym_frames frames;
    enum status status = look_up(request, address, &frames, diag);
    if (status != STATUS_OK)
        return status;
    if (!address->is_number && request->bad_count++ == 0)
        say("'%s' is not a hexadecimal address", address->text);
    if (!request->is_json)
        symbolize_write_text(
            request->writer, &request->style, address->value, &frames);
    else if (address->is_number)
        symbolize_write_json(json, &request->style, address->value, &frames);
    else
        symbolize_write_json_error(json, &request->style, address->text);
    return exp_writer_status(request->writer);
}

static void flush(void *context)
{
    const struct request *request = context;
    struct diag diag; /* a failure sticks and is told at the end */
    (void)!exp_writer_finish(request->writer, "standard output", &diag);
}

/* As LLVM does: the answers to a command line are one array, those to a
   stream are objects on lines of their own. */
static enum status answer_all(
    struct request *request, struct address_input *input, struct diag *diag)
{
    struct exp_json json = exp_json_init(request->writer, EXP_JSON_COMPACT);
    bool is_array = request->is_json && input->words != NULL;
    if (is_array)
        exp_json_begin_array(&json);
    struct address address;
    enum status status, answered = STATUS_OK;
    while (answered == STATUS_OK &&
           address_input_next(input, &address, &status, diag)) {
        answered = answer(request, &json, &address, diag);
        if (request->is_json && !is_array)
            exp_write_char(request->writer, '\n');
    }
    if (is_array) {
        exp_json_end(&json);
        exp_write_char(request->writer, '\n');
    }
    return answered == STATUS_OK ? status : answered;
}

/* On the command line a word that is no address is a mistake: nothing is
   answered. */
static int check_words(struct address_input input)
{
    struct address address;
    enum status status;
    while (input.words != NULL &&
           address_input_next(&input, &address, &status, NULL)) {
        if (!address.is_number)
            return say_usage(
                "symbolize", "'%s' is not a hexadecimal address", address.text);
    }
    return EXIT_DONE;
}

static int run(struct request *request, struct address_input *input)
{
    struct diag diag = {.status = STATUS_OK};
    request->writer = exp_writer_create(STDOUT_FILENO);
    enum status status = request->writer == NULL
                             ? fail(&diag, STATUS_NO_MEMORY, "out of memory")
                             : open_module(request, &diag);
    if (status == STATUS_OK)
        status = answer_all(request, input, &diag);
    if (request->writer != NULL &&
        exp_writer_finish(request->writer, "standard output", &diag) !=
            STATUS_OK)
        status = diag.status;
    if (status == STATUS_OK && sym_module_problem(request->module)[0] != '\0')
        say("%s", sym_module_problem(request->module));
    sym_symbolizer_destroy(request->symbolizer);
    exp_writer_destroy(request->writer);
    if (status != STATUS_OK)
        return say_failure(&diag);
    return request->bad_count > 0 ? EXIT_FAILED : EXIT_DONE;
}

static int main_of_words(int argc, char **argv)
{
    struct request request = {.path = "a.out"};
    int status = parse_options(&request, argc, argv);
    if (request.is_help) {
        (void)fputs(symbolize_help, stdout);
        return EXIT_DONE;
    }
    if (request.is_version) {
        (void)puts("watchfire " WATCHFIRE_VERSION);
        return EXIT_DONE;
    }
    struct address_input input = {
        .words = optind < argc ? argv + optind : NULL,
        .word_count = argc - optind,
        .fd = STDIN_FILENO,
        .before_read = flush,
        .context = &request};
    if (status == EXIT_DONE)
        status = check_words(input);
    return status == EXIT_DONE ? run(&request, &input) : status;
}

/* Files of words are read by the function that all of binutils use. */
int symbolize_main(int argc, char **argv)
{
    char **words = argv;
    expandargv(&argc, &words);
    int status = main_of_words(argc, words);
    if (words != argv)
        freeargv(words);
    return status;
}
