/* Products on the whole kernel through the public API, against the plain product: every
 * shape of the shared table on every model of the build, and what their stats say. */
#include "product.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_isa.h"
#include "kernel.h"
#include "shapes.h"
#include "support/random.h"

/* The models of this build, as in a device's name: {"16", "16:readable", "64"}. */
static const char *const models[] = {COSIM_MODELS};
enum { MODELS = sizeof models / sizeof models[0] };

/* A parameter is the number of a model: names would be pointers into another process. */
static struct criterion_test_params every_model(void) {
  return kernel_models(models, MODELS);
}

/* ---- one product --------------------------------------------------------------------
 */

typedef enum way {
  RAW,      /* systole_gemm_s8 */
  PREPARED, /* systole_gemm_s8_prepared without epilogue */
  BIAS,     /* int32 results with a bias */
  INT8,     /* the whole epilogue, ties and clamping included */
  WAYS
} way;

static const char *const way_names[WAYS] = {"raw", "prepared", "bias", "int8"};

typedef struct columns { /* an epilogue and the memory behind it */
  systole_epilogue epilogue;
  int32_t *bias, *multiplier;
  uint8_t *shift;
} columns;

/* Shifts are such that sums of K random products spread over int8. Small multipliers give
 * ties, large ones the whole width of the multiplication. */
static columns columns_make(way how, int64_t n, int64_t k, uint64_t seed) {
  columns c = {SYSTOLE_EPILOGUE_INIT, NULL, NULL, NULL};
  systole_random random;
  int depth = 0;
  systole_random_seed(&random, seed ^ 0xC01);
  while (k >> depth > 1) depth++;
  c.bias = malloc((size_t)(n + 1) * sizeof *c.bias);
  c.multiplier = malloc((size_t)(n + 1) * sizeof *c.multiplier);
  c.shift = malloc((size_t)n + 1);
  cr_assert(c.bias && c.multiplier && c.shift);
  for (int64_t j = 0; j < n; j++) {
    const int wraps = systole_random_below(&random, 16) == 0;
    c.bias[j] = wraps ? (int32_t)(uint32_t)systole_random_next(&random)
                      : (int32_t)systole_random_below(&random, 20001) - 10000;
    const int large = (int)systole_random_below(&random, 2);
    c.multiplier[j] = large ? (int32_t)systole_random_below(&random, 131072) - 65536
                            : (int32_t)systole_random_below(&random, 7) - 3;
    c.shift[j] = (uint8_t)((large ? 15 : 0) + 6 + depth / 2 +
                           (int)systole_random_below(&random, 3));
    if (systole_random_below(&random, 16) == 0) {
      c.shift[j] = (uint8_t)systole_random_below(&random, 48);
    }
  }
  if (how == BIAS || how == INT8) c.epilogue.bias = c.bias;
  if (how == INT8) {
    c.epilogue.multiplier = c.multiplier;
    c.epilogue.shift = c.shift;
    c.epilogue.zero_point = (int8_t)(int)(systole_random_below(&random, 256) - 128);
    c.epilogue.clamp_low = (int8_t)(-128 + (int)systole_random_below(&random, 60));
    c.epilogue.clamp_high = (int8_t)(127 - (int)systole_random_below(&random, 60));
  }
  return c;
}

static void columns_free(columns *c) {
  free(c->bias);
  free(c->multiplier);
  free(c->shift);
}

/* Computes `p` on the device; p's expected results follow the epilogue. */
static systole_stats run(systole_device *device, systole_product *p, way how,
                         const char *story) {
  systole_stats stats;
  systole_geometry g;
  systole_status status = SYSTOLE_OK;
  memset(&stats, 0xEE, sizeof stats);
  if (how == RAW) {
    status = systole_gemm_s8(device, p->m, p->n, p->k, p->a, p->lda, p->b, p->ldb, p->c,
                             p->ldc, &stats);
  } else {
    systole_weights *weights = NULL;
    columns c = columns_make(how, p->n, p->k, p->seed);
    systole_product_epilogue(p, &c.epilogue);
    status = systole_weights_prepare(&weights, device, p->n, p->k, p->b, p->ldb,
                                     how == PREPARED ? NULL : &c.epilogue);
    if (!status) {
      status =
          systole_gemm_s8_prepared(weights, p->m, p->a, p->lda, p->c, p->ldc, &stats);
    }
    systole_weights_free(weights);
    columns_free(&c);
  }
  cr_assert_eq(status, SYSTOLE_OK,
               "%s, %s: M=%" PRId64 " N=%" PRId64 " K=%" PRId64 " seed=%" PRIu64 ": %s",
               story, way_names[how], p->m, p->n, p->k, p->seed, systole_last_error());
  const char *wrong = systole_product_check(p);
  cr_assert_null(wrong, "%s, %s: %s", story, way_names[how], wrong);
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  wrong = kernel_check_stats(&stats, &g, p->m, p->n, p->k);
  cr_assert_null(wrong, "%s, %s: M=%" PRId64 " N=%" PRId64 " K=%" PRId64 ": %s", story,
                 way_names[how], p->m, p->n, p->k, wrong);
  return stats;
}

/* The same with operands from `seed` and `gap` elements between rows. */
static systole_stats multiply(systole_device *device, int64_t m, int64_t n, int64_t k,
                              int64_t gap, uint64_t seed, systole_values values, way how,
                              const char *story) {
  systole_product p = systole_product_make(m, n, k, gap, seed, values);
  const systole_stats stats = run(device, &p, how, story);
  systole_product_free(&p);
  return stats;
}

static int dim_of(systole_device *device) {
  systole_geometry g;
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  return g.dim;
}

/* ---- the shape table ----------------------------------------------------------------
 */

ParameterizedTestParameters(product, every_shape) { return every_model(); }

ParameterizedTest(int *model, product, every_shape) {
  systole_device *device = kernel_open(models[*model], NULL);
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  const size_t count = systole_shapes(shapes, dim_of(device));
  for (size_t i = 0; i < count; i++) {
    const systole_shape *s = &shapes[i];
    for (way how = RAW; how < WAYS; how++) {
      /* Values and gaps take turns, so that each meets each way of computing. */
      const systole_values values = (systole_values)((i + (size_t)how) % 4);
      const int64_t gap = (int64_t)(i + (size_t)how) % 3;
      (void)multiply(device, s->m, s->n, s->k, gap, 100 + i, values, how, s->why);
    }
  }
  systole_device_close(device);
}

/* Both arrays take the same cycles for the same reasons. */
ParameterizedTestParameters(product, readable_and_flat_are_alike) {
  return every_model();
}

ParameterizedTest(int *model, product, readable_and_flat_are_alike) {
  const char *colon = strchr(models[*model], ':');
  if (!colon) return;
  char flat_name[16] = "";
  memcpy(flat_name, models[*model], (size_t)(colon - models[*model]));
  systole_device *readable = kernel_open(models[*model], NULL);
  systole_device *flat = kernel_open(flat_name, NULL);
  systole_geometry g[2];
  cr_assert_eq(systole_device_geometry(readable, &g[0]), SYSTOLE_OK);
  cr_assert_eq(systole_device_geometry(flat, &g[1]), SYSTOLE_OK);
  cr_assert(!g[0].flat_array && g[1].flat_array && g[0].dim == g[1].dim);
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  const size_t count = systole_shapes(shapes, g[0].dim);
  for (size_t i = 0; i < count; i++) {
    const systole_shape *s = &shapes[i];
    const way how = (way)(i % WAYS);
    const systole_stats of_readable = multiply(readable, s->m, s->n, s->k, 0, 300 + i,
                                               SYSTOLE_VALUES_SPARSE, how, s->why);
    const systole_stats of_flat =
        multiply(flat, s->m, s->n, s->k, 0, 300 + i, SYSTOLE_VALUES_SPARSE, how, s->why);
    const char *difference = kernel_compare_stats(&of_readable, &of_flat);
    cr_assert_null(difference, "%s (M=%" PRId64 " N=%" PRId64 " K=%" PRId64 "): %s",
                   s->why, s->m, s->n, s->k, difference);
  }
  systole_device_close(readable);
  systole_device_close(flat);
}

/* ---- arguments at their edges -------------------------------------------------------
 */

ParameterizedTestParameters(product, rows_may_lie_far_apart) { return every_model(); }

ParameterizedTest(int *model, product, rows_may_lie_far_apart) {
  systole_device *device = kernel_open(models[*model], NULL);
  const int64_t dim = dim_of(device);
  for (way how = RAW; how < WAYS; how++) {
    (void)multiply(device, dim + 3, 2 * dim + 1, dim + 1, 1001, 5, SYSTOLE_VALUES_RANDOM,
                   how, "long rows");
  }
  systole_device_close(device);
}

ParameterizedTestParameters(product, empty_sizes_run_nothing) { return every_model(); }

ParameterizedTest(int *model, product, empty_sizes_run_nothing) {
  systole_device *device = kernel_open(models[*model], NULL);
  static const int64_t sizes[][3] = {{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {0, 0, 5},
                                     {0, 5, 0}, {5, 0, 0}, {0, 0, 0}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    for (way how = RAW; how < WAYS; how++) {
      (void)multiply(device, sizes[i][0], sizes[i][1], sizes[i][2], 2, 7 + i,
                     SYSTOLE_VALUES_RANDOM, how, "an empty size");
    }
  }
  /* No memory is needed where there is no element. */
  systole_stats stats;
  cr_expect_eq(systole_gemm_s8(device, 0, 0, 0, NULL, 1, NULL, 1, NULL, 1, &stats),
               SYSTOLE_OK, "%s", systole_last_error());
  int32_t c[2] = {7, 7};
  cr_expect_eq(systole_gemm_s8(device, 1, 2, 0, NULL, 1, NULL, 2, c, 2, NULL), SYSTOLE_OK,
               "%s", systole_last_error());
  cr_expect(c[0] == 0 && c[1] == 0);
  systole_device_close(device);
}

/* 131072 x 16384 = 2^31: the sum wraps to the most negative number. */
ParameterizedTestParameters(product, sums_wrap_modulo_2_to_the_32) {
  return every_model();
}

ParameterizedTest(int *model, product, sums_wrap_modulo_2_to_the_32) {
  systole_device *device = kernel_open(models[*model], NULL);
  (void)multiply(device, 1, 1, 131072, 0, 5, SYSTOLE_VALUES_MIN, RAW, "2^31");
  (void)multiply(device, 1, 2, 140000, 0, 6, SYSTOLE_VALUES_MIN, BIAS, "beyond 2^31");
  (void)multiply(device, 2, 1, 140000, 0, 7, SYSTOLE_VALUES_MIN, INT8, "beyond 2^31");
  systole_device_close(device);
}

/* Puts another B (without gaps) into a product and computes again what is expected. */
static void use_weights(systole_product *p, const int8_t *b) {
  memcpy(p->b, b, (size_t)(p->k * p->n));
  for (int64_t i = 0; i < p->m; i++) {
    for (int64_t j = 0; j < p->n; j++) {
      uint32_t sum = 0;
      for (int64_t l = 0; l < p->k; l++) {
        sum += (uint32_t)(p->a[i * p->lda + l] * b[l * p->n + j]);
      }
      p->expected[i * p->n + j] = (int32_t)sum;
    }
  }
}

/* Weights once, batches of any size, and batch sizes again: programs are remembered, and
 * the same product takes the same cycles whatever ran before. */
ParameterizedTestParameters(product, weights_serve_many_batches) { return every_model(); }

ParameterizedTest(int *model, product, weights_serve_many_batches) {
  static const int64_t batches[] = {1, 7, 2, 130, 1, 33, 5, 7, 130, 9, 1};
  enum { BATCHES = sizeof batches / sizeof batches[0] };
  systole_device *device = kernel_open(models[*model], NULL);
  const int64_t dim = dim_of(device), n = 2 * dim + 1, k = 3 * dim - 1;
  systole_product first = systole_product_make(1, n, k, 0, 11, SYSTOLE_VALUES_RANDOM);
  for (way how = PREPARED; how < WAYS; how++) {
    systole_weights *weights = NULL;
    columns c = columns_make(how, n, k, 11);
    uint64_t cycles[BATCHES];
    cr_assert_eq(systole_weights_prepare(&weights, device, n, k, first.b, n, &c.epilogue),
                 SYSTOLE_OK, "%s", systole_last_error());
    for (int i = 0; i < BATCHES; i++) {
      systole_stats stats;
      systole_product p = systole_product_make(
          batches[i], n, k, 0, 12 + (uint64_t)batches[i], SYSTOLE_VALUES_RANDOM);
      use_weights(&p, first.b);
      systole_product_epilogue(&p, &c.epilogue);
      cr_assert_eq(systole_gemm_s8_prepared(weights, p.m, p.a, p.lda, p.c, p.ldc, &stats),
                   SYSTOLE_OK, "%s", systole_last_error());
      const char *wrong = systole_product_check(&p);
      cr_assert_null(wrong, "batch %d, %s: %s", i, way_names[how], wrong);
      cycles[i] = stats.cycles;
      for (int earlier = 0; earlier < i; earlier++) {
        if (batches[earlier] != batches[i]) continue;
        cr_expect_eq(cycles[earlier], cycles[i], "batches %d and %d", earlier, i);
      }
      systole_product_free(&p);
    }
    systole_weights_free(weights);
    columns_free(&c);
  }
  systole_product_free(&first);
  systole_device_close(device);
}

/* ---- what the stats say -------------------------------------------------------------
 */

/* Products with a zero operand, those in padding included, counted by hand. */
static uint64_t count_zeros(const systole_product *p, int64_t dim) {
  const int64_t columns_padded = (p->n + dim - 1) / dim * dim;
  const int64_t depth_padded = (p->k + dim - 1) / dim * dim;
  int64_t full = 0; /* products of two operands that are not zero */
  for (int64_t l = 0; l < p->k; l++) {
    int64_t of_a = 0, of_b = 0;
    for (int64_t i = 0; i < p->m; i++) of_a += p->a[i * p->lda + l] != 0;
    for (int64_t j = 0; j < p->n; j++) of_b += p->b[l * p->ldb + j] != 0;
    full += of_a * of_b;
  }
  return (uint64_t)(p->m * columns_padded * depth_padded - full);
}

ParameterizedTestParameters(product, zero_macs_are_counted_exactly) {
  return every_model();
}

ParameterizedTest(int *model, product, zero_macs_are_counted_exactly) {
  systole_device *device = kernel_open(models[*model], NULL);
  const int64_t dim = dim_of(device);
  /* Even M, so that no row is added to fill a beat at small sizes. */
  const int64_t sizes[][3] = {{2, 1, 1},
                              {2 * dim, dim, dim},
                              {dim + 2, 2 * dim + 1, 3 * dim - 1},
                              {30, 3 * dim, 5 * dim + 1}};
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    for (int v = SYSTOLE_VALUES_RANDOM; v <= SYSTOLE_VALUES_SPARSE; v++) {
      systole_product p = systole_product_make(sizes[s][0], sizes[s][1], sizes[s][2], 1,
                                               40 + s, (systole_values)v);
      const systole_stats stats = run(device, &p, RAW, "zeros");
      cr_expect_eq(stats.zero_macs, count_zeros(&p, dim),
                   "M=%" PRId64 " N=%" PRId64 " K=%" PRId64 " values=%d: %" PRIu64
                   ", not %" PRIu64,
                   p.m, p.n, p.k, v, stats.zero_macs, count_zeros(&p, dim));
      systole_product_free(&p);
    }
  }
  systole_device_close(device);
}

/* One row, very deep K: a weight tile follows every Dim cycles, or as fast as the port
 * brings its bytes where that takes longer. Between the rows of two tiles lies nothing
 * else: Dim - 1 cycles of shifting, and the rest of waiting for the tile. */
ParameterizedTestParameters(product, one_row_takes_a_tile_every_dim_cycles) {
  return every_model();
}

ParameterizedTest(int *model, product, one_row_takes_a_tile_every_dim_cycles) {
  systole_device *device = kernel_open(models[*model], NULL);
  systole_geometry g;
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  const int64_t dim = g.dim;
  /* Where a beat holds two rows, a second one comes along. */
  const int64_t rows = g.axi_bytes > g.dim ? g.axi_bytes / g.dim : 1;
  for (int64_t blocks = 1; blocks <= 4; blocks *= 4) {
    const int64_t tiles = blocks * 64;
    const systole_stats stats = multiply(device, 1, blocks * dim, 64 * dim, 0, 3,
                                         SYSTOLE_VALUES_RANDOM, RAW, "one row");
    const systole_ledger *l = &stats.ledger;
    const int64_t beats_of_tile = dim * dim / g.axi_bytes;
    const int64_t every = beats_of_tile > dim ? beats_of_tile : dim;
    const uint64_t waiting = (uint64_t)((tiles - 1) * (every - rows));
    cr_expect_eq(l->active, (uint64_t)(tiles * rows), "%" PRIu64 " rows", l->active);
    cr_expect_eq(l->input_stall + l->output_stall, 0, "%" PRIu64 " + %" PRIu64,
                 l->input_stall, l->output_stall);
    /* On the narrowest port an instruction takes as long as 16 tiles. */
    const uint64_t instruction_beats =
        stats.instructions * SYSTOLE_INSTRUCTION_BYTES / (uint64_t)g.axi_bytes;
    cr_expect_leq(l->other, dim == 2 ? instruction_beats : 0, "%" PRIu64, l->other);
    if (blocks == 1 || dim == 16) {
      cr_expect_eq(l->weight_stall + l->weight_shift, waiting,
                   "%" PRIu64 " + %" PRIu64 ", not %" PRIu64 " cycles", l->weight_stall,
                   l->weight_shift, waiting);
      if (every == dim) cr_expect_eq(l->weight_stall, 0, "%" PRIu64, l->weight_stall);
    } else {
      /* Tiles take the whole port; the instructions of the later blocks come over it,
       * too, and no more than their beats is lost. */
      cr_expect_leq(l->weight_stall + l->weight_shift, waiting + instruction_beats,
                    "%" PRIu64 " + %" PRIu64 ", not %" PRIu64 " and at most %" PRIu64,
                    l->weight_stall, l->weight_shift, waiting, instruction_beats);
    }
  }
  systole_device_close(device);
}

/* ---- memory -------------------------------------------------------------------------
 */

enum { SLOW_SIZES = 5 };

/* Results and work of a few products do not depend on the memory; its total time does. */
static void compare_memories(const char *model, uint64_t stall_seed, const char *memory) {
  systole_device_options options = kernel_options();
  options.stall_seed = stall_seed;
  options.memory = memory;
  systole_device *device = kernel_open(model, &options);
  systole_device *quiet = kernel_open(model, NULL);
  options.stall_seed = 0;
  systole_device *steady = kernel_open(model, &options);
  const int64_t dim = dim_of(device);
  const int64_t sizes[SLOW_SIZES][3] = {{1, 1, 1},
                                        {dim + 1, dim + 1, dim + 1},
                                        {1, 3 * dim, 9 * dim + 1},
                                        {5 * dim + 3, 2 * dim - 1, 2 * dim + 3},
                                        {130, dim, 3}};
  uint64_t slow_cycles = 0, fast_cycles = 0;
  for (uint64_t s = 0; s < SLOW_SIZES; s++) {
    const int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
    const way how = (way)((s + stall_seed) % WAYS);
    const systole_stats slow =
        multiply(device, m, n, k, 1, 60 + s, SYSTOLE_VALUES_RANDOM, how, memory);
    const systole_stats fast =
        multiply(quiet, m, n, k, 1, 60 + s, SYSTOLE_VALUES_RANDOM, how, "ideal");
    cr_expect_str_eq(slow.memory, memory);
    cr_expect_str_eq(fast.memory, "ideal");
    cr_expect_eq(slow.ledger.active, fast.ledger.active);
    cr_expect_eq(slow.zero_macs, fast.zero_macs);
    /* A plan is made for the memory: stalls alone leave the work as it is. */
    const systole_stats same =
        multiply(steady, m, n, k, 1, 60 + s, SYSTOLE_VALUES_RANDOM, how, memory);
    cr_expect_eq(slow.instructions, same.instructions);
    cr_expect_eq(slow.gmem0_read_bytes, same.gmem0_read_bytes);
    cr_expect_eq(slow.gmem1_read_bytes, same.gmem1_read_bytes);
    cr_expect_eq(slow.gmem0_write_bytes, same.gmem0_write_bytes);
    cr_expect_eq(slow.gmem0_write_bytes, fast.gmem0_write_bytes);
    slow_cycles += slow.cycles;
    fast_cycles += fast.cycles;
  }
  cr_expect_gt(slow_cycles, fast_cycles,
               "%s, stall seed %" PRIu64 ": %" PRIu64 " and %" PRIu64 " cycles", memory,
               stall_seed, slow_cycles, fast_cycles);
  systole_device_close(steady);
  systole_device_close(quiet);
  systole_device_close(device);
}

ParameterizedTestParameters(product, slow_memories_only_delay) {
  return kernel_models_to_128(models, MODELS);
}

ParameterizedTest(int *model, product, slow_memories_only_delay) {
  for (uint64_t seed = 0; seed <= 3; seed++) {
    if (seed > 0) compare_memories(models[*model], seed, "ideal");
    compare_memories(models[*model], seed, "ddr4");
    compare_memories(models[*model], seed, "hbm2");
  }
}

/* A memory that is too slow for what a product needs shows where it hurts. */
ParameterizedTestParameters(product, slow_memory_shows_in_the_ledger) {
  return every_model();
}

ParameterizedTest(int *model, product, slow_memory_shows_in_the_ledger) {
  systole_device_options options = kernel_options();
  options.memory = "ddr4";
  options.clock_mhz = 2000.0; /* rate and latency are in seconds: both hurt more */
  systole_device *slow = kernel_open(models[*model], &options);
  systole_device *fast = kernel_open(models[*model], NULL);
  systole_geometry g;
  cr_assert_eq(systole_device_geometry(fast, &g), SYSTOLE_OK);
  const int64_t dim = g.dim;
  /* Weights: one row, every tile is used once. Results: K = 1, next to nothing to do for
   * each int32, and many times what the accumulators hold. Activations: one column, next
   * to nothing to write. */
  const struct {
    int64_t m, n, k;
    way how;
    size_t part; /* of systole_ledger */
    const char *name;
  } cases[] = {
      {1, 8 * dim, 40 * dim, RAW, offsetof(systole_ledger, weight_stall), "weights"},
      {4 * (int64_t)g.acc_rows, dim, 1, RAW, offsetof(systole_ledger, output_stall),
       "results"},
      {8000, 1, 3 * dim, INT8, offsetof(systole_ledger, input_stall), "activations"}};
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    systole_stats stats[2];
    uint64_t part[2];
    for (int s = 0; s < 2; s++) {
      stats[s] = multiply(s ? slow : fast, cases[c].m, cases[c].n, cases[c].k, 0, 70 + c,
                          SYSTOLE_VALUES_RANDOM, cases[c].how, cases[c].name);
      memcpy(&part[s], (const char *)&stats[s].ledger + cases[c].part, sizeof part[s]);
    }
    cr_expect_gt(stats[1].cycles, stats[0].cycles, "%s", cases[c].name);
    cr_expect_gt(stats[1].ledger.start, stats[0].ledger.start, "%s: the first row waits",
                 cases[c].name);
    /* Rows of fewer than 16 bytes do not need all of this memory's rate. */
    if (dim < 16) continue;
    const uint64_t longer = stats[1].cycles - stats[0].cycles;
    cr_expect_gt(part[1], part[0] + longer / 2,
                 "%s: %" PRIu64 " cycles more, and %" PRIu64 " instead of %" PRIu64
                 " of waiting for them",
                 cases[c].name, longer, part[1], part[0]);
  }
  systole_device_close(fast);
  systole_device_close(slow);
}

/* ---- any sizes ----------------------------------------------------------------------
 */

/* 1 ... most; all magnitudes are alike. */
static int64_t draw_size(systole_random *random, int64_t most) {
  uint64_t magnitudes = 1;
  while ((int64_t)1 << magnitudes <= most) magnitudes++;
  const int64_t low = (int64_t)1 << systole_random_below(random, magnitudes);
  const int64_t size = low + (int64_t)systole_random_below(random, (uint64_t)low);
  return size < most ? size : most;
}

static void any_size(systole_device *device, const char *model, int64_t dim,
                     uint64_t seed) {
  systole_random random;
  char story[64];
  systole_random_seed(&random, seed);
  int64_t m = draw_size(&random, 600), n = draw_size(&random, 20 * dim);
  int64_t k = draw_size(&random, 40 * dim);
  /* The plain product shall take milliseconds. */
  while (m * n * k > 3000000) {
    m = (m + 1) / 2;
    n = (n + 1) / 2;
    k = (k + 1) / 2;
  }
  const int64_t gap = (int64_t)systole_random_below(&random, 4);
  const systole_values values = (systole_values)systole_random_below(&random, 4);
  const way how = (way)systole_random_below(&random, WAYS);
  (void)snprintf(story, sizeof story, "rtl:%s, SYSTOLE_TEST_SEED=%" PRIu64, model, seed);
  (void)multiply(device, m, n, k, gap, seed, values, how, story);
}

ParameterizedTestParameters(product, random_sizes) { return every_model(); }

ParameterizedTest(int *model, product, random_sizes) {
  systole_device *devices[2];
  for (int d = 0; d < 2; d++) {
    systole_device_options options = kernel_options();
    options.stall_seed = (uint64_t)d;
    devices[d] = kernel_open(models[*model], &options);
  }
  const int64_t dim = dim_of(devices[0]);
  for (seeds s = kernel_seeds(kernel_long() ? 600 : 60); s.seed <= s.last; s.seed++) {
    any_size(devices[s.seed % 2], models[*model], dim, s.seed);
  }
  for (int d = 0; d < 2; d++) systole_device_close(devices[d]);
}
