/* Runs the built program and keeps what it said. */
#ifndef SYSTOLE_TESTS_SYSTEM_SPAWN_H
#define SYSTOLE_TESTS_SYSTEM_SPAWN_H

#include <cjson/cJSON.h>
#include <stddef.h>

typedef struct spoken {
  int code;    /* exit code; 128 + n when a signal ended it */
  char *out;   /* standard output */
  char *error; /* standard error */
} spoken;

typedef struct spawn_options {
  const char *path;       /* PATH; NULL: as it is */
  const char *out_file;   /* standard output goes there instead; NULL: kept */
  int interrupt_after_ms; /* SIGINT then; 0: never */
  int interrupt_twice;    /* and once more 50 ms later */
} spawn_options;

/* argument list ends with NULL; argv[0] is added. options may be NULL. The three of a
 * result stay until spoken_free. */
spoken spawn(const spawn_options *options, ...);
void spoken_free(spoken *result);

/* A folder of its own, removed with all in it by folder_remove. */
void folder_make(char out[64]);
void folder_remove(const char *folder);

/* "folder/name" in a buffer that lives until the fourth call after. */
const char *in(const char *folder, const char *name);

/* Entries of a folder, without "." and ".."; -1 when it is not there. */
int entries(const char *folder);
int exists(const char *path);
void write_file(const char *path, const void *data, size_t size);

/* int8, C order. */
void write_npy(const char *path, const char *descr, long rows, long cols,
               const void *data, size_t bytes);

/* The one object on standard output, and nothing else there; asserts that. */
cJSON *json_of(const spoken *result);
double json_number(const cJSON *object, const char *key);

#endif
