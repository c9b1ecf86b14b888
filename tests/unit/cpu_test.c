/* Every CPU kernel that this machine can run against the plain product, and the engine
 * around them. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/kernel.h"
#include "engine/cpu/pack.h"
#include "engine/cpu/pool.h"
#include "engine/cpu/tile.h"
#include "engine/engine.h"
#include "product.h"
#include "shapes.h"
#include "support/clock.h"
#include "support/random.h"

/* Of OpenMP, there when oneDNN is. */
int omp_get_max_threads(void) __attribute__((weak));
static int openmp_threads(void) {
  return omp_get_max_threads != NULL ? omp_get_max_threads() : 0;
}

static const systole_engine_ops *const cpu = &systole_engine_cpu;

/* Runs `body` for every kernel that can run here; fails if there are suspiciously few. */
typedef void kernel_body(const systole_cpu_kernel *kernel);

static void each_kernel(kernel_body *body) {
  int count = 0, ran = 0;
  const systole_cpu_kernel *const *all = systole_cpu_kernels(&count);
  for (int i = 0; i < count; i++) {
    const char *why = NULL;
    if (!all[i]->usable(all[i], &why)) {
      cr_expect_gt(strlen(why), 0u, "%s must say what it needs", all[i]->name);
      continue;
    }
    body(all[i]);
    ran++;
  }
#ifdef __x86_64__
  cr_assert_geq(ran, 2, "SSE2 and plain C run on every x86-64 CPU");
#else
  cr_assert_geq(ran, 1);
#endif
}

/* One product through a kernel, checked with its guards. */
static void check(const systole_cpu_kernel *kernel, int threads, systole_product *p,
                  const systole_epilogue *epilogue) {
  systole_cpu_room *room = NULL;
  systole_cpu_weights *weights = NULL;
  cr_assert_eq(kernel->room_create(&room, kernel, threads), SYSTOLE_OK);
  cr_assert_eq(kernel->prepare(&weights, room, p->n, p->k, p->b, p->ldb, epilogue),
               SYSTOLE_OK);
  cr_assert_eq(kernel->gemm(weights, room, p->m, p->a, p->lda, p->c, p->ldc), SYSTOLE_OK);
  const char *wrong = systole_product_check(p);
  cr_assert_null(wrong, "%s, %d threads: %s", kernel->name, threads,
                 wrong != NULL ? wrong : "");
  kernel->weights_free(weights);
  kernel->room_free(room);
}

static void product(const systole_cpu_kernel *kernel, int threads, int64_t m, int64_t n,
                    int64_t k, int64_t gap, systole_values values) {
  systole_product p = systole_product_make(m, n, k, gap, 3, values);
  check(kernel, threads, &p, NULL);
  systole_product_free(&p);
}

/* ---- products
 * -------------------------------------------------------------------------- */

static void shared_shapes(const systole_cpu_kernel *kernel) {
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  const size_t count = systole_shapes(shapes, 16);
  for (size_t i = 0; i < count; i++) {
    const systole_shape *s = &shapes[i];
    product(kernel, 1, s->m, s->n, s->k, 0, SYSTOLE_VALUES_RANDOM);
    product(kernel, 2, s->m, s->n, s->k, 5, SYSTOLE_VALUES_EXTREME);
  }
}
Test(kernels, shared_table_of_shapes) { each_kernel(shared_shapes); }

/* Every height of a tile, every width of an edge, every remainder of a group. */
static void edges(const systole_cpu_kernel *kernel) {
  for (int64_t m = 1; m <= 31; m++)
    product(kernel, 1, m, 33, 9, 1, SYSTOLE_VALUES_RANDOM);
  for (int64_t n = 1; n <= 70; n++)
    product(kernel, 1, 5, n, 10, 1, SYSTOLE_VALUES_RANDOM);
  for (int64_t k = 1; k <= 40; k++)
    product(kernel, 1, 15, 40, k, 1, SYSTOLE_VALUES_RANDOM);
}
Test(kernels, every_edge_of_a_tile) { each_kernel(edges); }

/* Around the block of k and the tasks, where sums are taken up again. */
static void blocks(const systole_cpu_kernel *kernel) {
  const int64_t block = SYSTOLE_PACK_BLOCK_K;
  for (int64_t k = block - 1; k <= block + 5; k++) {
    product(kernel, 1, 17, 35, k, 3, SYSTOLE_VALUES_EXTREME);
  }
  product(kernel, 1, 3, 67, 3 * block + 7, 0, SYSTOLE_VALUES_RANDOM);
  product(kernel, 2, 61, 1030, 70, 2, SYSTOLE_VALUES_RANDOM);
  product(kernel, 2, 230, 1, 33, 0, SYSTOLE_VALUES_RANDOM);
}
Test(kernels, blocks_of_k_and_tasks) { each_kernel(blocks); }

/* The largest sums there are: what saturates in 16 bits or rounds in a float fails here.
 */
static void largest_sums(const systole_cpu_kernel *kernel) {
  product(kernel, 1, 15, 33, 4096, 0, SYSTOLE_VALUES_MIN);
  product(kernel, 1, 15, 33, 4096, 0, SYSTOLE_VALUES_EXTREME);
  product(kernel, 2, 64, 64, 64, 0, SYSTOLE_VALUES_MIN);
}
Test(kernels, largest_sums_are_exact) { each_kernel(largest_sums); }

/* 127 x 127 and, one column on, 127 x -128, 4096 deep: 66 million, far past 2^24 where
 * floats lose units, and odd, so that a lost unit shows. */
static void odd_sums(const systole_cpu_kernel *kernel) {
  systole_product p = systole_product_make(4, 20, 4097, 0, 1, SYSTOLE_VALUES_MIN);
  for (int64_t i = 0; i < p.m * p.lda; i++) p.a[i] = 127;
  for (int64_t k = 0; k < p.k; k++) {
    for (int64_t j = 0; j < p.n; j++) p.b[k * p.ldb + j] = (j & 1) != 0 ? 127 : -127;
  }
  for (int64_t i = 0; i < p.m; i++) {
    for (int64_t j = 0; j < p.n; j++) {
      p.expected[i * p.n + j] = ((j & 1) != 0 ? 1 : -1) * 127 * 127 * 4097;
    }
  }
  check(kernel, 1, &p, NULL);
  systole_product_free(&p);
}
Test(kernels, sums_past_24_bits_keep_every_unit) { each_kernel(odd_sums); }

/* 200000 x 2^14 = 3.3e9 is past 2^31: it must wrap, not saturate. */
static void deep(const systole_cpu_kernel *kernel) {
  systole_product p = systole_product_make(3, 5, 200000, 0, 1, SYSTOLE_VALUES_MIN);
  cr_assert_eq(p.expected[0], (int32_t)(uint32_t)(200000ULL << 14),
               "the reference wraps");
  cr_assert_lt(p.expected[0], 0);
  check(kernel, 1, &p, NULL);
  systole_product_free(&p);
  product(kernel, 2, 2, 33, 200003, 0, SYSTOLE_VALUES_EXTREME);
}
Test(kernels, deep_k_wraps) { each_kernel(deep); }

static void empty(const systole_cpu_kernel *kernel) {
  product(kernel, 1, 0, 5, 5, 0, SYSTOLE_VALUES_RANDOM);
  product(kernel, 1, 5, 0, 5, 0, SYSTOLE_VALUES_RANDOM);
  product(kernel, 1, 5, 7, 0, 2, SYSTOLE_VALUES_RANDOM);
  product(kernel, 1, 0, 0, 0, 0, SYSTOLE_VALUES_RANDOM);
}
Test(kernels, empty_products) { each_kernel(empty); }

static void threads(const systole_cpu_kernel *kernel) {
  const int before = openmp_threads();
  for (int count = 1; count <= 5; count++) {
    /* Large enough that all are used (blocked.c: 2^20 MACs each). */
    product(kernel, count, 170, 300, 160, 1, SYSTOLE_VALUES_RANDOM);
    product(kernel, count, 1, 4000, 400, 0, SYSTOLE_VALUES_RANDOM);
    product(kernel, count, 4000, 2, 400, 0, SYSTOLE_VALUES_RANDOM);
  }
  cr_assert_eq(openmp_threads(), before, "%s left OpenMP's count changed", kernel->name);
}
Test(kernels, any_number_of_threads) { each_kernel(threads); }

/* ---- epilogue
 * -------------------------------------------------------------------------- */

enum { Columns = 75 };

typedef struct requantisation {
  int32_t bias[Columns], multiplier[Columns];
  uint8_t shift[Columns];
  systole_epilogue epilogue;
} requantisation;

static void fill(requantisation *r, int shift) {
  const systole_epilogue initial = SYSTOLE_EPILOGUE_INIT;
  systole_random state;
  systole_random_seed(&state, 5);
  for (int j = 0; j < Columns; j++) {
    const uint64_t bits = systole_random_next(&state);
    r->bias[j] = j == 7   ? INT32_MAX
                 : j == 8 ? INT32_MIN
                          : (int32_t)(bits & 0xffff) - 32768;
    r->multiplier[j] = (int32_t)(bits >> 20 & 0x1ffff) - 65536;
    r->shift[j] = (uint8_t)(shift >= 0 ? shift : (int)(bits >> 50) % 48);
  }
  r->epilogue = initial;
  r->epilogue.bias = r->bias;
  r->epilogue.multiplier = r->multiplier;
  r->epilogue.shift = r->shift;
}

static void requantised(const systole_cpu_kernel *kernel) {
  requantisation r;
  const int shifts[] = {-1, 0, 1, 16, 22, 47};
  for (size_t s = 0; s < sizeof shifts / sizeof shifts[0]; s++) {
    fill(&r, shifts[s]);
    r.epilogue.zero_point = (int8_t)(s % 2 == 0 ? 0 : -17);
    r.epilogue.clamp_low = (int8_t)(s % 3 == 0 ? -128 : 0);
    systole_product p =
        systole_product_make(70, Columns, 37, 4, s, SYSTOLE_VALUES_RANDOM);
    systole_product_epilogue(&p, &r.epilogue);
    check(kernel, 1 + (int)(s % 2), &p, &r.epilogue);
    systole_product_free(&p);
  }
  /* k = 0: the epilogue of zeros. */
  fill(&r, -1);
  systole_product p = systole_product_make(3, Columns, 0, 1, 1, SYSTOLE_VALUES_RANDOM);
  systole_product_epilogue(&p, &r.epilogue);
  check(kernel, 1, &p, &r.epilogue);
  systole_product_free(&p);
}
Test(kernels, requantise_like_the_definition) { each_kernel(requantised); }

/* Bias without a multiplier: int32 results, wrapping. */
static void biased(const systole_cpu_kernel *kernel) {
  requantisation r;
  fill(&r, -1);
  r.epilogue.multiplier = NULL;
  r.epilogue.shift = NULL;
  const int64_t depths[] = {0, 3, 2 * SYSTOLE_PACK_BLOCK_K + 1};
  for (int i = 0; i < 3; i++) {
    systole_product p =
        systole_product_make(15, Columns, depths[i], 2, 9, SYSTOLE_VALUES_EXTREME);
    systole_product_epilogue(&p, &r.epilogue);
    check(kernel, 1, &p, &r.epilogue);
    systole_product_free(&p);
  }
}
Test(kernels, bias_alone) { each_kernel(biased); }

/* Prepared once, used for products of several heights, after the caller's arrays are
 * gone. */
static void reused(const systole_cpu_kernel *kernel) {
  requantisation *r = malloc(sizeof *r);
  fill(r, 20);
  systole_cpu_room *room = NULL;
  systole_cpu_weights *weights = NULL;
  cr_assert_eq(kernel->room_create(&room, kernel, 2), SYSTOLE_OK);
  systole_product first =
      systole_product_make(1, Columns, 50, 0, 21, SYSTOLE_VALUES_RANDOM);
  requantisation kept = *r;
  kept.epilogue.bias = kept.bias;
  kept.epilogue.multiplier = kept.multiplier;
  kept.epilogue.shift = kept.shift;
  int8_t *b = malloc((size_t)(first.k * first.ldb));
  memcpy(b, first.b, (size_t)(first.k * first.ldb));
  cr_assert_eq(
      kernel->prepare(&weights, room, first.n, first.k, b, first.ldb, &r->epilogue),
      SYSTOLE_OK);
  memset(b, 1, (size_t)(first.k * first.ldb));
  memset(r, 0x55, sizeof *r);
  free(b);
  free(r);
  systole_product_epilogue(&first, &kept.epilogue);
  for (int turn = 0; turn < 3; turn++) {
    systole_product_reset(&first);
    cr_assert_eq(kernel->gemm(weights, room, 1, first.a, first.lda, first.c, first.ldc),
                 SYSTOLE_OK);
    const char *wrong = systole_product_check(&first);
    cr_assert_null(wrong, "%s, turn %d: %s", kernel->name, turn,
                   wrong != NULL ? wrong : "");
  }
  systole_product_free(&first);
  kernel->weights_free(weights);
  kernel->room_free(room);
}
Test(kernels, weights_are_prepared_once) { each_kernel(reused); }

/* ---- packing
 * --------------------------------------------------------------------------- */

/* The vector code of a tile packs the same bytes as the portable code. */
Test(packing, tiles_agree_with_portable_code) {
  int count = 0, compared = 0;
  const systole_cpu_kernel *const *all = systole_cpu_kernels(&count);
  systole_random state;
  systole_random_seed(&state, 4);
  int8_t a[16 * 150];
  for (size_t i = 0; i < sizeof a; i++) a[i] = (int8_t)systole_random_next(&state);
  for (int t = 0; t < count; t++) {
    const systole_cpu_tile *tile = all[t]->tile;
    if (tile == NULL || !tile->supported()) continue;
    for (int rows = 1; rows <= tile->rows; rows++) {
      for (int depth = 1; depth <= 140; depth++) {
        static uint8_t got[16 * 150 * 4], want[16 * 150 * 4];
        int32_t got_sum[32] = {0}, want_sum[32] = {0};
        const size_t bytes = (size_t)((depth + tile->group - 1) / tile->group * rows) * 4;
        memset(got, 0xee, sizeof got);
        tile->pack_a(got, got_sum, a, 150, rows, depth);
        systole_pack_a(want, want_sum, tile->group, a, 150, rows, depth);
        cr_assert_arr_eq(got, want, bytes, "%s, %d rows, depth %d", tile->name, rows,
                         depth);
        if (tile->offset_b) cr_assert_arr_eq(got_sum, want_sum, (size_t)rows * 4);
        compared++;
      }
    }
  }
  cr_assert_gt(compared, 0);
}

Test(packing, panels_hold_groups_of_k) {
  int8_t b[6 * 40];
  for (int i = 0; i < 6 * 40; i++) b[i] = (int8_t)i;
  uint8_t bytes[2 * 32 * 4];
  systole_pack_b(bytes, 4, 0x80, 32, b, 40, 6, 32);
  cr_expect_eq(bytes[0], (uint8_t)b[0] ^ 0x80);
  cr_expect_eq(bytes[4 * 31 + 3], (uint8_t)b[3 * 40 + 31] ^ 0x80);
  cr_expect_eq(bytes[128 + 4 * 5 + 1], (uint8_t)b[5 * 40 + 5] ^ 0x80);
  int16_t words[3 * 16 * 2];
  systole_pack_b((uint8_t *)words, 2, 0, 16, b, 40, 6, 16);
  cr_expect_eq(words[2 * 15 + 1], b[40 + 15]);
  cr_expect_eq(words[2 * 32 + 2 * 3 + 1], b[5 * 40 + 3]);
}

/* ---- threads
 * --------------------------------------------------------------------------- */

typedef struct tally {
  atomic_int done[1000]; /* times each task was run */
  atomic_int inside[8];  /* calls under way with each thread's number */
  atomic_int wrong;
  int threads;
} tally;

static void count_task(void *user, int64_t task, int thread) {
  tally *t = user;
  if (thread < 0 || thread >= t->threads) {
    atomic_fetch_add(&t->wrong, 1);
    return;
  }
  if (atomic_fetch_add(&t->inside[thread], 1) != 0) atomic_fetch_add(&t->wrong, 1);
  atomic_fetch_add(&t->done[task], 1);
  for (volatile int i = 0; i < 50; i++) {
  }
  atomic_fetch_sub(&t->inside[thread], 1);
}

Test(pool, does_every_task_once) {
  for (int size = 1; size <= 6; size++) {
    systole_pool *pool = NULL;
    cr_assert_eq(systole_pool_create(&pool, size), SYSTOLE_OK);
    for (int turn = 0; turn < 300; turn++) {
      /* On the stack, so that a thread that came late would spoil the next turn. */
      tally t;
      memset(&t, 0, sizeof t);
      const int asked = 1 + turn % 8;
      const int64_t tasks = turn * 7 % 200;
      t.threads = asked < size ? asked : size;
      systole_pool_run(pool, asked, tasks, count_task, &t);
      cr_assert_eq(atomic_load(&t.wrong), 0, "%d threads, turn %d", size, turn);
      for (int64_t i = 0; i < 1000; i++) {
        cr_assert_eq(atomic_load(&t.done[i]), i < tasks, "%d threads, turn %d, task %d",
                     size, turn, (int)i);
      }
    }
    systole_pool_free(pool);
  }
  systole_pool_free(NULL);
  cr_expect_geq(systole_pool_cpus(), 1);
}

static void wait_for_another(void *user, int64_t task, int thread) {
  (void)thread;
  atomic_int *there = user;
  if (task >= 2) return;
  atomic_fetch_add(there, 1);
  const double until = systole_wall_seconds() + 20;
  while (atomic_load(there) < 2 && systole_wall_seconds() < until) {
  }
}

/* Two tasks that each wait until the other has begun: one thread alone would never end.
 */
Test(pool, really_works_at_once) {
  systole_pool *pool = NULL;
  cr_assert_eq(systole_pool_create(&pool, 2), SYSTOLE_OK);
  for (int turn = 0; turn < 20; turn++) {
    atomic_int there = 0;
    const double start = systole_wall_seconds();
    systole_pool_run(pool, 2, 2, wait_for_another, &there);
    cr_assert_lt(systole_wall_seconds() - start, 19.0, "the second thread never came");
    if (turn % 5 == 0) {
      /* Let the worker go to sleep. */
      const double until = systole_wall_seconds() + 0.005;
      while (systole_wall_seconds() < until) {
      }
    }
  }
  systole_pool_free(pool);
}

/* ---- choice of a kernel
 * ---------------------------------------------------------------- */

Test(kernels, names_are_those_of_their_tiles) {
  int count = 0;
  const systole_cpu_kernel *const *all = systole_cpu_kernels(&count);
  for (int i = 0; i < count; i++) {
    if (all[i]->tile != NULL) cr_expect_str_eq(all[i]->name, all[i]->tile->name);
    cr_expect_eq(systole_cpu_kernel_find(all[i]->name), all[i]);
  }
  cr_expect_null(systole_cpu_kernel_find("abacus"));
}

Test(kernels, all_pass_the_self_test) {
  int count = 0;
  const systole_cpu_kernel *const *all = systole_cpu_kernels(&count);
  for (int i = 0; i < count; i++) {
    const char *why = "";
    if (!all[i]->usable(all[i], &why)) continue;
    cr_expect(systole_cpu_selftest(all[i], &why), "%s: %s", all[i]->name, why);
  }
}

/* Kernels with the faults that real ones have, built around the plain one: the self-test
 * must find each. */
static const systole_cpu_kernel *plain(void) {
  return systole_cpu_kernel_find("plain-c");
}

static systole_status spoilt(const systole_cpu_weights *w, systole_cpu_room *room,
                             int64_t m, const int8_t *a, int64_t lda, void *c,
                             int64_t ldc, int32_t (*spoil)(int32_t)) {
  const systole_status status = plain()->gemm(w, room, m, a, lda, c, ldc);
  for (int64_t i = 0; i < m; i++)
    ((int32_t *)c)[i * ldc] = spoil(((int32_t *)c)[i * ldc]);
  return status;
}
static int32_t through_float(int32_t x) { return (int32_t)(float)x; }
static int32_t saturating(int32_t x) { return x > (1 << 25) ? 1 << 25 : x; }
static systole_status float_gemm(const systole_cpu_weights *w, systole_cpu_room *room,
                                 int64_t m, const int8_t *a, int64_t lda, void *c,
                                 int64_t ldc) {
  return spoilt(w, room, m, a, lda, c, ldc, through_float);
}
static systole_status saturating_gemm(const systole_cpu_weights *w,
                                      systole_cpu_room *room, int64_t m, const int8_t *a,
                                      int64_t lda, void *c, int64_t ldc) {
  return spoilt(w, room, m, a, lda, c, ldc, saturating);
}

Test(kernels, self_test_finds_wrong_kernels) {
  const char *why = "";
  systole_cpu_kernel kernel = *plain();
  cr_expect(systole_cpu_selftest(&kernel, &why));
  kernel.gemm = float_gemm;
  cr_expect_not(systole_cpu_selftest(&kernel, &why), "sums through a float");
  cr_expect_gt(strlen(why), 0u);
  kernel.gemm = saturating_gemm;
  cr_expect_not(systole_cpu_selftest(&kernel, &why), "sums that saturate");
}

/* ---- the engine
 * ------------------------------------------------------------------------ */

static systole_engine *opened(const char *name, int thread_count) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.threads = thread_count;
  systole_engine *engine = NULL;
  cr_assert_eq(cpu->open(&engine, name, &options), SYSTOLE_OK, "%s",
               systole_last_error());
  return engine;
}

Test(engine, computes_and_tells) {
  systole_engine *engine = opened("cpu", 1);
  systole_product p = systole_product_make(130, 140, 150, 3, 2, SYSTOLE_VALUES_RANDOM);
  systole_engine_weights *weights = NULL;
  systole_stats stats = {0};
  cr_assert_eq(cpu->prepare(&weights, engine, p.n, p.k, p.b, p.ldb, NULL), SYSTOLE_OK);
  cr_assert_eq(cpu->gemm(weights, p.m, p.a, p.lda, p.c, p.ldc, &stats), SYSTOLE_OK);
  cr_assert_null(systole_product_check(&p));
  cr_expect_not_null(systole_cpu_kernel_find(stats.kernel));
  cr_expect_gt(stats.seconds, 0);
  cr_expect_float_eq(stats.gops, 2e-9 * 130 * 140 * 150 / stats.seconds,
                     1e-6 * stats.gops);
  cr_expect_eq(stats.energy_j.kind, SYSTOLE_KIND_MODELLED, "too short for a counter");
  cr_expect_geq(stats.energy_j.nominal, stats.energy_j.low);
  cr_expect_geq(stats.energy_j.high, stats.energy_j.nominal);
  cr_expect_eq(stats.has_cycles, 0);
  systole_geometry geometry;
  cr_assert_eq(cpu->geometry(engine, &geometry), SYSTOLE_OK);
  cr_expect_eq(geometry.dim, 0);
  systole_product_free(&p);
  cpu->weights_free(weights);
  cpu->close(engine);
}

Test(engine, kernels_can_be_named) {
  systole_engine *engine = opened("cpu:plain-c", 1);
  systole_engine_weights *weights = NULL;
  systole_stats stats = {0};
  const int8_t one = 1;
  int32_t c = 0;
  cr_assert_eq(cpu->prepare(&weights, engine, 1, 1, &one, 1, NULL), SYSTOLE_OK);
  cr_assert_eq(cpu->gemm(weights, 1, &one, 1, &c, 1, &stats), SYSTOLE_OK);
  cr_expect_eq(c, 1);
  cr_expect_str_eq(stats.kernel, "plain-c");
  cpu->weights_free(weights);
  cpu->close(engine);
  cpu->close(NULL);
  cpu->weights_free(NULL);
}

Test(engine, refuses_with_a_sentence) {
  systole_engine *engine = (systole_engine *)1;
  cr_expect_eq(cpu->open(&engine, "cpu:abacus", NULL), SYSTOLE_ERR_NOT_FOUND);
  cr_expect_null(engine);
  cr_expect_not_null(strstr(systole_last_error(), "cpu:plain-c"),
                     "it names what there is");
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.threads = -1;
  cr_expect_eq(cpu->open(&engine, "cpu", &options), SYSTOLE_ERR_ARGUMENT);
  cr_expect(cpu->claims("cpu"));
  cr_expect(cpu->claims("cpu:plain-c"));
  cr_expect_not(cpu->claims("cpu-f32"), "that is another engine");
  cr_expect_not(cpu->claims("rtl:16"));
}

static int rows_listed;
static void count_row(void *user, const systole_device_info *info) {
  (void)user;
  rows_listed++;
  cr_expect(cpu->claims(info->name));
  cr_expect_eq(info->usable, strlen(info->reason) == 0);
}
Test(engine, lists_itself) {
  cpu->list(count_row, NULL);
  cr_expect_geq(rows_listed, 1);
}

typedef struct progress_seen {
  uint64_t last, total;
  int calls, stop;
} progress_seen;
static int on_progress(void *user, uint64_t done, uint64_t total) {
  progress_seen *seen = user;
  cr_expect_gt(done, seen->last);
  cr_expect_lt(done, total);
  seen->last = done;
  seen->total = total;
  seen->calls++;
  return seen->stop;
}

Test(engine, long_work_reports_and_stops) {
  /* More than 2^31 MACs with few columns, so that the plain product is not needed. */
  const int64_t m = 70000, n = 32, k = 1100;
  int8_t *a = calloc((size_t)(m * k), 1), *b = calloc((size_t)(k * n), 1);
  int32_t *c = malloc((size_t)(m * n) * sizeof *c);
  cr_assert(a != NULL && b != NULL && c != NULL);
  for (int64_t i = 0; i < m; i++) a[i * k] = (int8_t)(i % 100);
  for (int64_t j = 0; j < n; j++) b[j] = (int8_t)j;
  memset(c, 0x11, (size_t)(m * n) * sizeof *c);
  systole_engine *engine = opened("cpu", 2);
  systole_engine_weights *weights = NULL;
  systole_stats stats = {0};
  progress_seen seen = {0};
  cr_assert_eq(cpu->prepare(&weights, engine, n, k, b, n, NULL), SYSTOLE_OK);
  cpu->set_progress(engine, on_progress, &seen);
  cr_assert_eq(cpu->gemm(weights, m, a, k, c, n, &stats), SYSTOLE_OK);
  cr_expect_gt(seen.calls, 0);
  cr_expect_eq(seen.total, (uint64_t)(m * n * k));
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) cr_assert_eq(c[i * n + j], (int32_t)(i % 100 * j));
  }
  seen = (progress_seen){.stop = 1};
  cr_expect_eq(cpu->gemm(weights, m, a, k, c, n, &stats), SYSTOLE_ERR_INTERRUPTED);
  cr_expect_eq(seen.calls, 1);
  cpu->set_progress(engine, NULL, NULL);
  cr_expect_eq(cpu->gemm(weights, m, a, k, c, n, &stats), SYSTOLE_OK,
               "usable afterwards");
  cpu->weights_free(weights);
  cpu->close(engine);
  free(c);
  free(b);
  free(a);
}

/* ---- the peak
 * -------------------------------------------------------------------------- */

Test(peak, is_measured_once_and_soon) {
  systole_engine *engine = opened("cpu", 1);
  const char *instruction = NULL;
  const double cpu_before = systole_cpu_seconds();
  const double first = cpu->measured_peak_gops(engine, &instruction);
  const double spent = systole_cpu_seconds() - cpu_before;
  cr_assert_not_null(instruction);
  cr_expect_lt(spent, 0.2, "%g s", spent);
#ifdef __x86_64__
  if (first > 0) { /* none where AMX is */
    cr_expect_gt(first, 5.0, "a dot-product instruction does more than %g GOP/s", first);
    cr_expect_gt(strlen(instruction), 0u);
  }
#endif
  cr_expect_eq(cpu->measured_peak_gops(engine, &instruction), first,
               "kept by the handle");
  cpu->close(engine);
}

/* No kernel may be faster than the loop that touches no memory: then the loop would be
 * wrong. One part in ten is left for clocks that change in between. */
Test(peak, is_not_exceeded_by_its_own_kernel) {
  systole_engine *engine = opened("cpu", 1);
  const char *instruction = "";
  systole_product p = systole_product_make(256, 256, 256, 0, 2, SYSTOLE_VALUES_RANDOM);
  systole_engine_weights *weights = NULL;
  cr_assert_eq(cpu->prepare(&weights, engine, p.n, p.k, p.b, p.ldb, NULL), SYSTOLE_OK);
  double best = 0;
  for (int turn = 0; turn < 20; turn++) {
    systole_stats stats = {0};
    cr_assert_eq(cpu->gemm(weights, p.m, p.a, p.lda, p.c, p.ldc, &stats), SYSTOLE_OK);
    if (stats.gops > best) best = stats.gops;
  }
  const double peak = cpu->measured_peak_gops(engine, &instruction);
  if (peak > 0) cr_expect_lt(best, 1.1 * peak, "%g GOP/s of %g", best, peak);
  systole_product_free(&p);
  cpu->weights_free(weights);
  cpu->close(engine);
}
