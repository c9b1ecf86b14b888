/* Plain C for CPUs that no other tile knows. Sums are unsigned, because they wrap. */
#include <string.h>

#include "engine/epilogue.h"
#include "pack.h"
#include "tile.h"

enum { Rows = 4, Columns = 16, Group = 4 };

static int supported(void) { return 1; }

static void pack_a(uint8_t *to, int32_t *row_sum, const int8_t *a, int64_t lda,
                   int64_t rows, int64_t depth) {
  memset(row_sum, 0, (size_t)rows * sizeof *row_sum);
  systole_pack_a(to, NULL, Group, a, lda, rows, depth);
}

static void panel(int64_t rows, int64_t groups, const int8_t *a, const int8_t *b,
                  const int32_t *row_start, const int32_t *column_start, int accumulate,
                  int32_t *c, int64_t ldc) {
  uint32_t sum[Rows][Columns];
  for (int64_t i = 0; i < rows; i++) {
    const int32_t *start = accumulate ? c + i * ldc : column_start;
    for (int j = 0; j < Columns; j++)
      sum[i][j] = (uint32_t)start[j] + (uint32_t)row_start[i];
  }
  const int64_t group_bytes = (int64_t)Columns * Group;
  for (int64_t g = 0; g < groups; g++) {
    for (int64_t i = 0; i < rows; i++) {
      for (int j = 0; j < Columns; j++) {
        int32_t dot = 0; /* at most 4 x 2^14 */
        for (int r = 0; r < Group; r++) dot += a[i * Group + r] * b[j * Group + r];
        sum[i][j] += (uint32_t)dot;
      }
    }
    a += rows * Group;
    b += group_bytes;
  }
  for (int64_t i = 0; i < rows; i++) {
    for (int j = 0; j < Columns; j++) c[i * ldc + j] = (int32_t)sum[i][j];
  }
}

static void run(int rows, int64_t panels, int64_t groups, const uint8_t *a,
                const uint8_t *b, int64_t panel_bytes, const int32_t *row_start,
                const int32_t *column_start, int accumulate, int32_t *c, int64_t ldc) {
  for (int64_t p = 0; p < panels; p++) {
    panel(rows, groups, (const int8_t *)a, (const int8_t *)b + p * panel_bytes, row_start,
          column_start + p * Columns, accumulate, c + p * Columns, ldc);
  }
}

const systole_cpu_tile systole_tile_plain = {
    .name = "plain-c",
    .instruction = "",
    .needs = "nothing",
    .rows = Rows,
    .columns = Columns,
    .group = Group,
    .offset_b = 0,
    .supported = supported,
    .pack_a = pack_a,
    .run = run,
    .epilogue = systole_epilogue_row,
    .peak = NULL,
};
