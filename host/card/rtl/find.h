/* Where the libraries of the Verilated models are. */
#ifndef SYSTOLE_CARD_RTL_FIND_H
#define SYSTOLE_CARD_RTL_FIND_H

#include <stddef.h>

enum { SYSTOLE_RTL_PATH_BYTES = 4096, SYSTOLE_RTL_LARGEST_DIM = 256 };

/* What tells one model of a size from another. */
typedef struct systole_rtl_variant {
  int dim;
  int readable; /* 1: the array of PE modules */
  int debug;    /* 1: checks the RTL's assertions, able to write waveforms */
} systole_rtl_variant;

/* "libsystole_rtl_16_readable_debug.so". `name` holds 64 bytes. */
void systole_rtl_file_name(char *name, systole_rtl_variant variant);

/* Finds the model's library and puts its path into `path` (SYSTOLE_RTL_PATH_BYTES).
 * Looked at are, in this order: the folders in the environment variable SYSTOLE_RTL_PATH
 * (separated by colons), the folder of libsystole (or of the program it is linked into),
 * `systole` in it and the one above, and the folder that models are installed to. Returns
 * 1, or 0 when it is in none of them. */
int systole_rtl_find(char *path, systole_rtl_variant variant);

/* The same for any file that is loaded when a device is opened. `name` has at most 63
 * bytes. */
int systole_rtl_find_file(char *path, const char *name);

/* The same folders as text, separated by ", ". */
void systole_rtl_folders(char *text, size_t bytes);

#endif
