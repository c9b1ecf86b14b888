/* RFC 4648, section 4: what data: addresses of a self-contained page are made of. */
#ifndef SYSTOLE_REPORT_BASE64_H
#define SYSTOLE_REPORT_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void systole_base64(FILE *out, const uint8_t *data, size_t size);

/* Writes a file's content; returns 0 when it cannot be read. */
int systole_base64_file(FILE *out, const char *path);

#endif
