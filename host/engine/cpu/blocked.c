#define _DEFAULT_SOURCE /* madvise */
#include "blocked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/epilogue.h"
#include "pack.h"
#include "support/error.h"
#include "support/memory.h"
#include "threads.h"

enum {
  GroupBytes = SYSTOLE_PACK_GROUP_BYTES,
  BlockK = SYSTOLE_PACK_BLOCK_K,
  /* Most rows and columns of one task. Its block of A (112 KiB at most) stays in the
   * second-level cache while panel after panel of B passes; 56 is four of the tallest
   * tiles, and twice as many rows were slower from 2048^3 on. */
  TaskRows = 56,
  TaskColumns = 1024,
  MaxTileRows = 16,
  MaxPanelColumns = 32,
  /* Fewer MACs than this are done before a second thread has woken up. */
  MacsPerThread = 1 << 20,
};

struct systole_cpu_weights {
  const systole_cpu_tile *tile;
  int64_t n, k;
  int64_t panels;
  uint8_t *packed;
  int32_t *column_start; /* bias, padded to whole panels; zeros without one */
  systole_epilogue epilogue;
  void *epilogue_memory;
};

struct systole_cpu_room {
  const systole_cpu_tile *tile;
  int threads;
  size_t a_bytes; /* of one thread */
  uint8_t *a;
  int32_t *sums; /* TaskRows x TaskColumns of each thread */
};

static int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }

/* ---- weights
 * --------------------------------------------------------------------------- */

static void weights_free(systole_cpu_weights *weights) {
  if (weights == NULL) return;
  systole_release(weights->column_start);
  systole_release(weights->packed);
  free(weights->epilogue_memory);
  free(weights);
}

static systole_status prepare(systole_cpu_weights **out, systole_cpu_room *room,
                              int64_t n, int64_t k, const int8_t *b, int64_t ldb,
                              const systole_epilogue *epilogue) {
  const systole_cpu_tile *tile = room->tile;
  *out = NULL;
  systole_status status = SYSTOLE_OK;
  systole_cpu_weights *weights = calloc(1, sizeof *weights);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for prepared weights");
  }
  weights->tile = tile;
  weights->n = n;
  weights->k = k;
  weights->panels = systole_ceil_div(n, tile->columns);
  status =
      systole_epilogue_copy(&weights->epilogue, &weights->epilogue_memory, epilogue, n);
  if (status != SYSTOLE_OK) goto done;

  const uint64_t columns = (uint64_t)weights->panels * (uint64_t)tile->columns;
  const uint64_t groups = (uint64_t)systole_ceil_div(k, tile->group);
  uint64_t group_bytes = 0;
  if (!systole_multiply(&group_bytes, groups, GroupBytes)) {
    status = systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                          "weights of %lld rows do not fit in memory", (long long)k);
    goto done;
  }
  status =
      systole_allocate((void **)&weights->packed, columns, group_bytes, "packed weights");
  if (status != SYSTOLE_OK) goto done;
  status = systole_allocate_zeroed((void **)&weights->column_start, columns,
                                   sizeof(int32_t), "the bias of the weights");
  if (status != SYSTOLE_OK) goto done;
  /* With a multiplier the epilogue adds the bias itself. */
  if (weights->epilogue.bias != NULL && weights->epilogue.multiplier == NULL) {
    memcpy(weights->column_start, weights->epilogue.bias, (size_t)n * sizeof(int32_t));
  }

  uint8_t *to = weights->packed;
  for (int64_t k0 = 0; k0 < k; k0 += BlockK) {
    const int64_t depth = smaller(BlockK, k - k0);
    const int64_t panel_bytes =
        systole_ceil_div(depth, tile->group) * GroupBytes * tile->columns;
    for (int64_t p = 0; p < weights->panels; p++) {
      const int64_t j0 = p * tile->columns;
      systole_pack_b(to, tile->group, tile->offset_b ? 0x80 : 0, tile->columns,
                     b + k0 * ldb + j0, ldb, depth, smaller(tile->columns, n - j0));
      to += panel_bytes;
    }
  }

done:
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  *out = weights;
  return SYSTOLE_OK;
}

/* ---- room
 * ------------------------------------------------------------------------------ */

static void room_free(systole_cpu_room *room) {
  if (room == NULL) return;
  systole_release(room->sums);
  systole_release(room->a);
  free(room);
}

static systole_status room_create(systole_cpu_room **out,
                                  const systole_cpu_kernel *kernel, int threads) {
  const systole_cpu_tile *tile = kernel->tile;
  *out = NULL;
  assert(tile->rows <= MaxTileRows && tile->columns <= MaxPanelColumns);
  systole_cpu_room *room = calloc(1, sizeof *room);
  if (room == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  room->tile = tile;
  room->threads = threads;
  /* Tiles may read one vector past the end. */
  room->a_bytes = (size_t)TaskRows * BlockK / (size_t)tile->group * GroupBytes + 64;
  systole_status status = systole_allocate((void **)&room->a, (uint64_t)threads,
                                           room->a_bytes, "the threads' blocks of A");
  if (status == SYSTOLE_OK) {
    status = systole_allocate((void **)&room->sums, (uint64_t)threads,
                              (uint64_t)TaskRows * TaskColumns * sizeof(int32_t),
                              "the threads' sums");
  }
  if (status != SYSTOLE_OK) {
    room_free(room);
    return status;
  }
  *out = room;
  return SYSTOLE_OK;
}

/* ---- the product
 * ----------------------------------------------------------------------- */

typedef struct product {
  const systole_cpu_weights *weights;
  systole_cpu_room *room;
  int64_t m;
  const int8_t *a;
  int64_t lda;
  void *c;
  int64_t ldc;
  int64_t task_rows, task_panels; /* of one task */
  int64_t row_tasks, column_tasks;
} product;

/* One row tile times `panels` panels; the last panel may reach past column n. */
static void run_tile(const product *of, int rows, int64_t first_panel, int64_t panels,
                     int64_t groups, const uint8_t *a, const uint8_t *b,
                     int64_t panel_bytes, const int32_t *row_start, int accumulate,
                     int32_t *c, int64_t ldc) {
  const systole_cpu_weights *w = of->weights;
  const int64_t columns = w->tile->columns;
  const int64_t whole = smaller(panels, w->n / columns - first_panel);
  const int32_t *start = w->column_start + first_panel * columns;
  w->tile->run(rows, whole, groups, a, b, panel_bytes, row_start, start, accumulate, c,
               ldc);
  if (whole == panels) return;

  int32_t edge[MaxTileRows * MaxPanelColumns];
  const int64_t width = w->n % columns;
  int32_t *part = c + whole * columns;
  if (accumulate) {
    memset(edge, 0, sizeof edge);
    for (int64_t i = 0; i < rows; i++) {
      memcpy(edge + i * columns, part + i * ldc, (size_t)width * sizeof *part);
    }
  }
  w->tile->run(rows, 1, groups, a, b + whole * panel_bytes, panel_bytes, row_start,
               start + whole * columns, accumulate, edge, columns);
  for (int64_t i = 0; i < rows; i++) {
    memcpy(part + i * ldc, edge + i * columns, (size_t)width * sizeof *part);
  }
}

static void run_task(const product *of, int64_t task, int thread) {
  const systole_cpu_weights *w = of->weights;
  const systole_cpu_tile *tile = w->tile;
  const int64_t columns = tile->columns;
  const int64_t i0 = task / of->column_tasks * of->task_rows;
  const int64_t first_panel = task % of->column_tasks * of->task_panels;
  const int64_t rows = smaller(of->task_rows, of->m - i0);
  const int64_t panels = smaller(of->task_panels, w->panels - first_panel);
  const int64_t j0 = first_panel * columns;
  const int64_t width = smaller(panels * columns, w->n - j0);
  const int requantise = w->epilogue.multiplier != NULL;

  uint8_t *packed = of->room->a + (size_t)thread * of->room->a_bytes;
  int32_t row_start[TaskRows];
  int32_t *sums;
  int64_t ld;
  if (requantise) {
    sums = of->room->sums + (size_t)thread * TaskRows * TaskColumns;
    ld = TaskColumns;
  } else {
    sums = (int32_t *)of->c + i0 * of->ldc + j0;
    ld = of->ldc;
  }

  /* Rows are spread evenly over the row tiles, so that no narrow one is left over. */
  const int64_t tiles = systole_ceil_div(rows, tile->rows);
  for (int64_t k0 = 0; k0 < w->k; k0 += BlockK) {
    const int64_t depth = smaller(BlockK, w->k - k0);
    const int64_t groups = systole_ceil_div(depth, tile->group);
    const int64_t panel_bytes = groups * GroupBytes * columns;
    /* Blocks before this one hold BlockK / group groups of every panel. */
    const uint8_t *b = w->packed + k0 / tile->group * GroupBytes * columns * w->panels +
                       first_panel * panel_bytes;
    for (int64_t t = 0; t < tiles; t++) {
      const int64_t first = t * rows / tiles;
      const int64_t count = (t + 1) * rows / tiles - first;
      tile->pack_a(packed + first * groups * GroupBytes, row_start + first,
                   of->a + (i0 + first) * of->lda + k0, of->lda, count, depth);
      /* Every product had 128 a too much; |128 x sum| is at most 2^24. */
      for (int64_t i = first; i < first + count; i++) {
        row_start[i] = tile->offset_b ? -128 * row_start[i] : 0;
      }
    }
    /* Few row tiles: all panels in one call, so that short tiles can take several at
     * once. Many: each panel stays in the first-level cache while all rows pass. */
    const int64_t step = tiles == 1 ? panels : 1;
    for (int64_t p = 0; p < panels; p += step) {
      for (int64_t t = 0; t < tiles; t++) {
        const int64_t first = t * rows / tiles;
        const int64_t count = (t + 1) * rows / tiles - first;
        run_tile(of, (int)count, first_panel + p, step, groups,
                 packed + first * groups * GroupBytes, b + p * panel_bytes, panel_bytes,
                 row_start + first, k0 > 0, sums + first * ld + p * columns, ld);
      }
    }
  }
  if (w->k == 0) {
    for (int64_t i = 0; i < rows; i++) {
      memcpy(sums + i * ld, w->column_start + j0, (size_t)width * sizeof *sums);
    }
  }
  if (requantise) {
    int8_t *out = (int8_t *)of->c + i0 * of->ldc + j0;
    for (int64_t i = 0; i < rows; i++) {
      tile->epilogue(out + i * of->ldc, sums + i * ld, j0, width, &w->epilogue);
    }
  }
}

/* Splits C into tasks: as few as the caches allow, but enough for the threads to share
 * evenly. */
static void split(product *of, int threads) {
  const systole_cpu_weights *w = of->weights;
  const systole_cpu_tile *tile = w->tile;
  const int64_t most_rows = TaskRows / tile->rows * tile->rows;
  const int64_t most_panels = TaskColumns / tile->columns;
  int64_t row_tasks = systole_ceil_div(of->m, most_rows);
  int64_t column_tasks = systole_ceil_div(w->panels, most_panels);
  const int64_t wanted = threads > 1 ? 4 * (int64_t)threads : 1;
  while (row_tasks * column_tasks < wanted) {
    const int64_t rows = systole_ceil_div(of->m, row_tasks);
    const int64_t panels = systole_ceil_div(w->panels, column_tasks);
    if (rows >= panels * tile->columns && rows > tile->rows) {
      row_tasks++;
    } else if (panels > 1) {
      column_tasks++;
    } else if (rows > tile->rows) {
      row_tasks++;
    } else {
      break;
    }
  }
  of->task_rows = systole_ceil_div(of->m, row_tasks);
  of->task_panels = systole_ceil_div(w->panels, column_tasks);
  of->row_tasks = systole_ceil_div(of->m, of->task_rows);
  of->column_tasks = systole_ceil_div(w->panels, of->task_panels);
}

static systole_status gemm(const systole_cpu_weights *weights, systole_cpu_room *room,
                           int64_t m, const int8_t *a, int64_t lda, void *c,
                           int64_t ldc) {
  if (m == 0 || weights->n == 0) return SYSTOLE_OK;
  product of = {
      .weights = weights, .room = room, .m = m, .a = a, .lda = lda, .c = c, .ldc = ldc};
  /* Small products use fewer threads: waking them costs more than they help. */
  const double macs = (double)m * (double)weights->n * (double)weights->k;
  int threads = room->threads;
  if (macs < (double)threads * MacsPerThread) threads = 1 + (int)(macs / MacsPerThread);
  split(&of, threads);
  const int64_t tasks = of.row_tasks * of.column_tasks;
  if (tasks < threads) threads = (int)tasks;

#if SYSTOLE_HAVE_OPENMP
  if (threads > 1) {
    /* Dynamic: on a shared machine the threads do not run equally fast. */
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t task = 0; task < tasks; task++)
      run_task(&of, task, systole_thread_index());
    return SYSTOLE_OK;
  }
#endif
  for (int64_t task = 0; task < tasks; task++) run_task(&of, task, 0);
  return SYSTOLE_OK;
}

static int usable(const systole_cpu_kernel *kernel, const char **why) {
  const int yes = kernel->tile->supported();
  *why = yes ? "" : kernel->tile->needs;
  return yes;
}

#define BLOCKED_KERNEL(id, title)                  \
  const systole_cpu_kernel systole_kernel_##id = { \
      .name = title,                               \
      .usable = usable,                            \
      .room_create = room_create,                  \
      .room_free = room_free,                      \
      .prepare = prepare,                          \
      .weights_free = weights_free,                \
      .gemm = gemm,                                \
      .tile = &systole_tile_##id,                  \
  }

BLOCKED_KERNEL(avx512_vnni, "avx512-vnni");
BLOCKED_KERNEL(avx_vnni, "avx-vnni");
BLOCKED_KERNEL(avx512_pmaddwd, "avx512-pmaddwd");
BLOCKED_KERNEL(avx2_pmaddwd, "avx2-pmaddwd");
BLOCKED_KERNEL(sse2_pmaddwd, "sse2-pmaddwd");
BLOCKED_KERNEL(plain, "plain-c");
