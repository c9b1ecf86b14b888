/* Figures as people read them. Every function writes into the caller's buffer and returns
 * it. */
#ifndef SYSTOLE_CLI_TEXT_H
#define SYSTOLE_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { SystoleText = 48 };

/* 66900 -> "66,900" */
char *systole_text_count(char out[SystoleText], uint64_t value);

/* 132096 -> "129 KiB" */
char *systole_text_bytes(char out[SystoleText], uint64_t bytes);

/* 0.000223 -> "223 us" */
char *systole_text_seconds(char out[SystoleText], double seconds);

/* Three significant digits, without an exponent: 0.0123, 1.23, 123, 1234 */
char *systole_text_figure(char out[SystoleText], double value);

/* A bar of `part` (0 ... 1) of `width` columns; block characters where the terminal's
 * character set has them, else '#'. out must hold 3 * width + 4 bytes. */
char *systole_text_bar(char *out, double part, int width);

/* 1 when standard output takes UTF-8. */
int systole_text_unicode(void);

/* Escape sequences when standard output is a terminal and NO_COLOR is unset, else "". */
const char *systole_text_bold(void);
const char *systole_text_good(void);
const char *systole_text_bad(void);
const char *systole_text_dim(void);
const char *systole_text_plain(void);

#endif
