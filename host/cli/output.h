/* An output file that is complete or not there: it is written under a temporary name
 * beside its final one and renamed when everything arrived. What is no regular file (a
 * pipe, a terminal, /dev/null) is written directly, since there is nothing to rename. */
#ifndef SYSTOLE_CLI_OUTPUT_H
#define SYSTOLE_CLI_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

typedef struct systole_output systole_output;

/* Opens `path` for writing. Returns 0, or an exit code with a story: a place that cannot
 * be written is SYSTOLE_EXIT_USAGE, a full disk SYSTOLE_EXIT_EXHAUSTED. */
int systole_output_open(systole_output **out, const char *path);

FILE *systole_output_file(systole_output *output);

/* Where the file lies until it is complete, for those who write it by its name; NULL when
 * it is written directly. Borrowed. */
const char *systole_output_temporary(const systole_output *output);

/* Flushes, closes and renames; frees the object in every case. On failure nothing is
 * left. */
int systole_output_commit(systole_output *output);

/* Removes what was written. Accepts NULL. */
void systole_output_discard(systole_output *output);

/* Open, write, commit. */
int systole_output_write(const char *path, const void *data, size_t bytes);

#endif
