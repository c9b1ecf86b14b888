/* Small text files of /sys and /proc under a root that tests can choose. */
#ifndef SYSTOLE_ENERGY_FILES_H
#define SYSTOLE_ENERGY_FILES_H

#include <stddef.h>
#include <stdint.h>

enum { SYSTOLE_PATH_BYTES = 512 };

/* root + path, both borrowed; 0 if it does not fit. */
int systole_path(char out[SYSTOLE_PATH_BYTES], const char *root, const char *path);

/* First line of a file, without its end; 0 on failure, errno says why. */
int systole_read_line(const char *path, char *out, size_t bytes);

/* The file's first line as a number that is all of the line; 0 on failure. */
int systole_read_u64(const char *path, uint64_t *out);

/* The file's first line as a whole number, maybe negative, that is all of the line; 0 on
 * failure. */
int systole_read_number(const char *path, double *out);

/* "3b:00.1", "00000000:3B:00.1" and "0000:3b:00.1" name the same PCIe function: the last
 * form in `out`. 0 when `text` is none. */
int systole_pci_address(char out[16], const char *text);

#endif
