/* Moves matrices between row-major host memory and the device's layout: column blocks
 * [ceil(columns / block_columns)][block_rows][pitch], whatever the element's size. A
 * weight matrix in column blocks whose rows are padded to whole tiles *is* the array of
 * tiles [Nblock][Kblock][dim][dim], so the same function packs activations and weights.
 */
#ifndef SYSTOLE_PROGRAM_PACK_H
#define SYSTOLE_PROGRAM_PACK_H

#include <stdint.h>

#include "systole/systole.h"

/* A row-major matrix of `rows` x `columns` elements, `stride` bytes from row to row, and
 * its blocks of `block_columns` columns and `block_rows` >= rows rows. */
typedef struct systole_layout {
  int64_t rows, columns;
  int64_t stride;        /* bytes from row to row of the row-major matrix */
  int64_t block_rows;    /* rows of a block, padding included */
  int element;           /* bytes of an element: 1 or 4 */
  int64_t block_columns; /* of the matrix in a block */
  int64_t pitch;         /* elements from row to row of a block, >= block_columns */
} systole_layout;

/* Bytes of one block. */
static inline int64_t systole_block_bytes(const systole_layout *layout) {
  return layout->block_rows * layout->pitch * layout->element;
}

/* Writes blocks first ... first + count - 1 to `out`, zeros where the matrix has no
 * element. */
void systole_pack_blocks(void *out, const systole_layout *layout, const void *matrix,
                         int64_t first, int64_t count);

/* The way back; padding is dropped, and bytes between rows of the matrix are left alone.
 */
void systole_unpack_blocks(void *matrix, const systole_layout *layout, const void *blocks,
                           int64_t first, int64_t count);

/* Column parameters of blocks of `block_columns` columns, each block `block_bytes` apart:
 * bias (0 where NULL), multiplier and shift (0 where NULL) of `columns` columns, zeros in
 * the padding. */
void systole_pack_params(uint8_t *out, int64_t block_bytes, int64_t block_columns,
                         int64_t columns, const systole_epilogue *epilogue);

#endif
