#include "blocked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/epilogue.h"
#include "pack.h"
#include "pool.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  GroupBytes = SYSTOLE_PACK_GROUP_BYTES,
  BlockK = SYSTOLE_PACK_BLOCK_K,
  /* Most rows and columns of one task: what a thread packs of A before it uses it. */
  TaskRows = 224,
  TaskColumns = 1024,
  /* A strip of B (256 KiB of int8) stays in the second-level cache while the rows of the
   * task pass it. */
  StripColumns = 256,
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
  systole_pool *pool;
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
  systole_pool_free(room->pool);
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
  if (status == SYSTOLE_OK) status = systole_pool_create(&room->pool, threads);
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

/* A task with its place in the thread's room. */
typedef struct task {
  const product *of;
  int64_t i0, rows;            /* of C */
  int64_t first_panel, panels; /* of B */
  int64_t tiles;               /* row tiles; rows are spread evenly over them */
  uint8_t *a;                  /* packed block of A */
  int32_t *sums;               /* where int32 results go: C itself, or the room */
  int64_t ld;
  int32_t row_start[TaskRows];
} task;

/* Rows before row tile t: no narrow one is left over at the end. */
static int64_t row_of_tile(const task *t, int64_t tile) {
  return tile * t->rows / t->tiles;
}

static void pack_rows(task *t, int64_t k0, int64_t depth, int64_t groups) {
  const systole_cpu_tile *tile = t->of->weights->tile;
  for (int64_t r = 0; r < t->tiles; r++) {
    const int64_t first = row_of_tile(t, r);
    const int64_t count = row_of_tile(t, r + 1) - first;
    tile->pack_a(t->a + first * groups * GroupBytes, t->row_start + first,
                 t->of->a + (t->i0 + first) * t->of->lda + k0, t->of->lda, count, depth);
    /* With b + 128, every product has 128 a too much; |128 x sum| is at most 2^24. */
    for (int64_t i = first; i < first + count; i++) {
      t->row_start[i] *= -128; /* 0 where B has no offset */
    }
  }
}

/* Row tile r of panels [p0, p1) of the task: sums to int8. */
static void requantise(const task *t, int64_t r, int64_t p0, int64_t p1,
                       const int32_t *sums) {
  const systole_cpu_weights *w = t->of->weights;
  const int64_t j0 = (t->first_panel + p0) * w->tile->columns;
  const int64_t width = smaller((p1 - p0) * w->tile->columns, w->n - j0);
  for (int64_t i = row_of_tile(t, r); i < row_of_tile(t, r + 1); i++) {
    w->tile->epilogue((int8_t *)t->of->c + (t->i0 + i) * t->of->ldc + j0, sums, j0, width,
                      &w->epilogue);
    sums += t->ld;
  }
}

/* Panels [p0, p1) of the task, one block of k; `b` is panel p0. A row tile stays in the
 * first-level cache while the panels of the strip pass it, and C is written along its
 * rows: the other order, panel by panel down all rows, touches a page of C per row and
 * was up to a tenth slower. */
static void run_strip(const task *t, int64_t p0, int64_t p1, int64_t k0, int64_t groups,
                      const uint8_t *b) {
  const systole_cpu_weights *w = t->of->weights;
  const int64_t columns = w->tile->columns;
  const int to_int8 = w->epilogue.multiplier != NULL;
  for (int64_t r = 0; r < t->tiles; r++) {
    const int64_t first = row_of_tile(t, r);
    const int64_t count = row_of_tile(t, r + 1) - first;
    /* With one block of k, sums on their way to int8 need not outlive this turn. */
    int32_t *sums = t->sums;
    if (!to_int8 || w->k > BlockK) sums += first * t->ld + p0 * columns;
    run_tile(t->of, (int)count, t->first_panel + p0, p1 - p0, groups,
             t->a + first * groups * GroupBytes, b, groups * GroupBytes * columns,
             t->row_start + first, k0 > 0, sums, t->ld);
    if (to_int8 && k0 + BlockK >= w->k) requantise(t, r, p0, p1, sums);
  }
}

/* The body of the pool: `user` is the product. */
static void run_task(void *user, int64_t index, int thread) {
  const product *of = user;
  const systole_cpu_weights *w = of->weights;
  const systole_cpu_tile *tile = w->tile;
  task t = {.of = of};
  t.i0 = index / of->column_tasks * of->task_rows;
  t.first_panel = index % of->column_tasks * of->task_panels;
  t.rows = smaller(of->task_rows, of->m - t.i0);
  t.panels = smaller(of->task_panels, w->panels - t.first_panel);
  t.tiles = systole_ceil_div(t.rows, tile->rows);
  t.a = of->room->a + (size_t)thread * of->room->a_bytes;
  const int to_int8 = w->epilogue.multiplier != NULL;
  if (to_int8) {
    t.sums = of->room->sums + (size_t)thread * TaskRows * TaskColumns;
    t.ld = TaskColumns;
  } else {
    t.sums = (int32_t *)of->c + t.i0 * of->ldc + t.first_panel * tile->columns;
    t.ld = of->ldc;
  }

  const int64_t strip_panels = StripColumns / tile->columns;
  /* k = 0 makes one block of depth 0: sums are what they start with. */
  for (int64_t k0 = 0; k0 == 0 || k0 < w->k; k0 += BlockK) {
    const int64_t depth = smaller(BlockK, w->k - k0);
    const int64_t groups = systole_ceil_div(depth, tile->group);
    const int64_t panel_bytes = groups * GroupBytes * tile->columns;
    /* Blocks before this one hold BlockK / group groups of every panel. */
    const uint8_t *b = w->packed +
                       k0 / tile->group * GroupBytes * tile->columns * w->panels +
                       t.first_panel * panel_bytes;
    if (depth > 0) pack_rows(&t, k0, depth, groups);
    for (int64_t p0 = 0; p0 < t.panels; p0 += strip_panels) {
      run_strip(&t, p0, smaller(p0 + strip_panels, t.panels), k0, groups,
                b + p0 * panel_bytes);
    }
  }
}

/* Splits C into tasks: as few as the caches allow, but enough for the threads to share
 * evenly. */
static void split(product *of, int threads) {
  const systole_cpu_weights *w = of->weights;
  const systole_cpu_tile *tile = w->tile;
  const int64_t most_rows = TaskRows - TaskRows % tile->rows;
  const int64_t most_panels = TaskColumns / tile->columns;
  int64_t row_tasks = systole_ceil_div(of->m, most_rows);
  int64_t column_tasks = systole_ceil_div(w->panels, most_panels);
  const int64_t wanted = threads > 1 ? 4 * (int64_t)threads : 1;
  while (row_tasks * column_tasks < wanted) {
    const int64_t rows = systole_ceil_div(of->m, row_tasks);
    const int64_t panels = systole_ceil_div(w->panels, column_tasks);
    const int rows_split = rows > tile->rows;
    const int panels_split = panels > 1;
    if (!rows_split && !panels_split) break;
    if (rows_split && (rows >= panels * tile->columns || !panels_split)) {
      row_tasks++;
    } else {
      column_tasks++;
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
  systole_pool_run(room->pool, threads, tasks, run_task, &of);
  return SYSTOLE_OK;
}

static int usable(const systole_cpu_kernel *kernel, const char **why) {
  const int yes = kernel->tile->supported();
  *why = yes ? "" : kernel->tile->needs;
  return yes;
}

#define BLOCKED_KERNEL(id, title)                  \
  const systole_cpu_kernel systole_kernel_##id = { \
      .name = (title),                             \
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
