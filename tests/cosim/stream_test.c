/* Random command streams on the kernel and on the interpreter of tests/support: device
 * memory must be the same in every bit, and what they count, too. The interpreter lets
 * the units take turns at random and ends a run in which two of them race. */
#include "stream.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "machine.h"

static const char *const models[] = {COSIM_MODELS};
enum { MODELS = sizeof models / sizeof models[0] };

static struct criterion_test_params every_model(void) {
  static int numbers[MODELS];
  for (int i = 0; i < MODELS; i++) numbers[i] = i;
  return cr_make_param_array(int, numbers, MODELS);
}

/* Prints the stream and ends the test. */
static void refuse(const stream *s, const char *who, const char *story) {
  (void)fflush(stdout);
  stream_print(stderr, s);
  cr_assert(0, "%s, SYSTOLE_TEST_SEED=%" PRIu64 ": %s", who, s->seed, story);
}

/* Runs the stream; the activations' memory afterwards goes to `out`. */
static systole_stats run(systole_device *device, const stream *s, uint8_t *out,
                         const char *who) {
  systole_buffer *program = NULL, *weights = NULL, *activations = NULL;
  systole_stats stats;
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
    status = systole_run(device, program, s->count, weights, activations, &stats);
  }
  if (!status) status = systole_buffer_read(activations, 0, out, s->activation_bytes);
  if (status) refuse(s, who, systole_last_error());
  systole_buffer_free(activations);
  systole_buffer_free(weights);
  systole_buffer_free(program);
  return stats;
}

static void expect_same_memory(const stream *s, const uint8_t *got,
                               const uint8_t *expected, const char *who) {
  if (memcmp(got, expected, (size_t)s->activation_bytes) == 0) return;
  char story[160];
  uint64_t first = 0, wrong = 0;
  for (uint64_t i = s->activation_bytes; i-- > 0;) {
    if (got[i] == expected[i]) continue;
    first = i;
    wrong++;
  }
  (void)snprintf(story, sizeof story,
                 "%" PRIu64 " bytes are wrong, the first at %" PRIu64
                 " is 0x%02x, not 0x%02x; instruction %" PRId64 " writes it",
                 wrong, first, got[first], expected[first], stream_writer(s, first));
  refuse(s, who, story);
}

/* What does not depend on time. */
static void expect_same_work(const stream *s, const systole_stats *got,
                             const systole_stats *expected, const char *who) {
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
    char story[128];
    (void)snprintf(story, sizeof story, "%s is %" PRIu64 ", not %" PRIu64,
                   figures[i].name, figures[i].got, figures[i].expected);
    refuse(s, who, story);
  }
  if (kernel_ledger_sum(got) != got->cycles) refuse(s, who, "the ledger does not sum up");
}

static systole_device *open_interpreter(const systole_geometry *g) {
  char what[96];
  systole_device *device = NULL;
  (void)snprintf(what, sizeof what, "%d,ub=%u,acc=%u,tiles=%u,axi=%d", g->dim, g->ub_rows,
                 g->acc_rows, g->weight_tiles, g->axi_bytes);
  cr_assert_eq(systole_machine_open(&device, what, NULL), SYSTOLE_OK, "%s",
               systole_last_error());
  return device;
}

ParameterizedTestParameters(stream, kernel_and_interpreter_agree) {
  return every_model();
}

ParameterizedTest(int *model, stream, kernel_and_interpreter_agree) {
  systole_geometry g;
  systole_device *kept = kernel_open(models[*model], NULL);
  cr_assert_eq(systole_device_geometry(kept, &g), SYSTOLE_OK);
  systole_device *interpreter = open_interpreter(&g);
  systole_card *machine = systole_machine_card(interpreter);
  for (seeds n = kernel_seeds(kernel_long() ? 1000 : 120); n.seed <= n.last; n.seed++) {
    stream s = stream_make(&g, n.seed);
    uint8_t *expected = malloc((size_t)s.activation_bytes);
    uint8_t *got = malloc((size_t)s.activation_bytes);
    cr_assert(expected && got);
    systole_machine_seed(machine, n.seed);
    const systole_stats work = run(interpreter, &s, expected, "interpreter");
    systole_machine_seed(machine, n.seed + 1);
    (void)run(interpreter, &s, got, "interpreter");
    expect_same_memory(&s, got, expected, "interpreter in another order");

    /* Every other stream runs on one handle, as fast as it goes; the others each on a
     * fresh one with stalls of their own, so that the seed alone repeats them. */
    static const char *const memories[] = {"ideal", "ddr4", "hbm2"};
    systole_device *device = kept;
    char who[48];
    (void)snprintf(who, sizeof who, "rtl:%s", models[*model]);
    if (n.seed % 2) {
      systole_device_options options = kernel_options();
      options.memory = memories[n.seed / 2 % 3];
      options.stall_seed = n.seed % 8 == 1 ? 0 : n.seed;
      device = kernel_open(models[*model], &options);
      (void)snprintf(who, sizeof who, "rtl:%s, %s%s", models[*model], options.memory,
                     options.stall_seed ? " with stalls" : "");
    }
    const systole_stats stats = run(device, &s, got, who);
    expect_same_memory(&s, got, expected, who);
    expect_same_work(&s, &stats, &work, who);
    if (device != kept) systole_device_close(device);
    free(got);
    free(expected);
    stream_free(&s);
  }
  systole_device_close(interpreter);
  systole_device_close(kept);
}
