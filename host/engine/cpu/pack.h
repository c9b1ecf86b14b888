/* The packed form of tile.h, made in portable C. Tiles with their own vector code for it
 * produce the same bytes. */
#ifndef SYSTOLE_CPU_PACK_H
#define SYSTOLE_CPU_PACK_H

#include <stdint.h>

enum {
  SYSTOLE_PACK_GROUP_BYTES = 4,
  /* k of one block, a multiple of every tile's group. A row tile of A is then at most 14
   * KiB and stays in the first-level cache; fewer, longer blocks save passes over C. */
  SYSTOLE_PACK_BLOCK_K = 1024,
};

/* rows x depth of A -> [groups][rows][4 bytes]; `group` is 4 (int8) or 2 (int16). depth
 * is at most SYSTOLE_PACK_BLOCK_K. row_sum may be NULL. */
void systole_pack_a(uint8_t *to, int32_t *row_sum, int group, const int8_t *a,
                    int64_t lda, int64_t rows, int64_t depth);

/* depth x width of B, width <= columns -> [groups][columns][4 bytes], zeros beyond width
 * and depth; `flip` is exclusive-or-ed to every byte of int8 groups (0x80 adds 128). */
void systole_pack_b(uint8_t *to, int group, uint8_t flip, int columns, const int8_t *b,
                    int64_t ldb, int64_t depth, int64_t width);

#endif
