/* Body of a register tile, included once by each tile_*.c after it has defined:
 *   TILE_NAME         C identifier of the table: systole_tile_NAME
 *   TILE_TARGET       function attribute that switches the instruction set on
 *   TILE_VECTOR       vector type of TILE_LANES int32
 *   TILE_LOAD(p) TILE_STORE(p, v) TILE_SPLAT(x) TILE_ADD(x, y)
 *   TILE_DOT(acc, b, a)    acc += dot products of the groups of b and a, as assembly:
 *                     compilers copy the accumulator of the intrinsic and run out of
 * registers TILE_GROUP        4: groups of int8, 2: of int16 TILE_SUMS         registers
 * that hold sums; the others hold B and A TILE_MACS         MACs of one TILE_DOT
 *
 * Few rows take more columns at once: each sum waits for its last addition, and only
 * independent sums keep the multipliers busy.
 */
#include <string.h>

#include "engine/epilogue_body.h"
#include "pack.h"

#if defined(__clang__)
#define TILE_UNROLL _Pragma("unroll")
#else
#define TILE_UNROLL _Pragma("GCC unroll 32")
#endif

/* A panel is two vectors wide; of each group it has this many bytes. */
enum { TILE_COLUMNS = 2 * TILE_LANES, TILE_VECTOR_BYTES = 4 * TILE_LANES };

static inline __attribute__((always_inline)) TILE_TARGET TILE_VECTOR
tile_broadcast(const uint8_t *group) {
  int32_t word;
  memcpy(&word, group, sizeof word);
  return TILE_SPLAT(word);
}

/* `rows` and `vectors` are constants at every call, so that the sums become registers. */
static inline __attribute__((always_inline)) TILE_TARGET void tile_block(
    const int64_t rows, const int64_t vectors, int64_t groups, const uint8_t *a,
    const uint8_t *b, int64_t panel_bytes, const int32_t *row_start,
    const int32_t *column_start, int accumulate, int32_t *c, int64_t ldc) {
  TILE_VECTOR sum[TILE_SUMS];
  TILE_VECTOR vb[TILE_SUMS];
  TILE_UNROLL
  for (int64_t i = 0; i < rows; i++) {
    const TILE_VECTOR row = TILE_SPLAT(row_start[i]);
    TILE_UNROLL
    for (int64_t v = 0; v < vectors; v++) {
      /* C is needed at the end; it comes from far while the sums are made. */
      __builtin_prefetch(c + i * ldc + v * TILE_LANES, 1);
      sum[i * vectors + v] = row;
    }
  }
  const int64_t panel_group_bytes = (int64_t)2 * TILE_VECTOR_BYTES;
  for (int64_t g = 0; g < groups; g++) {
    TILE_UNROLL
    for (int64_t v = 0; v < vectors; v++) {
      vb[v] = TILE_LOAD(b + (v / 2) * panel_bytes + (v % 2) * TILE_VECTOR_BYTES);
    }
    TILE_UNROLL
    for (int64_t i = 0; i < rows; i++) {
      const TILE_VECTOR va = tile_broadcast(a + 4 * i);
      TILE_UNROLL
      for (int64_t v = 0; v < vectors; v++) TILE_DOT(sum[i * vectors + v], vb[v], va);
    }
    a += 4 * rows;
    b += panel_group_bytes;
  }
  TILE_UNROLL
  for (int64_t i = 0; i < rows; i++) {
    TILE_UNROLL
    for (int64_t v = 0; v < vectors; v++) {
      int32_t *to = c + i * ldc + v * TILE_LANES;
      const int32_t *start = accumulate ? to : column_start + v * TILE_LANES;
      TILE_STORE(to, TILE_ADD(TILE_LOAD(start), sum[i * vectors + v]));
    }
  }
}

/* One function per number of rows: inside, everything is constant. */
#define TILE_FUNCTION(ROWS)                                                             \
  static TILE_TARGET void tile_rows_##ROWS(                                             \
      int64_t panels, int64_t groups, const uint8_t *a, const uint8_t *b,               \
      int64_t panel_bytes, const int32_t *row_start, const int32_t *column_start,       \
      int accumulate, int32_t *c, int64_t ldc) {                                        \
    enum {                                                                              \
      Fit = TILE_SUMS / (2 * (ROWS)),                                                   \
      Wide = Fit >= 4   ? 4                                                             \
             : Fit >= 2 ? 2                                                             \
                        : 1, /* panels at once */                                       \
      Vectors = 2 * Wide,                                                               \
    };                                                                                  \
    int64_t p = 0;                                                                      \
    for (; p + Wide <= panels; p += Wide) {                                             \
      tile_block(ROWS, Vectors, groups, a, b + p * panel_bytes, panel_bytes, row_start, \
                 column_start + p * TILE_COLUMNS, accumulate, c + p * TILE_COLUMNS,     \
                 ldc);                                                                  \
    }                                                                                   \
    for (; p < panels; p++) {                                                           \
      tile_block(ROWS, 2, groups, a, b + p * panel_bytes, panel_bytes, row_start,       \
                 column_start + p * TILE_COLUMNS, accumulate, c + p * TILE_COLUMNS,     \
                 ldc);                                                                  \
    }                                                                                   \
  }

typedef void tile_function(int64_t panels, int64_t groups, const uint8_t *a,
                           const uint8_t *b, int64_t panel_bytes,
                           const int32_t *row_start, const int32_t *column_start,
                           int accumulate, int32_t *c, int64_t ldc);

/* Four groups of one row as one vector of 16 bytes. */
static inline __attribute__((always_inline)) TILE_TARGET __m128i
tile_four_groups(const int8_t *row) {
#if TILE_GROUP == 4
  return _mm_loadu_si128((const __m128i *)(const void *)row);
#else
  const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)row);
  return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
#endif
}

/* Squares of four rows by four groups are transposed in registers; what is left at the
 * bottom and at the right is packed by the portable code's rule. */
static TILE_TARGET void tile_pack_a(uint8_t *to, int32_t *row_sum, const int8_t *a,
                                    int64_t lda, int64_t rows, int64_t depth) {
  const int64_t step = rows * SYSTOLE_PACK_GROUP_BYTES;
  const int64_t square = (int64_t)4 * TILE_GROUP;
  const int64_t whole = depth / square * 4; /* groups in whole squares */
  const int64_t groups = (depth + TILE_GROUP - 1) / TILE_GROUP;
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const int8_t *row = a + i * lda;
    uint8_t *place = to + i * SYSTOLE_PACK_GROUP_BYTES;
    for (int64_t g = 0; g < whole; g += 4) {
      const __m128i r0 = tile_four_groups(row);
      const __m128i r1 = tile_four_groups(row + lda);
      const __m128i r2 = tile_four_groups(row + 2 * lda);
      const __m128i r3 = tile_four_groups(row + 3 * lda);
      const __m128i low01 = _mm_unpacklo_epi32(r0, r1);
      const __m128i low23 = _mm_unpacklo_epi32(r2, r3);
      const __m128i high01 = _mm_unpackhi_epi32(r0, r1);
      const __m128i high23 = _mm_unpackhi_epi32(r2, r3);
      _mm_storeu_si128((__m128i *)(void *)place, _mm_unpacklo_epi64(low01, low23));
      _mm_storeu_si128((__m128i *)(void *)(place + step),
                       _mm_unpackhi_epi64(low01, low23));
      _mm_storeu_si128((__m128i *)(void *)(place + 2 * step),
                       _mm_unpacklo_epi64(high01, high23));
      _mm_storeu_si128((__m128i *)(void *)(place + 3 * step),
                       _mm_unpackhi_epi64(high01, high23));
      place += 4 * step;
      row += square;
    }
  }
  for (; i < rows; i++) {
    for (int64_t g = 0; g < whole; g += 4) {
      uint32_t word[4];
      _mm_storeu_si128((__m128i *)(void *)word,
                       tile_four_groups(a + i * lda + g * TILE_GROUP));
      for (int64_t r = 0; r < 4; r++) {
        memcpy(to + (g + r) * step + i * SYSTOLE_PACK_GROUP_BYTES, word + r, 4);
      }
    }
  }
  if (whole < groups) {
    systole_pack_a(to + whole * step, NULL, TILE_GROUP, a + whole * TILE_GROUP, lda, rows,
                   depth - whole * TILE_GROUP);
  }
#if TILE_GROUP == 4
  /* One lane of a vector per row: groups times ones, summed. */
  TILE_VECTOR sum = TILE_SPLAT(0);
  const TILE_VECTOR ones = TILE_SPLAT(0x01010101);
  for (int64_t g = 0; g < groups; g++) {
    const TILE_VECTOR group = TILE_LOAD(to + g * step);
    TILE_DOT(sum, ones, group);
  }
  int32_t lanes[TILE_LANES];
  TILE_STORE(lanes, sum);
  memcpy(row_sum, lanes, (size_t)rows * sizeof *row_sum);
#else
  memset(row_sum, 0, (size_t)rows * sizeof *row_sum);
#endif
}

static TILE_TARGET void tile_epilogue(int8_t *out, const int32_t *sums, int64_t first,
                                      int64_t count, const systole_epilogue *epilogue) {
  systole_epilogue_span(out, sums, epilogue->bias != NULL ? epilogue->bias + first : NULL,
                        epilogue->multiplier + first, epilogue->shift + first, count,
                        epilogue->zero_point, epilogue->clamp_low, epilogue->clamp_high);
}

static TILE_TARGET double tile_peak(int64_t loops) {
  TILE_VECTOR sum[TILE_SUMS];
  TILE_VECTOR a = TILE_SPLAT(0x01020304);
  TILE_VECTOR b = TILE_SPLAT(0x02010403);
  /* The compiler must not know that two sums could be the same. */
  TILE_UNROLL
  for (int i = 0; i < TILE_SUMS; i++) sum[i] = TILE_SPLAT(i);
  for (int64_t n = 0; n < loops; n++) {
    TILE_UNROLL
    for (int i = 0; i < TILE_SUMS; i++) TILE_DOT(sum[i], b, a);
  }
  TILE_UNROLL
  for (int i = 1; i < TILE_SUMS; i++) sum[0] = TILE_ADD(sum[0], sum[i]);
  int32_t keep[TILE_LANES];
  TILE_STORE(keep, sum[0]);
  __asm__ volatile("" : : "r"(keep) : "memory");
  return (double)loops * TILE_SUMS * TILE_MACS;
}
