#include "pack.h"

#include <stddef.h>
#include <string.h>

#include "x86.h"

void systole_pack_a(uint8_t *to, int32_t *row_sum, int group, const int8_t *a,
                    int64_t lda, int64_t rows, int64_t depth) {
  const int64_t groups = (depth + group - 1) / group;
  for (int64_t i = 0; i < rows; i++) {
    const int8_t *row = a + i * lda;
    int32_t sum = 0; /* at most 1024 x 128 */
    for (int64_t g = 0; g < groups; g++) {
      int8_t bytes[4] = {0, 0, 0, 0};
      for (int64_t r = 0; r < group && g * group + r < depth; r++) {
        bytes[r] = row[g * group + r];
        sum += bytes[r];
      }
      uint8_t *place = to + (g * rows + i) * SYSTOLE_PACK_GROUP_BYTES;
      if (group == 4) {
        memcpy(place, bytes, 4);
      } else {
        const int16_t pair[2] = {bytes[0], bytes[1]};
        memcpy(place, pair, 4);
      }
    }
    if (row_sum != NULL) row_sum[i] = sum;
  }
}

#if SYSTOLE_X86
/* Four whole rows of 16 columns. SSE2, which every x86-64 CPU has. */
static void interleave_bytes(uint8_t *to, const int8_t *b, int64_t ldb, int64_t columns,
                             uint8_t flip) {
  const __m128i mask = _mm_set1_epi8((char)flip);
  for (int64_t j = 0; j < columns; j += 16) {
    __m128i row[4];
    for (int r = 0; r < 4; r++) {
      row[r] = _mm_loadu_si128((const __m128i *)(const void *)(b + r * ldb + j));
      row[r] = _mm_xor_si128(row[r], mask);
    }
    const __m128i low01 = _mm_unpacklo_epi8(row[0], row[1]);
    const __m128i high01 = _mm_unpackhi_epi8(row[0], row[1]);
    const __m128i low23 = _mm_unpacklo_epi8(row[2], row[3]);
    const __m128i high23 = _mm_unpackhi_epi8(row[2], row[3]);
    __m128i *out = (__m128i *)(void *)(to + 4 * j);
    _mm_storeu_si128(out + 0, _mm_unpacklo_epi16(low01, low23));
    _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(low01, low23));
    _mm_storeu_si128(out + 2, _mm_unpacklo_epi16(high01, high23));
    _mm_storeu_si128(out + 3, _mm_unpackhi_epi16(high01, high23));
  }
}

/* Two whole rows of 8 columns, widened to int16. */
static void interleave_words(uint8_t *to, const int8_t *b, int64_t ldb, int64_t columns) {
  for (int64_t j = 0; j < columns; j += 8) {
    const __m128i bytes0 = _mm_loadl_epi64((const __m128i *)(const void *)(b + j));
    const __m128i bytes1 = _mm_loadl_epi64((const __m128i *)(const void *)(b + ldb + j));
    const __m128i row0 = _mm_srai_epi16(_mm_unpacklo_epi8(bytes0, bytes0), 8);
    const __m128i row1 = _mm_srai_epi16(_mm_unpacklo_epi8(bytes1, bytes1), 8);
    __m128i *out = (__m128i *)(void *)(to + 4 * j);
    _mm_storeu_si128(out + 0, _mm_unpacklo_epi16(row0, row1));
    _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(row0, row1));
  }
}

/* Packs the whole groups of a whole panel; returns how many rows of B that were. */
static int64_t interleave(uint8_t *to, int64_t group, uint8_t flip, int64_t columns,
                          const int8_t *b, int64_t ldb, int64_t depth) {
  if (columns % (group == 4 ? 16 : 8) != 0) return 0;
  int64_t k = 0;
  for (; k + group <= depth; k += group) {
    if (group == 4) {
      interleave_bytes(to, b + k * ldb, ldb, columns, flip);
    } else {
      interleave_words(to, b + k * ldb, ldb, columns);
    }
    to += SYSTOLE_PACK_GROUP_BYTES * columns;
  }
  return k;
}
#else
static int64_t interleave(uint8_t *to, int64_t group, uint8_t flip, int64_t columns,
                          const int8_t *b, int64_t ldb, int64_t depth) {
  (void)to, (void)group, (void)flip, (void)columns, (void)b, (void)ldb, (void)depth;
  return 0;
}
#endif

void systole_pack_b(uint8_t *to, int group, uint8_t flip, int columns, const int8_t *b,
                    int64_t ldb, int64_t depth, int64_t width) {
  int64_t k = 0;
  if (width == columns) k = interleave(to, group, flip, columns, b, ldb, depth);
  for (; k < depth; k += group) {
    uint8_t *at = to + k / group * SYSTOLE_PACK_GROUP_BYTES * columns;
    for (int64_t j = 0; j < columns; j++) {
      int8_t bytes[4] = {0, 0, 0, 0};
      for (int64_t r = 0; r < group && k + r < depth && j < width; r++) {
        bytes[r] = (int8_t)(b[(k + r) * ldb + j] ^ (int8_t)flip);
      }
      if (group == 4) {
        memcpy(at + 4 * j, bytes, 4);
      } else {
        const int16_t pair[2] = {bytes[0], bytes[1]};
        memcpy(at + 4 * j, pair, 4);
      }
    }
  }
}
