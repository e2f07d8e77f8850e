/* Mangled C++, Rust and D names, as a person writes them. */
#ifndef SYMBOLIZER_DEMANGLE_H
#define SYMBOLIZER_DEMANGLE_H

#include <stddef.h>

/*
 * The longest result that is accepted. A few bytes of mangled text can stand
 * for gigabytes, since each substitution may double what came before; a name
 * that outgrows this stays mangled.
 */
#define SYM_DEMANGLED_BYTES 16384

/*
 * Demangle into `text`, NUL included. The hash at the end of Rust's older
 * names is dropped, so that two builds of one program agree. A "@plt" at the
 * end stays.
 *
 *   returns  the length, 0 when `name` is not mangled or the result too long
 */
size_t sym_demangle(const char *name, char *text, size_t text_bytes);

/*
 * Shorten a demangled name in place: what stands between the angle brackets of
 * templates becomes "...", which leaves std::map<...>::find(int const&) of a
 * line or two. Operators keep theirs, and so do brackets that no name stands
 * before, which in Rust hold what a method belongs to: <Vec<...> as
 * Drop>::drop. A name whose brackets do not match stays as it is.
 */
void sym_demangled_shorten(char *name);

#endif
