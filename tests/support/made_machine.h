/* A made-up machine: a folder with what its /sys and /proc would hold. */
#ifndef SYSTOLE_TESTS_MADE_MACHINE_H
#define SYSTOLE_TESTS_MADE_MACHINE_H

typedef struct systole_made {
  char root[64];
} systole_made;

systole_made systole_made_new(void);
void systole_made_remove(const systole_made *made);

/* Writes a file below the root, folders included. It is replaced as a whole, as the
 * kernel's files are: no reader sees half a number. */
void systole_made_put(const systole_made *made, const char *path, const char *text);
/* The same with a number and a new line. */
void systole_made_number(const systole_made *made, const char *path, long long value);
/* A symbolic link to `target`, which need not exist. */
void systole_made_link(const systole_made *made, const char *path, const char *target);
void systole_made_unlink(const systole_made *made, const char *path);

void systole_made_wait_ms(int ms);

#endif
