/* Published facts: tables of comma-separated fields (RFC 4180 quotes) that the program
 * carries (data/), or a file of the same form. The first line that is no comment names
 * the columns; a name ending in # is a column of numbers; the last is `source`.
 *
 * A row without a source is refused, and so is a number that is none: nothing of such a
 * table is used. An empty field is not known: "" or NAN. */
#ifndef SYSTOLE_REPORT_RECORDS_H
#define SYSTOLE_REPORT_RECORDS_H

#include <stddef.h>

typedef struct systole_records systole_records;

/* `text` is a whole table; `where` stands in the story when it is refused. Returns an
 * exit code. */
int systole_records_parse(systole_records **out, const char *where, const char *text);

/* A table of data/ by the name of its file, "devices". */
int systole_records_builtin(systole_records **out, const char *name);

/* A file of the same form as the built-in table `name`: its columns must be the same.
 * Files beyond 1 MiB are refused. */
int systole_records_file(systole_records **out, const char *name, const char *path);

void systole_records_free(systole_records *records);

size_t systole_records_count(const systole_records *records); /* NULL: 0 */

/* The field under a column (without its #). A column that is not there is a fault of the
 * program (assert). */
const char *systole_records_text(const systole_records *records, size_t row,
                                 const char *column);
double systole_records_number(const systole_records *records, size_t row,
                              const char *column);

#endif
