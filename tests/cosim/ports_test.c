/* Kernels whose memory ports are not as wide as their size suggests: a port that is
 * narrower than a row, and one that holds two rows. Random streams and products. */
/* setenv. */
#define _POSIX_C_SOURCE 200809L
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "kernel.h"
#include "product.h"
#include "trial.h"

typedef struct build {
  const char *folder, *what;
  int dim, axi_bytes;
} build;

static const build builds[] = {COSIM_PORTS};
enum { BUILDS = sizeof builds / sizeof builds[0] };

static struct criterion_test_params every_build(void) {
  static int numbers[BUILDS];
  for (int i = 0; i < BUILDS; i++) numbers[i] = i;
  return cr_make_param_array(int, numbers, BUILDS);
}

static systole_device *open_build(const build *b, systole_geometry *g) {
  cr_assert_eq(setenv("SYSTOLE_RTL_PATH", b->folder, 1), 0);
  systole_device *device = kernel_open(b->what, NULL);
  cr_assert_eq(systole_device_geometry(device, g), SYSTOLE_OK);
  cr_assert_eq(g->dim, b->dim);
  cr_assert_eq(g->axi_bytes, b->axi_bytes);
  return device;
}

ParameterizedTestParameters(ports, products) { return every_build(); }

ParameterizedTest(int *number, ports, products) {
  systole_geometry g;
  systole_device *device = open_build(&builds[*number], &g);
  const int64_t dim = g.dim, edges[] = {1, dim - 1, dim, dim + 1, 2 * dim + 3};
  enum { EDGES = sizeof edges / sizeof edges[0] };
  for (int i = 0; i < EDGES * EDGES * EDGES; i++) {
    const int64_t m = edges[i % EDGES], n = edges[i / EDGES % EDGES],
                  k = edges[i / EDGES / EDGES];
    systole_stats stats;
    systole_product p =
        systole_product_make(m, n, k, i % 3, (uint64_t)i + 1, SYSTOLE_VALUES_RANDOM);
    cr_assert_eq(
        systole_gemm_s8(device, m, n, k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, &stats),
        SYSTOLE_OK, "%s", systole_last_error());
    const char *wrong = systole_product_check(&p);
    cr_assert_null(wrong, "%" PRId64 " x %" PRId64 " x %" PRId64 ": %s", m, n, k, wrong);
    cr_assert_eq(kernel_ledger_sum(&stats), stats.cycles);
    systole_product_free(&p);
  }
  systole_device_close(device);
}

ParameterizedTestParameters(ports, random_streams) { return every_build(); }

ParameterizedTest(int *number, ports, random_streams) {
  systole_geometry g;
  systole_device_close(open_build(&builds[*number], &g));
  trial_bench bench = trial_open(builds[*number].what);
  for (seeds n = kernel_seeds(kernel_long() ? 500 : 50); n.seed <= n.last; n.seed++) {
    stream s = stream_make(&g, n.seed);
    trial_verdict verdict;
    trial_draw_memory(&bench, n.seed);
    trial_run(&verdict, &s, &bench, NULL);
    if (verdict.kind != TRIAL_GOOD) {
      finding f;
      finding_make(&f, &s, &bench, &verdict, COSIM_FAILURES "/ports");
      finding_print(stderr, &f);
      cr_assert_fail("port of %d bytes, %s", g.axi_bytes, f.story);
    }
    stream_free(&s);
  }
  trial_close(&bench);
}
