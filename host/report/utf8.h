/* Names and paths come from outside and may hold any byte; JSON, XML and HTML may not. */
#ifndef SYSTOLE_REPORT_UTF8_H
#define SYSTOLE_REPORT_UTF8_H

#include <stdio.h>

/* Length of the letter at `text`, 1 ... 4 bytes; 0 when no valid letter of UTF-8 begins
 * there (Unicode 15, table 3-7). */
int systole_utf8_letter(const char *text);

/* The text with U+FFFD in place of every byte that belongs to no letter. */
void systole_utf8_put(FILE *file, const char *text);

/* XML 1.0: its five special letters escaped, what it does not allow replaced. */
void systole_xml_put(FILE *file, const char *text);

#endif
