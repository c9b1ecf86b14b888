#include "trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "library/device.h"
#include "machine.h"
#include "program/program.h"

enum { TIMEOUT_MS = 30000 }; /* of a stream that takes milliseconds */

/* ---- the bench ----------------------------------------------------------------------
 */

systole_device *trial_interpreter(const systole_geometry *g) {
  char what[128];
  systole_device *device = NULL;
  (void)snprintf(what, sizeof what, "%d,ub=%u,acc=%u,tiles=%u,axi=%d,features=%u", g->dim,
                 g->ub_rows, g->acc_rows, g->weight_tiles, g->axi_bytes, g->features);
  if (systole_machine_open(&device, what, NULL) != SYSTOLE_OK) return NULL;
  systole_machine_strict(systole_machine_card(device), 1);
  return device;
}

systole_status trial_device(systole_device **out, const trial_bench *bench,
                            const char *trace_path, uint64_t first, uint64_t cycles) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.check_protocol = 1;
  options.memory = bench->memory;
  options.stall_seed = bench->stall_seed;
  options.timeout_ms = TIMEOUT_MS;
  options.trace_path = trace_path;
  options.trace_first_cycle = first;
  options.trace_cycles = cycles;
  return systole_device_open_card(out, bench->ops, bench->what, &options);
}

static void must(int good, const char *what) {
  if (good) return;
  (void)fprintf(stderr, "%s: %s\n", what, systole_last_error());
  abort();
}

trial_bench trial_open(const char *what) {
  trial_bench bench = {&systole_card_rtl, what, "ideal", 0, NULL, systole_card_rtl_model};
  systole_device *device = NULL;
  systole_geometry g;
  must(trial_device(&device, &bench, NULL, 0, 0) == SYSTOLE_OK, what);
  must(systole_device_geometry(device, &g) == SYSTOLE_OK, what);
  systole_device_close(device);
  bench.interpreter = trial_interpreter(&g);
  must(bench.interpreter != NULL, "the interpreter");
  return bench;
}

void trial_close(trial_bench *bench) {
  systole_device_close(bench->interpreter);
  bench->interpreter = NULL;
}

void trial_draw_memory(trial_bench *bench, uint64_t seed) {
  static const char *const memories[] = {"ideal", "ddr4", "hbm2"};
  bench->memory = memories[seed / 2 % 3];
  bench->stall_seed = seed % 8 == 1 ? 0 : seed;
}

const char *trial_kind_name(trial_kind kind) {
  switch (kind) {
    case TRIAL_GOOD:
      return "nothing";
    case TRIAL_UNFIT:
      return "a stream that is not right";
    case TRIAL_ERROR:
      return "an error";
    case TRIAL_HANG:
      return "a run without an end";
    case TRIAL_MEMORY:
      return "a wrong result";
    case TRIAL_COUNT:
      return "a wrong counter";
    case TRIAL_LEDGER:
      return "a ledger that does not sum up";
  }
  return "?";
}

/* ---- one run ------------------------------------------------------------------------
 */

/* The activations' memory afterwards goes to `out`. */
static systole_status run(systole_device *device, const stream *s, uint8_t *out,
                          systole_stats *stats) {
  systole_buffer *program = NULL, *weights = NULL, *activations = NULL;
  const uint64_t bytes = (uint64_t)s->count * sizeof *s->at;
  systole_status status =
      systole_buffer_create(&program, device, SYSTOLE_PORT_GMEM1, bytes);
  if (!status) {
    status = systole_buffer_create(&weights, device, SYSTOLE_PORT_GMEM1, s->weight_bytes);
  }
  if (!status) {
    status = systole_buffer_create(&activations, device, SYSTOLE_PORT_GMEM0,
                                   s->activation_bytes);
  }
  if (!status) status = systole_buffer_write(program, 0, s->at, bytes);
  if (!status) status = systole_buffer_write(weights, 0, s->weights, s->weight_bytes);
  if (!status) {
    status = systole_buffer_write(activations, 0, s->activations, s->activation_bytes);
  }
  if (!status) {
    status = systole_run(device, program, s->count, weights, activations, stats);
  }
  if (!status) status = systole_buffer_read(activations, 0, out, s->activation_bytes);
  systole_buffer_free(activations);
  systole_buffer_free(weights);
  systole_buffer_free(program);
  return status;
}

static void say(trial_verdict *out, trial_kind kind, const char *who, const char *what) {
  out->kind = kind;
  (void)snprintf(out->story, sizeof out->story, "%s: %s", who, what);
}

static int same_memory(trial_verdict *out, const stream *s, const uint8_t *got,
                       const uint8_t *expected) {
  if (memcmp(got, expected, (size_t)s->activation_bytes) == 0) return 1;
  uint64_t first = 0, wrong = 0;
  for (uint64_t i = s->activation_bytes; i-- > 0;) {
    if (got[i] == expected[i]) continue;
    first = i;
    wrong++;
  }
  out->kind = TRIAL_MEMORY;
  (void)snprintf(out->story, sizeof out->story,
                 "%" PRIu64 " bytes are wrong, the first at %" PRIu64
                 " is 0x%02x, not 0x%02x; instruction %" PRId64 " writes it",
                 wrong, first, got[first], expected[first], stream_writer(s, first));
  return 0;
}

/* What does not depend on time. */
static int same_work(trial_verdict *out, const systole_stats *got,
                     const systole_stats *expected) {
  const struct {
    const char *name;
    uint64_t got, expected;
  } figures[] = {
      {"active", got->ledger.active, expected->ledger.active},
      {"instructions", got->instructions, expected->instructions},
      {"zero_macs", got->zero_macs, expected->zero_macs},
      {"ub_read_bytes", got->ub_read_bytes, expected->ub_read_bytes},
      {"ub_write_bytes", got->ub_write_bytes, expected->ub_write_bytes},
      {"acc_read_bytes", got->acc_read_bytes, expected->acc_read_bytes},
      {"weight_bytes", got->weight_bytes, expected->weight_bytes},
  };
  for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
    if (figures[i].got == figures[i].expected) continue;
    out->kind = TRIAL_COUNT;
    (void)snprintf(out->story, sizeof out->story, "%s is %" PRIu64 ", not %" PRIu64,
                   figures[i].name, figures[i].got, figures[i].expected);
    return 0;
  }
  if (kernel_ledger_sum(got) != got->cycles) {
    out->kind = TRIAL_LEDGER;
    (void)snprintf(out->story, sizeof out->story,
                   "the ledger's parts sum to %" PRIu64 ", cycles are %" PRIu64,
                   kernel_ledger_sum(got), got->cycles);
    return 0;
  }
  return 1;
}

/* Expected memory and work; 0 with a verdict when the stream is not right. */
static int interpret(trial_verdict *out, const stream *s, const trial_bench *bench,
                     uint64_t order, uint8_t *expected, systole_stats *work) {
  systole_machine_seed(systole_machine_card(bench->interpreter), order);
  if (run(bench->interpreter, s, expected, work) == SYSTOLE_OK) return 1;
  say(out, TRIAL_UNFIT, "the interpreter", systole_last_error());
  return 0;
}

systole_status trial_expect(const stream *s, const trial_bench *bench,
                            uint8_t *expected) {
  systole_stats unused;
  systole_machine_seed(systole_machine_card(bench->interpreter), s->seed);
  return run(bench->interpreter, s, expected, &unused);
}

void trial_run(trial_verdict *out, const stream *s, const trial_bench *bench,
               systole_device *device) {
  const size_t bytes = (size_t)s->activation_bytes;
  systole_device *own = NULL;
  systole_stats work;
  uint8_t *expected = malloc(bytes), *got = malloc(bytes);
  *out = (trial_verdict){.kind = TRIAL_GOOD};
  must(expected && got, "there is memory");
  if (systole_prove(s->at, s->count, &s->geometry) != SYSTOLE_OK) {
    say(out, TRIAL_UNFIT, "the proof", systole_last_error());
    goto done;
  }
  if (!interpret(out, s, bench, s->seed, expected, &work)) goto done;
  if (device == NULL) {
    must(trial_device(&own, bench, NULL, 0, 0) == SYSTOLE_OK, bench->what);
    device = own;
  }
  const systole_status status = run(device, s, got, &out->stats);
  if (status != SYSTOLE_OK) {
    out->kind = status == SYSTOLE_ERR_TIMEOUT ? TRIAL_HANG : TRIAL_ERROR;
    (void)snprintf(out->story, sizeof out->story, "%s", systole_last_error());
    goto done;
  }
  if (!same_memory(out, s, got, expected) || !same_work(out, &out->stats, &work)) {
    goto done;
  }
done:
  systole_device_close(own);
  free(got);
  free(expected);
}
