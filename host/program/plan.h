/* How a product C = A B is cut for one run on an array: pure arithmetic, no memory.
 *
 * Rows of A and C are cut into strips; a strip of A lies in the unified buffer while all
 * column blocks of B pass over it. When a strip of all K does not fit, K is cut into
 * chunks, and a group of column blocks stays in an accumulator half until its last chunk
 * has been added. Chunks of a strip that stay for all groups roll: as soon as the last
 * group has used one, the next strip's takes its place.
 */
#ifndef SYSTOLE_PROGRAM_PLAN_H
#define SYSTOLE_PROGRAM_PLAN_H

#include <stdint.h>

#include "program/timing.h"
#include "systole/systole.h"

/* Where weights and column parameters lie, from the weights pointer. Depends on B alone.
 */
typedef struct systole_weights_layout {
  int64_t n, k;
  int64_t n_blocks, k_blocks; /* of at most dim columns, of dim rows */
  int64_t columns; /* of a block; the last may have fewer. All blocks have about the same,
                      so that storing one takes no longer than another */
  uint64_t block_bytes;   /* from column block to column block; whole 64-byte blocks */
  uint64_t params_offset; /* first block of column parameters */
  uint64_t params_block_bytes; /* from one to the next */
  uint64_t bytes;              /* all, parameters included */
} systole_weights_layout;

/* SYSTOLE_ERR_ARGUMENT when the sizes overflow. */
systole_status systole_weights_layout_make(systole_weights_layout *out, int dim,
                                           int axi_bytes, int64_t n, int64_t k);

/* What one run computes: `m` rows, and the column blocks first_block ... + n_blocks - 1.
 */
typedef struct systole_gemm_spec {
  int64_t m;
  int64_t first_block, n_blocks;
  int requantise; /* int8 results */
  int bias;       /* the bias is added; column parameters are read for either */
  int8_t zero_point, clamp_low, clamp_high;
} systole_gemm_spec;

enum { SYSTOLE_PLAN_MAX_RING = 32 };

/* How a plan is to differ from the usual one; zeros leave it as it is. */
typedef struct systole_plan_choice {
  int64_t rows;    /* of a strip, about */
  int64_t pieces;  /* LOADs of the first fill */
  int64_t rolling; /* chunks of a strip stay, and are replaced one by one; at most so many
                      column blocks share an accumulator half */
  int64_t first_parts; /* parts by rows of the very first column block */
  int64_t first_rows;  /* of the first strip, fewer than of the others */
  int64_t ahead; /* pieces of the second column block that are computed between those
                    of the first, while the first strip is still arriving */
} systole_plan_choice;

typedef struct systole_plan {
  int dim;
  int64_t half_rows;  /* accumulator rows of one half */
  int64_t beat_rows;  /* rows per memory beat; row counts are multiples of it */
  int64_t block_rows; /* rows of a column block in device memory */
  int64_t columns;    /* of a column block of C */
  int64_t granule;    /* strips begin at multiples of this many rows */
  int64_t granules;   /* of them in M */
  int64_t strip;      /* most rows of a strip */
  int64_t strips;
  int64_t chunk; /* reduction blocks of a chunk; the last may be shorter */
  int64_t chunks;
  int rolling;         /* chunks stay for all groups of a strip */
  int64_t pieces;      /* LOADs of the very first fill, for each of its parts */
  int64_t first_parts; /* by rows, of the very first column block; its first results leave
                          earlier by as much */
  int64_t first_rows;  /* of the first strip; 0: strips are even */
  int64_t ahead;       /* as in the choice */
  int64_t group;       /* column blocks that share an accumulator half */
  int64_t ring;   /* regions of the unified buffer that strips or chunks of A go round */
  int64_t region; /* rows of a region */
  int64_t store_group; /* int8 column blocks that leave in one STORE */
  int64_t result;      /* first unified-buffer row of the two int8 result areas */
  int64_t result_rows; /* rows of one area */
  int64_t steps;       /* MATMULs, about; a measure of the program's length */

  /* Device memory on the activations pointer: A at 0, C behind it. */
  uint64_t a_bytes, c_offset, c_block_bytes, c_bytes, bytes;
} systole_plan;

/* SYSTOLE_ERR_UNSUPPORTED when the device's buffers are too small for any product,
 * SYSTOLE_ERR_ARGUMENT when sizes overflow. */
systole_status systole_plan_make(systole_plan *out, const systole_geometry *geometry,
                                 const systole_weights_layout *weights,
                                 const systole_gemm_spec *spec);

/* The same with a choice. SYSTOLE_ERR_UNSUPPORTED also when the choice does not fit. */
systole_status systole_plan_choose(systole_plan *out, const systole_geometry *geometry,
                                   const systole_weights_layout *weights,
                                   const systole_gemm_spec *spec,
                                   const systole_plan_choice *choice);

/* Cycles that a plan cannot go below: the array's, or those of the port that is busiest.
 */
double systole_plan_bound(const systole_plan *plan, const systole_geometry *geometry,
                          const systole_weights_layout *weights,
                          const systole_gemm_spec *spec,
                          const systole_memory_timing *memory);

/* Bytes of a row of a column block of C in device memory: int8 rows are those of the
 * unified buffer, int32 rows have the block's columns only. */
uint64_t systole_plan_row_bytes(const systole_plan *plan, const systole_gemm_spec *spec);

/* First row of a strip; for strip = strips, the end of the last. Strips differ by at most
 * a granule. */
int64_t systole_plan_row(const systole_plan *plan, const systole_gemm_spec *spec,
                         int64_t strip);

#endif
