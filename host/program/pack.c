#include "program/pack.h"

#include <string.h>

#include "card/systole_isa.h"

/* Rows that are moved together: a block's rows lie far apart in the row-major matrix, and
 * neighbouring blocks share its cache lines, so a band of rows goes through all blocks
 * while its lines are still near. As many as a first-level cache has ways: rows of a
 * power of two of bytes all fall into one of its sets. */
enum { kBand = 8 };

/* Copies `rows` pieces of `bytes` bytes. Called with constant `bytes` below, which turns
 * the copy into one or two vector moves. */
static inline __attribute__((always_inline)) void copy_rows(uint8_t *out,
                                                            int64_t out_stride,
                                                            const uint8_t *in,
                                                            int64_t in_stride,
                                                            int64_t rows, size_t bytes) {
  for (int64_t r = 0; r < rows; r++)
    memcpy(out + r * out_stride, in + r * in_stride, bytes);
}

static void copy_band(uint8_t *out, int64_t out_stride, const uint8_t *in,
                      int64_t in_stride, int64_t rows, int64_t bytes) {
  switch (bytes) {
    case 2:
      copy_rows(out, out_stride, in, in_stride, rows, 2);
      break;
    case 4:
      copy_rows(out, out_stride, in, in_stride, rows, 4);
      break;
    case 8:
      copy_rows(out, out_stride, in, in_stride, rows, 8);
      break;
    case 16:
      copy_rows(out, out_stride, in, in_stride, rows, 16);
      break;
    case 32:
      copy_rows(out, out_stride, in, in_stride, rows, 32);
      break;
    case 64:
      copy_rows(out, out_stride, in, in_stride, rows, 64);
      break;
    case 128:
      copy_rows(out, out_stride, in, in_stride, rows, 128);
      break;
    case 256:
      copy_rows(out, out_stride, in, in_stride, rows, 256);
      break;
    default:
      copy_rows(out, out_stride, in, in_stride, rows, (size_t)bytes);
      break;
  }
}

/* Bytes of block `b` that come from the matrix. */
static int64_t block_width(const systole_layout *layout, int64_t b) {
  int64_t columns = layout->columns - b * layout->block_columns;
  if (columns > layout->block_columns) columns = layout->block_columns;
  return columns * layout->element;
}

void systole_pack_blocks(void *out, const systole_layout *layout, const void *matrix,
                         int64_t first, int64_t count) {
  int64_t row_bytes = layout->pitch * layout->element;
  int64_t step = layout->block_columns * layout->element; /* in a row of the matrix */
  int64_t block_bytes = systole_block_bytes(layout);
  uint8_t *to = out;
  const uint8_t *from = matrix;
  for (int64_t r = 0; r < layout->rows; r += kBand) {
    int64_t rows = layout->rows - r < kBand ? layout->rows - r : kBand;
    for (int64_t b = 0; b < count; b++) {
      int64_t width = block_width(layout, first + b);
      uint8_t *block = to + b * block_bytes + r * row_bytes;
      if (width < row_bytes) memset(block, 0, (size_t)(rows * row_bytes));
      copy_band(block, row_bytes, from + r * layout->stride + (first + b) * step,
                layout->stride, rows, width);
    }
  }
  int64_t padding = (layout->block_rows - layout->rows) * row_bytes;
  if (padding == 0) return;
  for (int64_t b = 0; b < count; b++) {
    memset(to + b * block_bytes + layout->rows * row_bytes, 0, (size_t)padding);
  }
}

void systole_unpack_blocks(void *matrix, const systole_layout *layout, const void *blocks,
                           int64_t first, int64_t count) {
  int64_t row_bytes = layout->pitch * layout->element;
  int64_t step = layout->block_columns * layout->element; /* in a row of the matrix */
  int64_t block_bytes = systole_block_bytes(layout);
  uint8_t *to = matrix;
  const uint8_t *from = blocks;
  for (int64_t r = 0; r < layout->rows; r += kBand) {
    int64_t rows = layout->rows - r < kBand ? layout->rows - r : kBand;
    for (int64_t b = 0; b < count; b++) {
      copy_band(to + r * layout->stride + (first + b) * step, layout->stride,
                from + b * block_bytes + r * row_bytes, row_bytes, rows,
                block_width(layout, first + b));
    }
  }
}

void systole_pack_params(uint8_t *out, int64_t block_bytes, int64_t block_columns,
                         int64_t columns, const systole_epilogue *epilogue) {
  int64_t blocks = (columns + block_columns - 1) / block_columns;
  memset(out, 0, (size_t)(blocks * block_bytes));
  for (int64_t j = 0; j < columns; j++) {
    uint64_t word = 0;
    if (epilogue->bias != NULL) {
      word |= (uint64_t)(uint32_t)epilogue->bias[j] << SYSTOLE_PARAM_BIAS_LSB;
    }
    if (epilogue->multiplier != NULL) {
      uint64_t mask = ((uint64_t)1 << SYSTOLE_PARAM_MULTIPLIER_BITS) - 1;
      word |= ((uint64_t)(int64_t)epilogue->multiplier[j] & mask)
              << SYSTOLE_PARAM_MULTIPLIER_LSB;
      word |= (uint64_t)epilogue->shift[j] << SYSTOLE_PARAM_SHIFT_LSB;
    }
    uint8_t *to =
        out + j / block_columns * block_bytes + j % block_columns * SYSTOLE_PARAM_BYTES;
    for (int i = 0; i < SYSTOLE_PARAM_BYTES; i++) to[i] = (uint8_t)(word >> (8 * i));
  }
}
