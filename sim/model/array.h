/* The array's arithmetic: rows of the unified buffer times weight tiles, added to
 * accumulator rows. Pure functions; who waits for whom is execute.c's business.
 *
 * The model keeps unified-buffer bytes with their top bit turned (value + 128, unsigned),
 * because that is the operand that dot-product instructions take; the kernels subtract
 * what the 128 adds. */
#ifndef SYSTOLE_MODEL_ARRAY_H
#define SYSTOLE_MODEL_ARRAY_H

#include <stdint.h>

#include "systole/systole.h"

enum { SystoleModelTurn = 0x80 }; /* buffer byte = value ^ this */

/* acc[i1 rows0 + i0][c] gets (overwrite ? 0 : itself) + sum over steps s and lanes k of
 *   value(ub[starts[s] + i1 stride1 + i0 stride0][k]) * tiles[s][k][c]   modulo 2^32 */
typedef struct systole_model_rows {
  int dim; /* 4 or more, a power of two */
  const uint8_t *ub;
  int64_t rows0, rows1, stride0, stride1;
  int64_t steps;
  const int64_t *starts;
  const uint8_t *const *tiles; /* dim x dim int8, row k first */
  int32_t *acc;
  int overwrite;
  uint64_t generation; /* changes whenever anything in `ub` does */
} systole_model_rows;

typedef struct systole_model_array systole_model_array;

/* The fastest kernel of this machine, or the portable one if `portable` is 1, with its
 * working memory. */
systole_status systole_model_array_create(systole_model_array **out, int dim,
                                          int portable);
void systole_model_array_free(systole_model_array *array);
const char *systole_model_array_kernel(const systole_model_array *array);

/* Computes, and returns how many of the products had a zero operand. */
uint64_t systole_model_array_run(systole_model_array *array,
                                 const systole_model_rows *rows);

/* ---- kernels: several steps whose tiles are packed; for array.c alone ----------------
 */

/* Tile k-quads, 16 columns each: packed[column block][k / 4][column][k % 4], and the sums
 * over k of each column. Columns beyond dim are zero. */
typedef struct systole_model_packed {
  int blocks; /* column blocks of 16 */
  int64_t steps;
  int64_t step_bytes;         /* from step to step */
  const int8_t *weights;      /* on 64 bytes */
  const int32_t *column_sums; /* over all steps, blocks * 16 */
} systole_model_packed;

typedef struct systole_model_kernel {
  const char *name;
  /* One tile into a packed one; its column sums are added to sums[columns], and
   * zeros[k] is the number of zeros in its row k. */
  void (*pack)(int8_t *out, int32_t *sums, uint32_t *zeros, const int8_t *tile, int dim);
  void (*run)(const systole_model_rows *rows, const systole_model_packed *packed);
} systole_model_kernel;

extern const systole_model_kernel systole_model_plain;
extern const systole_model_kernel systole_model_avx512_vnni;
int systole_model_has_avx512_vnni(void);

#endif
