/* Random command streams on the fast model: device memory and every count must be the
 * interpreter's, which knows nothing of the model; cycles are set beside the RTL's. */
#include "model/model.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel.h"
#include "trial.h"

/* "16,ub=..." of a geometry, as the model's card reads it. */
static void name_of(char out[96], const systole_geometry *g) {
  (void)snprintf(out, 96, "%d,ub=%u,acc=%u,tiles=%u,axi=%d", g->dim, g->ub_rows,
                 g->acc_rows, g->weight_tiles, g->axi_bytes);
}

static trial_bench model_bench(const char *what, const systole_geometry *g) {
  trial_bench bench = {&systole_card_model, what, "ideal", 0, trial_interpreter(g), NULL};
  cr_assert_not_null(bench.interpreter, "%s", systole_last_error());
  return bench;
}

Test(model, streams_compute_what_the_interpreter_computes) {
  static const int dims[] = {4, 8, 16, 64};
  for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
    const systole_geometry g = systole_model_geometry(dims[d]);
    char what[96];
    name_of(what, &g);
    trial_bench bench = model_bench(what, &g);
    for (seeds n = kernel_seeds(kernel_long() ? 1000 : 150); n.seed <= n.last; n.seed++) {
      stream s = stream_make(&g, n.seed);
      trial_verdict verdict;
      trial_run(&verdict, &s, &bench, NULL);
      cr_assert_eq(verdict.kind, TRIAL_GOOD,
                   "model:%s, SYSTOLE_TEST_SEED=%" PRIu64 ": %s: %s", what, n.seed,
                   trial_kind_name(verdict.kind), verdict.story);
      stream_free(&s);
    }
    trial_close(&bench);
  }
}

/* ---- cycles
 * ---------------------------------------------------------------------------- */

enum { BUCKETS = 7 };
static const double edges[BUCKETS - 1] = {0, 0.001, 0.003, 0.01, 0.03, 0.1};

typedef struct distance {
  int runs, in[BUCKETS];
  double sum, worst;
  uint64_t worst_seed;
} distance;

static void add(distance *all, const systole_stats *model, const systole_stats *rtl,
                uint64_t seed) {
  const double off =
      fabs((double)model->cycles - (double)rtl->cycles) / (double)rtl->cycles;
  int bucket = 0;
  while (bucket < BUCKETS - 1 && off > edges[bucket]) bucket++;
  all->in[bucket]++;
  all->runs++;
  all->sum += off;
  if (off < all->worst) return;
  all->worst = off;
  all->worst_seed = seed;
}

static void print(const distance *all, const char *what) {
  (void)fprintf(stderr, "model:%s, cycles beside the RTL's, %d streams: %d equal", what,
                all->runs, all->in[0]);
  for (int b = 1; b < BUCKETS - 1; b++) {
    (void)fprintf(stderr, ", %d within %g %%", all->in[b], 100 * edges[b]);
  }
  (void)fprintf(stderr, ", %d beyond; mean %.3f %%, worst %.2f %% (seed %" PRIu64 ")\n",
                all->in[BUCKETS - 1], 100 * all->sum / all->runs, 100 * all->worst,
                all->worst_seed);
}

/* Streams of every instruction in every form, most of them far from what a program of the
 * library looks like. */
Test(model, cycles_of_streams_are_near_the_rtl, .timeout = 900) {
  static const char *const models[] = {COSIM_MODELS};
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
    if (strchr(models[i], ':') != NULL) continue; /* the same cycles */
    trial_bench rtl = trial_open(models[i]);
    systole_geometry g;
    char what[96];
    cr_assert_eq(systole_device_geometry(rtl.interpreter, &g), SYSTOLE_OK);
    if (g.dim < 4 || g.dim > 64) {
      trial_close(&rtl);
      continue;
    }
    name_of(what, &g);
    trial_bench bench = model_bench(what, &g);
    distance all = {0};
    for (seeds n = kernel_seeds(kernel_long() ? 300 : 40); n.seed <= n.last; n.seed++) {
      stream s = stream_make(&g, n.seed);
      trial_verdict on_rtl, on_model;
      trial_run(&on_rtl, &s, &rtl, NULL);
      trial_run(&on_model, &s, &bench, NULL);
      cr_assert_eq(on_rtl.kind, TRIAL_GOOD, "rtl:%s, seed %" PRIu64 ": %s", models[i],
                   n.seed, on_rtl.story);
      cr_assert_eq(on_model.kind, TRIAL_GOOD, "model:%s, seed %" PRIu64 ": %s", what,
                   n.seed, on_model.story);
      add(&all, &on_model.stats, &on_rtl.stats, n.seed);
      stream_free(&s);
    }
    print(&all, what);
    cr_expect_leq(all.sum / all.runs, 0.03, "model:%s is %.2f %% off in the mean", what,
                  100 * all.sum / all.runs);
    trial_close(&bench);
    trial_close(&rtl);
  }
}
