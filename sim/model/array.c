#include "array.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"
#include "support/memory.h"

enum {
  Columns = 16,             /* of a packed block: a 512-bit register of int32 */
  PackedBytes = 256 * 1024, /* of several steps: they stay in a second-level cache */
  RememberedSteps = 512,
  CountRows = 255 /* rows that a byte counts */
};

/* Whose counts of zero values are remembered: all column blocks of a product pass the
 * same rows. Entry n belongs to the n-th step of a MATMUL. */
struct remembered {
  uint64_t generation;
  int64_t start, rows0, rows1, stride0, stride1;
};

struct systole_model_array {
  int dim, blocks;
  int64_t step_bytes, most_steps;
  const systole_model_kernel *kernel;
  int8_t *packed;
  int32_t *column_sums;
  struct remembered *remembered;
  uint32_t *zero_values;  /* of each remembered step, by lane: rows whose value is 0 */
  uint32_t *zero_weights; /* by lane k: zeros in row k of a tile */
};

void systole_model_array_free(systole_model_array *array) {
  if (array == NULL) return;
  systole_release(array->packed);
  systole_release(array->column_sums);
  systole_release(array->zero_values);
  systole_release(array->remembered);
  systole_release(array->zero_weights);
  free(array);
}

systole_status systole_model_array_create(systole_model_array **out, int dim,
                                          int portable) {
  *out = NULL;
  assert(dim >= 4 && (dim & (dim - 1)) == 0);
  systole_model_array *array = calloc(1, sizeof *array);
  if (array == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  array->dim = dim;
  array->blocks = (dim + Columns - 1) / Columns;
  array->step_bytes = (int64_t)array->blocks * Columns * dim;
  array->most_steps = PackedBytes / array->step_bytes;
  if (array->most_steps < 1) array->most_steps = 1;
  array->kernel = !portable && systole_model_has_avx512_vnni()
                      ? &systole_model_avx512_vnni
                      : &systole_model_plain;
  systole_status status =
      systole_allocate_zeroed((void **)&array->packed, (uint64_t)array->most_steps,
                              (uint64_t)array->step_bytes, "packed tiles");
  const uint64_t columns = (uint64_t)array->blocks * Columns;
  if (status == SYSTOLE_OK) {
    status = systole_allocate((void **)&array->column_sums, columns, sizeof(int32_t),
                              "column sums");
  }
  if (status == SYSTOLE_OK) {
    status =
        systole_allocate((void **)&array->zero_values, (uint64_t)dim * RememberedSteps,
                         sizeof(uint32_t), "zero counts");
  }
  if (status == SYSTOLE_OK) {
    status = systole_allocate_zeroed((void **)&array->remembered, RememberedSteps,
                                     sizeof *array->remembered, "zero counts");
  }
  if (status == SYSTOLE_OK) {
    status = systole_allocate((void **)&array->zero_weights, (uint64_t)dim,
                              sizeof(uint32_t), "zero counts");
  }
  if (status != SYSTOLE_OK) {
    systole_model_array_free(array);
    return status;
  }
  *out = array;
  return SYSTOLE_OK;
}

const char *systole_model_array_kernel(const systole_model_array *array) {
  return array->kernel->name;
}

/* ---- packing
 * --------------------------------------------------------------------------- */

static void pack_plain(int8_t *out, int32_t *sums, uint32_t *zeros, const int8_t *tile,
                       int dim) {
  for (int k = 0; k < dim; k++) {
    uint32_t zero = 0;
    for (int c = 0; c < dim; c++) {
      const int8_t w = tile[k * dim + c];
      out[(c / Columns * (dim / 4) + k / 4) * 4 * Columns + c % Columns * 4 + k % 4] = w;
      sums[c] += w;
      zero += w == 0;
    }
    zeros[k] = zero;
  }
}

/* ---- zero operands
 * ----------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void count_line(uint32_t *restrict counts,
                                                             const uint8_t *row,
                                                             int64_t pitch, int64_t rows,
                                                             int dim) {
  uint8_t some[1024];
  while (rows > 0) {
    const int64_t now = rows < CountRows ? rows : CountRows;
    memset(some, 0, (size_t)dim);
    for (int64_t r = 0; r < now; r++, row += pitch) {
      for (int k = 0; k < dim; k++)
        some[k] = (uint8_t)(some[k] + (row[k] == SystoleModelTurn));
    }
    for (int k = 0; k < dim; k++) counts[k] += some[k];
    rows -= now;
  }
}

/* Rows of step `start` whose value is zero, lane by lane. */
static void count_zero_values(uint32_t *out, const systole_model_rows *rows,
                              int64_t start) {
  const int dim = rows->dim;
  memset(out, 0, (size_t)dim * sizeof *out);
  for (int64_t i1 = 0; i1 < rows->rows1; i1++) {
    const uint8_t *row = rows->ub + (start + i1 * rows->stride1) * dim;
    const int64_t pitch = rows->stride0 * dim;
    if (dim == 16 && rows->stride0 == 1 && rows->rows0 % 4 == 0) {
      /* Four rows at a time fill a register. */
      uint32_t counts[64] = {0};
      count_line(counts, row, 64, rows->rows0 / 4, 64);
      for (int k = 0; k < 64; k++) out[k % 16] += counts[k];
    } else if (dim == 16) {
      count_line(out, row, pitch, rows->rows0, 16);
    } else if (dim == 64) {
      count_line(out, row, pitch, rows->rows0, 64);
    } else {
      count_line(out, row, pitch, rows->rows0, dim);
    }
  }
}

/* The counts of step number `step`, from before if nothing has changed since. */
static const uint32_t *zero_values(systole_model_array *array,
                                   const systole_model_rows *rows, int64_t step,
                                   int64_t start) {
  const int64_t entry = step % RememberedSteps;
  struct remembered *r = &array->remembered[entry];
  uint32_t *counts = array->zero_values + entry * array->dim;
  if (r->rows0 == 0 || r->generation != rows->generation || r->start != start ||
      r->rows0 != rows->rows0 || r->rows1 != rows->rows1 || r->stride0 != rows->stride0 ||
      r->stride1 != rows->stride1) {
    count_zero_values(counts, rows, start);
    *r = (struct remembered){rows->generation, start,         rows->rows0,
                             rows->rows1,      rows->stride0, rows->stride1};
  }
  return counts;
}

static uint64_t zero_products(systole_model_array *array, const systole_model_rows *rows,
                              int64_t step, int64_t start) {
  const uint64_t count = (uint64_t)(rows->rows0 * rows->rows1);
  const uint32_t *values = zero_values(array, rows, step, start);
  uint64_t sum = 0;
  for (int k = 0; k < array->dim; k++) {
    const uint64_t zeros = array->zero_weights[k];
    sum += count * zeros + ((uint64_t)array->dim - zeros) * values[k];
  }
  return sum;
}

/* ---- the whole
 * --------------------------------------------------------------------------- */

uint64_t systole_model_array_run(systole_model_array *array,
                                 const systole_model_rows *rows) {
  uint64_t zeros = 0;
  systole_model_rows part = *rows;
  systole_model_packed packed = {.blocks = array->blocks,
                                 .step_bytes = array->step_bytes,
                                 .weights = array->packed,
                                 .column_sums = array->column_sums};
  for (int64_t first = 0; first < rows->steps; first += part.steps) {
    const int64_t left = rows->steps - first;
    part.steps = left < array->most_steps ? left : array->most_steps;
    part.starts = rows->starts + first;
    part.tiles = rows->tiles + first;
    part.overwrite = rows->overwrite && first == 0;
    packed.steps = part.steps;
    memset(array->column_sums, 0,
           (size_t)array->blocks * Columns * sizeof *array->column_sums);
    for (int64_t s = 0; s < part.steps; s++) {
      array->kernel->pack(array->packed + s * array->step_bytes, array->column_sums,
                          array->zero_weights, (const int8_t *)part.tiles[s], array->dim);
      zeros += zero_products(array, &part, first + s, part.starts[s]);
    }
    array->kernel->run(&part, &packed);
  }
  return zeros;
}

static void run_plain(const systole_model_rows *rows,
                      const systole_model_packed *packed) {
  const int dim = rows->dim;
  for (int64_t i1 = 0; i1 < rows->rows1; i1++) {
    for (int64_t i0 = 0; i0 < rows->rows0; i0++) {
      int32_t *acc = rows->acc + (i1 * rows->rows0 + i0) * dim;
      const int64_t row = i1 * rows->stride1 + i0 * rows->stride0;
      for (int block = 0; block < packed->blocks; block++) {
        const int columns = dim < Columns ? dim : Columns;
        uint32_t sums[Columns];
        for (int c = 0; c < columns; c++) {
          sums[c] = (rows->overwrite ? 0 : (uint32_t)acc[block * Columns + c]) -
                    SystoleModelTurn * (uint32_t)packed->column_sums[block * Columns + c];
        }
        for (int64_t s = 0; s < packed->steps; s++) {
          const uint8_t *a = rows->ub + (rows->starts[s] + row) * dim;
          const int8_t *w = packed->weights + s * packed->step_bytes +
                            (int64_t)block * (dim / 4) * 4 * Columns;
          for (int q = 0; q < dim / 4; q++, a += 4, w += 4 * Columns) {
            for (int c = 0; c < columns; c++) {
              sums[c] += (uint32_t)(a[0] * w[4 * c] + a[1] * w[4 * c + 1] +
                                    a[2] * w[4 * c + 2] + a[3] * w[4 * c + 3]);
            }
          }
        }
        for (int c = 0; c < columns; c++) acc[block * Columns + c] = (int32_t)sums[c];
      }
    }
  }
}

const systole_model_kernel systole_model_plain = {"model-plain", pack_plain, run_plain};
