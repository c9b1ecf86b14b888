/* Cycles, ledgers and counters of the fast cards against the RTL's, and results bit for
 * bit: difference 0, for the shape table, random products and random instructions, on
 * memory of every preset. The distributions are printed. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gemms.h"
#include "kernel.h"
#include "pairs.h"
#include "shapes.h"

static const char *const models[] = {COSIM_MODELS};
static const char *const cards[] = {"model", "systemc"};
enum {
  MODELS = sizeof models / sizeof models[0],
  CARDS = sizeof cards / sizeof cards[0]
};

/* What Dim 8, 16 and 32 are held to; other sizes run a tenth. The first card takes part
 * in every run, the others, which share its model and are slower, in every tenth. */
enum { GEMMS = 1000, THROTTLED = 150, STREAMS = 150, LONG = 10, OTHERS_EVERY = 10 };

static struct criterion_test_params every_model(void) {
  return kernel_models(models, MODELS);
}

/* 0: a model that is left out, since the same cycles run under another name, or no fast
 * card has its size. */
static int dim_of(const char *model) {
  const int dim = atoi(model);
  return strchr(model, ':') != NULL || dim < 4 ? 0 : dim;
}

static uint64_t runs_of(int dim, uint64_t runs) {
  if (kernel_long()) runs *= LONG;
  return dim == 8 || dim == 16 || dim == 32 ? runs : dim < 64 ? runs / 10 : runs / 50;
}

/* In cycles of the array; one of the largest arrays takes a millisecond. */
static int too_large(const systole_shape *s, int dim) {
  const int64_t most = dim < 128 ? 200000 : 4000;
  return s->m * ((s->n + dim - 1) / dim) * ((s->k + dim - 1) / dim) > most;
}

static void run(pairs *p, stream *s) {
  char story[1024];
  int same = 1;
  const int all = p->count;
  if (!kernel_long() && p->apart[0].runs % OTHERS_EVERY != 0) p->count = 1;
  const int right = pairs_run(p, s, &same, stderr, story, sizeof story) == 0;
  cr_expect(right, "seed %llu: %s", (unsigned long long)s->seed, story);
  p->count = all;
  stream_free(s);
}

static void every_shape(pairs *p, const char *memory) {
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  const size_t count = systole_shapes(shapes, p->geometry.dim);
  for (size_t i = 0; i < count; i++) {
    const systole_shape *at = &shapes[i];
    if (at->m < 1 || at->n < 1 || at->k < 1) continue;
    if (too_large(at, p->geometry.dim) && !kernel_long()) continue;
    for (int form = 0; form < 4; form++) {
      const gemm_product product = {at->m, at->n, at->k, form / 2, form % 2, 0};
      stream s = gemm_stream(&p->geometry, &product, memory, i);
      run(p, &s);
    }
  }
}

static void random_products(pairs *p, const char *memory, uint64_t count) {
  for (seeds n = kernel_seeds(count); n.seed <= n.last; n.seed++) {
    const gemm_product product = gemm_draw(&p->geometry, n.seed);
    stream s = gemm_stream(&p->geometry, &product, memory, n.seed);
    run(p, &s);
  }
}

static void random_instructions(pairs *p, uint64_t count) {
  for (seeds n = kernel_seeds(count); n.seed <= n.last; n.seed++) {
    stream s = stream_make(&p->geometry, n.seed);
    run(p, &s);
  }
}

/* Opens the pairs of a model on `memory`; 0 when the model is left out. */
static int open_pairs(pairs *p, const char *model, const char *memory) {
  const int dim = dim_of(model);
  if (dim == 0) return 0;
  cr_assert_eq(pairs_open(p, dim, cards, CARDS, memory), SYSTOLE_OK, "rtl:%d: %s", dim,
               systole_last_error());
  cr_assert_geq(p->count, 1, "no fast card is there to be compared");
  return 1;
}

/* Prints the distributions, and demands that everything was the same. */
static void conclude(pairs *p, const char *kind, int runs_at_least) {
  for (int i = 0; i < p->count; i++) {
    const distance *d = &p->apart[i];
    char what[200];
    (void)snprintf(what, sizeof what, "%s:%d, %s, %s", p->cards[i].ops->scheme,
                   p->geometry.dim, p->rtl.memory, kind);
    distance_print(stderr, d, what);
    const int least =
        i == 0 || kernel_long() ? runs_at_least : runs_at_least / OTHERS_EVERY;
    cr_expect_geq(d->runs, least, "%s: only %d runs", what, d->runs);
    cr_expect_eq(d->in[0], d->runs, "%s: cycles differ in %d of %d runs", what,
                 d->runs - d->in[0], d->runs);
    cr_expect_eq(d->same_ledger, d->runs, "%s: ledgers differ in %d of %d runs", what,
                 d->runs - d->same_ledger, d->runs);
    cr_expect_eq(d->same_counts, d->runs, "%s: counters differ in %d of %d runs", what,
                 d->runs - d->same_counts, d->runs);
  }
  pairs_close(p);
}

ParameterizedTestParameters(cycles, of_products_are_those_of_the_rtl) {
  return every_model();
}
ParameterizedTest(int *model, cycles, of_products_are_those_of_the_rtl, .timeout = 1700) {
  pairs p;
  if (!open_pairs(&p, models[*model], "ideal")) return;
  every_shape(&p, "ideal");
  const int shapes = p.apart[0].runs;
  cr_expect_geq(shapes, 40, "only %d runs of the shape table", shapes);
  const uint64_t count = runs_of(p.geometry.dim, GEMMS);
  random_products(&p, "ideal", count);
  conclude(&p, "products", getenv("SYSTOLE_TEST_SEED") ? 1 : shapes + (int)count);
}

ParameterizedTestParameters(cycles, under_throttled_ports_are_those_of_the_rtl) {
  return every_model();
}
ParameterizedTest(int *model, cycles, under_throttled_ports_are_those_of_the_rtl,
                  .timeout = 1700) {
  static const char *const memories[] = {"ddr4", "hbm2", "ddr4+gmem1=0.7+latency0=9"};
  for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++) {
    pairs p;
    if (!open_pairs(&p, models[*model], memories[i])) return;
    random_products(&p, memories[i], runs_of(p.geometry.dim, THROTTLED));
    random_instructions(&p, runs_of(p.geometry.dim, STREAMS) / 3);
    conclude(&p, "products and instructions", 1);
  }
}

ParameterizedTestParameters(cycles, of_any_instructions_are_those_of_the_rtl) {
  return every_model();
}
ParameterizedTest(int *model, cycles, of_any_instructions_are_those_of_the_rtl,
                  .timeout = 1700) {
  pairs p;
  if (!open_pairs(&p, models[*model], "ideal")) return;
  random_instructions(&p, runs_of(p.geometry.dim, STREAMS));
  conclude(&p, "instructions", 1);
}
