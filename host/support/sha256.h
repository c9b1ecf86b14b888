/* SHA-256 (FIPS 180-4, sections 4.1.2, 5.3.3 and 6.2): the digests of passports and
 * recordings. Own code, so that library and program build on a card's machine with a
 * compiler alone; the tests hold it against the standard's examples. */
#ifndef SYSTOLE_SUPPORT_SHA256_H
#define SYSTOLE_SUPPORT_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SYSTOLE_SHA256_BYTES = 32, SYSTOLE_SHA256_TEXT = 65 };

typedef struct systole_sha256 {
  uint32_t state[8];
  uint64_t bytes; /* seen so far */
  uint8_t block[64];
} systole_sha256;

void systole_sha256_begin(systole_sha256 *hash);
void systole_sha256_add(systole_sha256 *hash, const void *data, size_t bytes);
void systole_sha256_end(systole_sha256 *hash, uint8_t digest[SYSTOLE_SHA256_BYTES]);

/* All at once. */
void systole_sha256_of(uint8_t digest[SYSTOLE_SHA256_BYTES], const void *data,
                       size_t bytes);

/* 64 lower-case hexadecimal digits, as sha256sum prints them. */
void systole_sha256_text(char text[SYSTOLE_SHA256_TEXT],
                         const uint8_t digest[SYSTOLE_SHA256_BYTES]);

#endif
