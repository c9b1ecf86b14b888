/* Random command streams on the fast model: device memory and every count must be the
 * interpreter's, which knows nothing of the model. (cycles_test.c has its cycles.) */
#include "model/model.h"

#include <criterion/criterion.h>
#include <inttypes.h>
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
