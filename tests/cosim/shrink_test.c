/* The shrinker, tried on cards with known faults: it must find the least that shows the
 * fault, and leave a file that repeats it and a waveform. */
#define _POSIX_C_SOURCE 200809L
#include "shrink.h"

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "finding.h"
#include "kernel.h"
#include "stream_file.h"
#include "support/error.h"
#include "trial.h"

static const char *const models[] = {COSIM_MODELS};

/* ---- cards with a fault -------------------------------------------------------------
 */

/* The rtl card, with a fault when a program has an instruction of some kind. */
struct systole_card {
  systole_card *rtl;
  systole_geometry geometry;
  systole_launch launch;
  int shows; /* in this run */
  int spoilt;
};

typedef enum fault { WRONG_RESULT, AN_ERROR, NO_END, WRONG_LEDGER } fault;

/* What the fault is and when it shows. One at a time: a card's table has no room for it,
 * and a test is a process. */
static struct {
  fault fault;
  int (*when)(const systole_instruction *i);
} injected;

static void fetch(const systole_card *card, systole_instruction *i, uint32_t n) {
  cr_assert_eq(
      systole_card_rtl.read(card->rtl, SYSTOLE_PORT_GMEM1,
                            card->launch.program + (uint64_t)n * sizeof *i, i, sizeof *i),
      SYSTOLE_OK);
}

/* Turns a bit of what the last STORE of int8 rows after the instruction has written. */
static void spoil(systole_card *card) {
  systole_instruction i;
  int after = 0;
  uint64_t address = 0;
  uint8_t byte;
  for (uint32_t n = 0; n < card->launch.instructions; n++) {
    fetch(card, &i, n);
    after |= injected.when(&i);
    if (!after || SYSTOLE_GET(&i, OPCODE) != SYSTOLE_OP_STORE) continue;
    if (!SYSTOLE_GET(&i, COPY_RAW)) {
      address = card->launch.activations + SYSTOLE_GET(&i, COPY_OFFSET);
    }
  }
  if (address == 0) return;
  cr_assert_eq(systole_card_rtl.read(card->rtl, SYSTOLE_PORT_GMEM0, address, &byte, 1),
               SYSTOLE_OK);
  byte ^= 4;
  cr_assert_eq(systole_card_rtl.write(card->rtl, SYSTOLE_PORT_GMEM0, address, &byte, 1),
               SYSTOLE_OK);
}

static systole_status faulty_open(systole_card **out, const char *what,
                                  const systole_device_options *options) {
  *out = NULL;
  systole_card *card = calloc(1, sizeof *card);
  cr_assert_not_null(card);
  const systole_status status = systole_card_rtl.open(&card->rtl, what, options);
  if (status) {
    free(card);
    return status;
  }
  *out = card;
  return SYSTOLE_OK;
}

static void faulty_close(systole_card *card) {
  if (!card) return;
  systole_card_rtl.close(card->rtl);
  free(card);
}

static systole_status faulty_start(systole_card *card, const systole_launch *launch) {
  systole_instruction i;
  card->launch = *launch;
  card->shows = card->spoilt = 0;
  for (uint32_t n = 0; n < launch->instructions; n++) {
    fetch(card, &i, n);
    card->shows |= injected.when(&i);
  }
  return systole_card_rtl.start(card->rtl, launch);
}

static systole_status faulty_wait(systole_card *card, uint32_t slice_ms, int *done) {
  if (card->shows && injected.fault == NO_END) {
    *done = 0;
    return systole_fail(SYSTOLE_ERR_TIMEOUT, "the kernel moved no data");
  }
  const systole_status status = systole_card_rtl.wait(card->rtl, slice_ms, done);
  if (status || !*done || !card->shows || card->spoilt) return status;
  card->spoilt = 1;
  if (injected.fault == WRONG_RESULT) spoil(card);
  if (injected.fault != AN_ERROR) return SYSTOLE_OK;
  *done = 0;
  return systole_fail(SYSTOLE_ERR_DEVICE, "assertion RowsInOrder failed");
}

static systole_status faulty_read_register(systole_card *card, uint32_t offset,
                                           uint32_t *value) {
  const systole_status status = systole_card_rtl.read_register(card->rtl, offset, value);
  if (!status && card->shows && injected.fault == WRONG_LEDGER &&
      offset == SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTER_OTHER) {
    *value += 1;
  }
  return status;
}

static systole_status faulty_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                   uint64_t *address) {
  return systole_card_rtl.alloc(card->rtl, port, bytes, address);
}

static void faulty_free(systole_card *card, systole_port port, uint64_t address) {
  systole_card_rtl.free(card->rtl, port, address);
}

static systole_status faulty_write(systole_card *card, systole_port port,
                                   uint64_t address, const void *data, uint64_t bytes) {
  return systole_card_rtl.write(card->rtl, port, address, data, bytes);
}

static systole_status faulty_read(systole_card *card, systole_port port, uint64_t address,
                                  void *data, uint64_t bytes) {
  return systole_card_rtl.read(card->rtl, port, address, data, bytes);
}

static systole_status faulty_reset(systole_card *card) {
  return systole_card_rtl.reset(card->rtl);
}

static double faulty_clock(const systole_card *card, systole_kind *kind) {
  return systole_card_rtl.clock_mhz(card->rtl, kind);
}

static const char *faulty_memory(const systole_card *card) {
  return systole_card_rtl.memory_name(card->rtl);
}

static double faulty_seconds(const systole_card *card) {
  return systole_card_rtl.run_cpu_seconds(card->rtl);
}

static systole_rtl *faulty_model(systole_card *card, const systole_rtl_api **api) {
  return systole_card_rtl_model(card->rtl, api);
}

static const systole_card_ops faulty = {.version = SYSTOLE_CARD_VERSION,
                                        .scheme = "faulty",
                                        .simulated = 1,
                                        .open = faulty_open,
                                        .close = faulty_close,
                                        .read_register = faulty_read_register,
                                        .alloc = faulty_alloc,
                                        .free = faulty_free,
                                        .write = faulty_write,
                                        .read = faulty_read,
                                        .start = faulty_start,
                                        .wait = faulty_wait,
                                        .reset = faulty_reset,
                                        .clock_mhz = faulty_clock,
                                        .memory_name = faulty_memory,
                                        .run_cpu_seconds = faulty_seconds};

/* ---- the least that shows it --------------------------------------------------------
 */

static int same_kind(const trial_bench *bench, const stream *s, trial_kind kind) {
  trial_verdict verdict;
  trial_run(&verdict, s, bench, NULL);
  return verdict.kind == kind;
}

static void expect_least(const finding *f, const trial_bench *bench, trial_kind kind) {
  cr_assert_not(f->report.exhausted);
  cr_assert(same_kind(bench, &f->smallest, kind), "it still fails");
  for (uint32_t n = 0; n < f->smallest.count; n++) {
    stream less;
    if (!shrink_without(&less, &f->smallest, n)) continue;
    cr_expect_not(same_kind(bench, &less, kind), "it fails without instruction %u, too",
                  n);
    stream_free(&less);
  }
}

/* The file is the same stream, and fails again. */
static void expect_file(const finding *f, const trial_bench *bench, trial_kind kind) {
  stream again;
  stream_place place;
  char story[256] = "";
  cr_assert_neq(f->file[0], 0);
  FILE *in = fopen(f->file, "r");
  cr_assert_not_null(in, "%s", f->file);
  cr_assert_eq(stream_read(&again, &place, in, story, sizeof story), 0, "%s: %s", f->file,
               story);
  (void)fclose(in);
  cr_expect_str_eq(place.memory, "ideal", "the fault does not need more");
  cr_expect_eq(place.stall_seed, 0);
  cr_assert_eq(again.count, f->smallest.count);
  cr_expect_arr_eq(again.at, f->smallest.at, again.count * sizeof *again.at);
  cr_assert_eq(again.activation_bytes, f->smallest.activation_bytes);
  cr_expect_arr_eq(again.activations, f->smallest.activations,
                   (size_t)again.activation_bytes);
  cr_assert_eq(again.weight_bytes, f->smallest.weight_bytes);
  cr_expect_arr_eq(again.weights, f->smallest.weights, (size_t)again.weight_bytes);
  cr_expect(same_kind(bench, &again, kind));
  stream_free(&again);
}

/* Wherever a model that writes waveforms is built. */
static void expect_wave(const finding *f, const trial_bench *bench) {
  struct stat info;
  systole_device *device = NULL;
  char path[600];
  (void)snprintf(path, sizeof path, "%s.probe", f->file);
  const systole_status status = trial_device(&device, bench, path, 0, 1);
  systole_device_close(device);
  (void)remove(path);
  if (status == SYSTOLE_ERR_NOT_FOUND) return;
  cr_assert_neq(f->wave[0], 0, "%s", f->story);
  cr_assert_eq(stat(f->wave, &info), 0, "%s", f->wave);
  cr_expect_gt(info.st_size, 1000);
}

static systole_geometry geometry_of(const trial_bench *bench) {
  systole_geometry g;
  systole_device *device = NULL;
  cr_assert_eq(trial_device(&device, bench, NULL, 0, 0), SYSTOLE_OK);
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  systole_device_close(device);
  return g;
}

/* Shrinks the first stream that shows the fault, and returns it. */
static finding find_least(const char *name, fault what,
                          int (*when)(const systole_instruction *i), trial_kind kind) {
  trial_bench bench = trial_open(models[0]);
  systole_geometry g = geometry_of(&bench);
  bench.ops = &faulty;
  bench.model = faulty_model;
  injected.fault = what;
  injected.when = when;
  finding f = {.file = ""};
  char folder[300]; /* tests may run at the same time */
  (void)snprintf(folder, sizeof folder, "%s/on-purpose/%s", COSIM_FAILURES, name);
  for (uint64_t seed = 1; seed < 1000; seed++) {
    trial_verdict verdict;
    stream s = stream_make(&g, seed);
    trial_draw_memory(&bench, seed);
    bench.stall_seed = seed; /* which the fault does not need */
    trial_run(&verdict, &s, &bench, NULL);
    if (verdict.kind != TRIAL_GOOD) {
      cr_assert_eq(verdict.kind, kind, "%s", verdict.story);
      finding_make(&f, &s, &bench, &verdict, folder);
    }
    stream_free(&s);
    if (verdict.kind != TRIAL_GOOD) break;
  }
  cr_assert_neq(f.file[0], 0, "a stream shows the fault");
  bench.memory = "ideal";
  bench.stall_seed = 0;
  cr_log_info("%s", f.story);
  expect_least(&f, &bench, kind);
  expect_file(&f, &bench, kind);
  expect_wave(&f, &bench);
  trial_close(&bench);
  return f;
}

static const systole_instruction *only(const finding *f, int opcode) {
  const systole_instruction *found = NULL;
  for (uint32_t n = 0; n < f->smallest.count; n++) {
    if (SYSTOLE_GET(&f->smallest.at[n], OPCODE) != (uint64_t)opcode) continue;
    cr_expect_null(found, "one is enough");
    found = &f->smallest.at[n];
  }
  cr_assert_not_null(found);
  return found;
}

#define U(field) SYSTOLE_GET(i, field)
#define OP(name) (SYSTOLE_GET(i, OPCODE) == SYSTOLE_OP_##name)

static int activates_two_lines(const systole_instruction *i) {
  return OP(ACTIVATE) && !U(ACTIVATE_RAW) && U(ACTIVATE_BIAS) && U(ACTIVATE_ROWS1) > 1;
}

Test(shrink, a_wrong_result) {
  finding f = find_least("wrong_result", WRONG_RESULT, activates_two_lines, TRIAL_MEMORY);
  /* Parameters, rows and tiles for a MATMUL whose two rows are activated, a STORE, END.
   */
  const systole_instruction *i = only(&f, SYSTOLE_OP_ACTIVATE);
  cr_expect_leq(f.smallest.count, 7);
  cr_expect_eq(U(ACTIVATE_ROWS0), 1);
  cr_expect_eq(U(ACTIVATE_ROWS1), 2);
  cr_expect_eq(U(ACTIVATE_ZERO_POINT), 0);
  i = only(&f, SYSTOLE_OP_MATMUL);
  cr_expect_leq(U(MATMUL_ROWS0) * U(MATMUL_ROWS1), 2);
  cr_expect_eq(U(MATMUL_RED0) * U(MATMUL_RED1) * U(MATMUL_RED2), 1);
  i = only(&f, SYSTOLE_OP_STORE);
  cr_expect_eq(U(COPY_ROWS) * U(COPY_LINES) * U(COPY_BLOCKS), 1);
  finding_free(&f);
}

static int adds_a_residual(const systole_instruction *i) {
  return OP(ACTIVATE) && U(ACTIVATE_RESIDUAL);
}

Test(shrink, a_wrong_residual) {
  trial_bench bench = trial_open(models[0]);
  const systole_geometry g = geometry_of(&bench);
  trial_close(&bench);
  if (!(g.features >> SYSTOLE_FEATURE_RESIDUAL & 1)) {
    cr_skip_test("rtl:%s has no residual", models[0]);
  }
  finding f = find_least("wrong_residual", WRONG_RESULT, adds_a_residual, TRIAL_MEMORY);
  const systole_instruction *i = only(&f, SYSTOLE_OP_ACTIVATE);
  cr_expect_leq(f.smallest.count, 8, "one LOAD more than above at most");
  cr_expect_eq(U(ACTIVATE_RESIDUAL), 1);
  cr_expect_eq(U(ACTIVATE_ROWS0) * U(ACTIVATE_ROWS1), 1);
  cr_expect_eq(U(ACTIVATE_POOL), 0);
  cr_expect_eq(U(ACTIVATE_BIAS), 0);
  finding_free(&f);
}

static int reduces_in_two_loops(const systole_instruction *i) {
  return OP(MATMUL) && U(MATMUL_RED0) > 1 && U(MATMUL_RED2) > 1;
}

Test(shrink, an_error) {
  finding f = find_least("error", AN_ERROR, reduces_in_two_loops, TRIAL_ERROR);
  const systole_instruction *i = only(&f, SYSTOLE_OP_MATMUL);
  cr_expect_leq(f.smallest.count, 4, "rows, tiles, MATMUL, END");
  cr_expect_eq(U(MATMUL_RED0), 2);
  cr_expect_eq(U(MATMUL_RED1), 1);
  cr_expect_eq(U(MATMUL_RED2), 2);
  cr_expect_eq(U(MATMUL_ROWS0) * U(MATMUL_ROWS1), 1);
  i = only(&f, SYSTOLE_OP_WEIGHTS);
  cr_expect_eq(U(WEIGHTS_TILES), 4);
  finding_free(&f);
}

static int stores_raw_lines(const systole_instruction *i) {
  return OP(STORE) && U(COPY_RAW) && U(COPY_LINES) > 1;
}

Test(shrink, a_run_without_an_end) {
  finding f = find_least("run_without_end", NO_END, stores_raw_lines, TRIAL_HANG);
  const systole_instruction *i = only(&f, SYSTOLE_OP_STORE);
  cr_expect_leq(f.smallest.count, 6, "rows, tiles, MATMUL, ACTIVATE, STORE, END");
  cr_expect_eq(U(COPY_LINES), 2);
  cr_expect_eq(U(COPY_ROWS) * U(COPY_BLOCKS), 1);
  finding_free(&f);
}

static int fills_before(const systole_instruction *i) {
  return OP(LOAD) && U(COPY_FILL_BEFORE) > 1;
}

Test(shrink, a_wrong_ledger) {
  finding f = find_least("wrong_ledger", WRONG_LEDGER, fills_before, TRIAL_LEDGER);
  const systole_instruction *i = only(&f, SYSTOLE_OP_LOAD);
  cr_expect_eq(f.smallest.count, 2);
  cr_expect_eq(U(COPY_FILL_BEFORE), 2);
  cr_expect_eq(U(COPY_ROWS), 0);
  cr_expect_eq(U(COPY_FILL_AFTER), 0);
  finding_free(&f);
}
