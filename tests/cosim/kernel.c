#include "kernel.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

systole_device_options kernel_options(void) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.check_protocol = 1;
  return options;
}

systole_device *kernel_open(const char *model, const systole_device_options *options) {
  char name[64];
  systole_device *device = NULL;
  const systole_device_options defaults = kernel_options();
  (void)snprintf(name, sizeof name, "rtl:%s", model);
  const systole_status status =
      systole_device_open(&device, name, options ? options : &defaults);
  cr_assert_eq(status, SYSTOLE_OK, "%s: %s", name, systole_last_error());
  return device;
}

static struct criterion_test_params choose(const char *const *models, int count,
                                           int largest) {
  enum { MOST = 32 };
  static int numbers[MOST];
  const char *only = getenv("SYSTOLE_TEST_MODEL");
  size_t used = 0;
  for (int i = 0; i < count && i < MOST; i++) {
    const int fits = only ? strcmp(only, models[i]) == 0 : atoi(models[i]) <= largest;
    if (fits) numbers[used++] = i;
  }
  return cr_make_param_array(int, numbers, used);
}

struct criterion_test_params kernel_models(const char *const *models, int count) {
  return choose(models, count, 256);
}

struct criterion_test_params kernel_models_to_128(const char *const *models, int count) {
  return choose(models, count, kernel_long() ? 256 : 128);
}

/* ---- stats --------------------------------------------------------------------------
 */

/* The figures that a run counts, with their names. */
typedef struct figure {
  const char *name;
  uint64_t value;
} figure;

enum { PARTS = 8, FIGURES = PARTS + 11 };

/* Fills `out`; the parts of the ledger come first. */
static void list_figures(figure out[FIGURES], const systole_stats *s) {
  const systole_ledger *l = &s->ledger;
  const figure all[FIGURES] = {
      {"active", l->active},
      {"start", l->start},
      {"drain", l->drain},
      {"output_stall", l->output_stall},
      {"input_stall", l->input_stall},
      {"weight_stall", l->weight_stall},
      {"weight_shift", l->weight_shift},
      {"other", l->other},
      {"cycles", s->cycles},
      {"zero_macs", s->zero_macs},
      {"ub_read_bytes", s->ub_read_bytes},
      {"ub_write_bytes", s->ub_write_bytes},
      {"weight_bytes", s->weight_bytes},
      {"acc_read_bytes", s->acc_read_bytes},
      {"acc_write_bytes", s->acc_write_bytes},
      {"gmem0_read_bytes", s->gmem0_read_bytes},
      {"gmem0_write_bytes", s->gmem0_write_bytes},
      {"gmem1_read_bytes", s->gmem1_read_bytes},
      {"instructions", s->instructions},
  };
  for (int i = 0; i < FIGURES; i++) out[i] = all[i];
}

uint64_t kernel_ledger_sum(const systole_stats *stats) {
  figure figures[FIGURES];
  uint64_t sum = 0;
  list_figures(figures, stats);
  for (int i = 0; i < PARTS; i++) sum += figures[i].value;
  return sum;
}

static int differs(double a, double b) { return fabs(a - b) > 1e-9 * fabs(b); }

const char *kernel_check_stats(const systole_stats *s, const systole_geometry *g,
                               int64_t m, int64_t n, int64_t k) {
  static _Thread_local char message[256];
  const int64_t dim = g->dim;
  const int64_t n_blocks = (n + dim - 1) / dim, k_blocks = (k + dim - 1) / dim;
  const uint64_t macs = (uint64_t)(m * n * k), square = (uint64_t)(dim * dim);
  message[0] = '\0';
#define WRONG(...) (void)snprintf(message, sizeof message, __VA_ARGS__)
  if (s->macs != macs) WRONG("macs is %" PRIu64 ", not %" PRIu64, s->macs, macs);
  if (macs == 0) { /* nothing runs */
    if (s->has_cycles) WRONG("cycles of a run that cannot have been");
    return message[0] ? message : NULL;
  }
  if (!s->has_cycles || s->cycles == 0) WRONG("there are no cycles");
  if (kernel_ledger_sum(s) != s->cycles) {
    WRONG("the ledger's parts sum to %" PRIu64 " of %" PRIu64 " cycles",
          kernel_ledger_sum(s), s->cycles);
  }
  const double ceiling =
      (double)n / (double)(n_blocks * dim) * (double)k / (double)(k_blocks * dim);
  if (differs(s->utilisation_ceiling, ceiling)) {
    WRONG("the ceiling is %.9f, not %.9f", s->utilisation_ceiling, ceiling);
  }
  const double utilisation = (double)macs / ((double)square * (double)s->cycles);
  if (differs(s->utilisation, utilisation)) {
    WRONG("the utilisation is %.9f, not %.9f", s->utilisation, utilisation);
  }
  if (s->utilisation > s->utilisation_ceiling) WRONG("more utilisation than possible");
  /* A row enters once for every tile, and no row enters that is not needed, but for those
   * that fill a beat of memory. */
  const uint64_t least = (uint64_t)(m * n_blocks * k_blocks);
  const uint64_t beat_rows =
      g->axi_bytes > g->dim ? (uint64_t)(g->axi_bytes / g->dim) : 1;
  if (s->ledger.active < least ||
      s->ledger.active > least + (uint64_t)(n_blocks * k_blocks) * (beat_rows - 1)) {
    WRONG("%" PRIu64 " rows entered the array, not %" PRIu64, s->ledger.active, least);
  }
  if (s->zero_macs > s->ledger.active * square) WRONG("more zero MACs than MACs");
  if (differs(s->seconds, (double)s->cycles / (s->clock_mhz * 1e6))) {
    WRONG("%g s are not the time of %" PRIu64 " cycles", s->seconds, s->cycles);
  }
  if (differs(s->gops, 2e-9 * (double)macs / s->seconds)) WRONG("%g GOP/s", s->gops);
  if (s->dram_read_bytes != s->gmem0_read_bytes + s->gmem1_read_bytes ||
      s->dram_write_bytes != s->gmem0_write_bytes) {
    WRONG("bytes of the ports do not sum up to those of the memory");
  }
#undef WRONG
  return message[0] ? message : NULL;
}

const char *kernel_compare_stats(const systole_stats *a, const systole_stats *b) {
  static _Thread_local char message[128];
  figure of_a[FIGURES], of_b[FIGURES];
  list_figures(of_a, a);
  list_figures(of_b, b);
  for (int i = 0; i < FIGURES; i++) {
    if (of_a[i].value == of_b[i].value) continue;
    (void)snprintf(message, sizeof message, "%s is %" PRIu64 " and %" PRIu64,
                   of_a[i].name, of_a[i].value, of_b[i].value);
    return message;
  }
  return NULL;
}

/* ---- seeds --------------------------------------------------------------------------
 */

seeds kernel_seeds(uint64_t count) { return kernel_seeds_from(1, count); }

seeds kernel_seeds_from(uint64_t first, uint64_t count) {
  const char *only = getenv("SYSTOLE_TEST_SEED");
  if (!only) return (seeds){first, first + count - 1};
  const uint64_t seed = strtoull(only, NULL, 0);
  return (seeds){seed, seed};
}

int kernel_long(void) { return getenv("SYSTOLE_TEST_LONG") != NULL; }
