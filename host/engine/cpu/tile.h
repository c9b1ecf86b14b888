/* The innermost step of the CPU's own products: one tile of C in vector registers.
 *
 * All tiles share one packed form, so that packing, blocking and threads exist once
 * (blocked.c): a *group* is four bytes of consecutive k, that is four int8, or two int16
 * where the instruction wants those. A row tile of A is [groups][rows][4 bytes], a panel
 * of B [groups][columns][4 bytes]. k is padded with zeros in A, so what stands in B's
 * padding does not matter.
 */
#ifndef SYSTOLE_CPU_TILE_H
#define SYSTOLE_CPU_TILE_H

#include <stdint.h>

#include "systole/systole.h"

typedef struct systole_cpu_tile {
  const char *name;        /* stands in stats->kernel: "avx512-vnni" */
  const char *instruction; /* "vpdpbusd zmm" */
  const char *needs;       /* what the CPU must have, in words */
  int rows;                /* most rows of one call */
  int columns;             /* columns of one panel */
  int group;               /* k per group: 4 (int8) or 2 (int16) */
  int offset_b; /* 1: B is stored as unsigned b + 128, row_start takes it back */

  int (*supported)(void);

  /* Packs rows x depth of A, rows <= this->rows, as systole_pack_a does; may read up to
   * 64 bytes past the end of `to`. row_sum is 0 where offset_b is. */
  void (*pack_a)(uint8_t *to, int32_t *row_sum, const int8_t *a, int64_t lda,
                 int64_t rows, int64_t depth);

  /* For rows i < `rows` and columns j < panels * columns:
   *   start = accumulate ? c[i * ldc + j] : column_start[j]
   *   c[i * ldc + j] = start + row_start[i] + sum over k of A B           (modulo 2^32)
   * Panels lie panel_bytes apart. Whole panels are written: edges are the caller's. */
  void (*run)(int rows, int64_t panels, int64_t groups, const uint8_t *a,
              const uint8_t *b, int64_t panel_bytes, const int32_t *row_start,
              const int32_t *column_start, int accumulate, int32_t *c, int64_t ldc);

  /* Requantises as systole_epilogue_row does, for this instruction set. */
  void (*epilogue)(int8_t *out, const int32_t *sums, int64_t first, int64_t count,
                   const systole_epilogue *epilogue);

  /* Runs the dot-product instruction on registers only; returns the MACs that it did.
   * NULL: there is no such instruction to take as a limit. */
  double (*peak)(int64_t loops);
} systole_cpu_tile;

extern const systole_cpu_tile systole_tile_avx512_vnni;
extern const systole_cpu_tile systole_tile_avx_vnni;
extern const systole_cpu_tile systole_tile_avx512_pmaddwd;
extern const systole_cpu_tile systole_tile_avx2_pmaddwd;
extern const systole_cpu_tile systole_tile_sse2_pmaddwd;
extern const systole_cpu_tile systole_tile_plain;

#endif
