/* AVX-VNNI: 32 MACs an instruction. vpdpbusd multiplies unsigned by signed bytes and adds
 * without saturation, so b + 128 is stored as the unsigned operand and 128 x (row sum of
 * A) is subtracted at the start: exact modulo 2^32 for every int8 input. The instruction
 * of laptops since 2021; its encoding differs from that of AVX512-VNNI, which such CPUs
 * lack. */
#include "tile.h"
#include "x86.h"

#if SYSTOLE_X86_AVX_VNNI
#define TILE_TARGET __attribute__((target("avx2,avxvnni")))
#define TILE_VECTOR __m256i
#define TILE_LANES 8
#define TILE_LOAD(p) _mm256_loadu_si256((const void *)(p))
#define TILE_STORE(p, v) _mm256_storeu_si256((void *)(p), v)
#define TILE_SPLAT(x) _mm256_set1_epi32(x)
#define TILE_ADD(x, y) _mm256_add_epi32(x, y)
#define TILE_DOT(acc, b, a) \
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(b), "x"(a))
#define TILE_GROUP 4
#define TILE_SUMS 12
#define TILE_MACS 32
#include "tile_body.h"

TILE_FUNCTION(1)
TILE_FUNCTION(2)
TILE_FUNCTION(3)
TILE_FUNCTION(4)
TILE_FUNCTION(5)
TILE_FUNCTION(6)

static tile_function *const by_rows[] = {
    tile_rows_1, tile_rows_2, tile_rows_3, tile_rows_4, tile_rows_5, tile_rows_6,
};

static void run(int rows, int64_t panels, int64_t groups, const uint8_t *a,
                const uint8_t *b, int64_t panel_bytes, const int32_t *row_start,
                const int32_t *column_start, int accumulate, int32_t *c, int64_t ldc) {
  by_rows[rows - 1](panels, groups, a, b, panel_bytes, row_start, column_start,
                    accumulate, c, ldc);
}

static int supported(void) {
  /* Leaf 7, sub-leaf 1, EAX bit 4 (Intel SDM volume 2A, CPUID); not every compiler's
   * __builtin_cpu_supports knows the name. That the system saves ymm is AVX2's test. */
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __builtin_cpu_supports("avx2") &&
         __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1);
}

const systole_cpu_tile systole_tile_avx_vnni = {
    .name = "avx-vnni",
    .instruction = "vpdpbusd ymm",
    .needs = "an x86 CPU with AVX-VNNI",
    .rows = 6,
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
SYSTOLE_TILE_ABSENT(systole_tile_avx_vnni, "avx-vnni", "vpdpbusd ymm",
                    "an x86 CPU with AVX-VNNI, and a compiler that knows it")
#endif
