/* SSE2: 8 MACs an instruction on int16. vpmaddwd adds two products of at most 2^14 each
 * in int32, so nothing saturates: exact modulo 2^32 for every int8 input. Every x86-64
 * CPU has it. */
#include "tile.h"
#include "x86.h"

#if SYSTOLE_X86
#define TILE_TARGET __attribute__((target("sse2")))
#define TILE_VECTOR __m128i
#define TILE_LANES 4
#define TILE_LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define TILE_STORE(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)
#define TILE_SPLAT(x) _mm_set1_epi32(x)
#define TILE_ADD(x, y) _mm_add_epi32(x, y)
#define TILE_DOT(acc, b, a)                                   \
  do {                                                        \
    TILE_VECTOR product;                                      \
    __asm__("movdqa %2, %1\n\tpmaddwd %3, %1\n\tpaddd %1, %0" \
            : "+x"(acc), "=&x"(product)                       \
            : "x"(b), "x"(a));                                \
  } while (0)
#define TILE_GROUP 2
#define TILE_SUMS 8
#define TILE_MACS 8
#include "tile_body.h"

TILE_FUNCTION(1)
TILE_FUNCTION(2)
TILE_FUNCTION(3)
TILE_FUNCTION(4)

static tile_function *const by_rows[] = {
    tile_rows_1,
    tile_rows_2,
    tile_rows_3,
    tile_rows_4,
};

static void run(int rows, int64_t panels, int64_t groups, const uint8_t *a,
                const uint8_t *b, int64_t panel_bytes, const int32_t *row_start,
                const int32_t *column_start, int accumulate, int32_t *c, int64_t ldc) {
  by_rows[rows - 1](panels, groups, a, b, panel_bytes, row_start, column_start,
                    accumulate, c, ldc);
}

static int supported(void) { return 1; }

const systole_cpu_tile systole_tile_sse2_pmaddwd = {
    .name = "sse2-pmaddwd",
    .instruction = "pmaddwd xmm",
    .needs = "an x86-64 CPU",
    .rows = 4,
    .columns = TILE_COLUMNS,
    .group = TILE_GROUP,
    .offset_b = 0,
    .supported = supported,
    .pack_a = tile_pack_a,
    .run = run,
    .epilogue = tile_epilogue,
    .peak = tile_peak,
};
#else
SYSTOLE_TILE_ABSENT(systole_tile_sse2_pmaddwd, "sse2-pmaddwd", "pmaddwd xmm",
                    "an x86-64 CPU, and a compiler that knows it")
#endif
