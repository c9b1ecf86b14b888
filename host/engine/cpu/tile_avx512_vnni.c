/* AVX512-VNNI: 64 MACs an instruction. vpdpbusd multiplies unsigned by signed bytes and
 * adds without saturation, so b + 128 is stored as the unsigned operand and 128 x (row
 * sum of A) is subtracted at the start: exact modulo 2^32 for every int8 input. */
#include "tile.h"
#include "x86.h"

#if SYSTOLE_X86_AVX512_VNNI
#define TILE_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define TILE_VECTOR __m512i
#define TILE_LANES 16
#define TILE_LOAD(p) _mm512_loadu_si512((const void *)(p))
#define TILE_STORE(p, v) _mm512_storeu_si512((void *)(p), v)
#define TILE_SPLAT(x) _mm512_set1_epi32(x)
#define TILE_ADD(x, y) _mm512_add_epi32(x, y)
#define TILE_DOT(acc, b, a) __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(b), "v"(a))
#define TILE_GROUP 4
#define TILE_SUMS 28
#define TILE_MACS 64
#include "tile_body.h"

TILE_FUNCTION(1)
TILE_FUNCTION(2)
TILE_FUNCTION(3)
TILE_FUNCTION(4)
TILE_FUNCTION(5)
TILE_FUNCTION(6)
TILE_FUNCTION(7)
TILE_FUNCTION(8)
TILE_FUNCTION(9)
TILE_FUNCTION(10)
TILE_FUNCTION(11)
TILE_FUNCTION(12)
TILE_FUNCTION(13)
TILE_FUNCTION(14)

static tile_function *const by_rows[] = {
    tile_rows_1,  tile_rows_2,  tile_rows_3,  tile_rows_4,  tile_rows_5,
    tile_rows_6,  tile_rows_7,  tile_rows_8,  tile_rows_9,  tile_rows_10,
    tile_rows_11, tile_rows_12, tile_rows_13, tile_rows_14,
};

static void run(int rows, int64_t panels, int64_t groups, const uint8_t *a,
                const uint8_t *b, int64_t panel_bytes, const int32_t *row_start,
                const int32_t *column_start, int accumulate, int32_t *c, int64_t ldc) {
  by_rows[rows - 1](panels, groups, a, b, panel_bytes, row_start, column_start,
                    accumulate, c, ldc);
}

static int supported(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

const systole_cpu_tile systole_tile_avx512_vnni = {
    .name = "avx512-vnni",
    .instruction = "vpdpbusd zmm",
    .needs = "an x86 CPU with AVX512-VNNI",
    .rows = 14,
    .columns = TILE_COLUMNS,
    .group = TILE_GROUP,
    .offset_b = 1,
    .supported = supported,
    .pack_a = tile_pack_a,
    .run = run,
    .epilogue = tile_epilogue,
    .peak = tile_peak,
};
#else
SYSTOLE_TILE_ABSENT(systole_tile_avx512_vnni, "avx512-vnni", "vpdpbusd zmm",
                    "an x86 CPU with AVX512-VNNI, and a compiler that knows it")
#endif
