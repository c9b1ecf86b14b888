/* The card `systemc` as a card among others: names, several at once, threads, opening and
 * closing, reset and close in the middle of a run, memory that refuses, and other
 * initiators that slow a run down and leave its results alone. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "card/systemc/systemc.h"
#include "model/model.h"
#include "product.h"
#include "shapes.h"

static const systole_card_ops *const ops = &systole_card_systemc;

#define MUST(call)                                                            \
  do {                                                                        \
    const systole_status status_ = (call);                                    \
    cr_assert_eq(status_, SYSTOLE_OK, "%s: %s", #call, systole_last_error()); \
  } while (0)

/* A product on a device by name; aborts the test when it is wrong. */
static systole_stats multiply(const char *name, const char *memory, int64_t m, int64_t n,
                              int64_t k) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_device *device = NULL;
  systole_stats stats;
  systole_product p = systole_product_make(m, n, k, 0, 3, SYSTOLE_VALUES_RANDOM);
  options.memory = memory;
  MUST(systole_device_open(&device, name, &options));
  MUST(systole_gemm_s8(device, m, n, k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, &stats));
  const char *wrong = systole_product_check(&p);
  cr_assert_null(wrong, "%s: %s", name, wrong);
  systole_device_close(device);
  systole_product_free(&p);
  return stats;
}

/* ---- products
 * ---------------------------------------------------------------------- */

Test(card, products_take_the_cycles_of_the_model, .timeout = 300) {
  static const char *const modes[] = {"", ",mode=lt"};
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  const size_t count = systole_shapes(shapes, 16);
  for (size_t i = 0; i < count; i++) {
    const systole_shape *s = &shapes[i];
    const systole_stats model = multiply("model:16", NULL, s->m, s->n, s->k);
    for (int mode = 0; mode < 2; mode++) {
      char name[32];
      (void)snprintf(name, sizeof name, "systemc:16%s", modes[mode]);
      const systole_stats here = multiply(name, NULL, s->m, s->n, s->k);
      cr_assert_eq(here.cycles, model.cycles, "%s, %s: %" PRIu64 " cycles, not %" PRIu64,
                   name, s->why, here.cycles, model.cycles);
      cr_assert_eq(memcmp(&here.ledger, &model.ledger, sizeof here.ledger), 0, "%s, %s",
                   name, s->why);
      cr_assert_eq(here.dram_read_bytes, model.dram_read_bytes);
      cr_assert_eq(here.dram_write_bytes, model.dram_write_bytes);
    }
  }
}

Test(card, other_machines_take_the_cycles_of_the_model) {
  static const char *const names[] = {"256", "16,ub=256,acc=64,axi=8", "tpu-v1",
                                      "32,data=0"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char model[64], here[64];
    if (strstr(names[i], "data=0") != NULL) continue; /* below */
    (void)snprintf(model, sizeof model, "model:%s", names[i]);
    (void)snprintf(here, sizeof here, "systemc:%s", names[i]);
    const systole_stats a = multiply(model, NULL, 70, 300, 520);
    const systole_stats b = multiply(here, NULL, 70, 300, 520);
    cr_expect_eq(a.cycles, b.cycles, "%s: %" PRIu64 " and %" PRIu64, names[i], a.cycles,
                 b.cycles);
    cr_expect_eq(a.clock_mhz, b.clock_mhz);
    cr_expect_eq(a.clock_kind, b.clock_kind);
  }
}

Test(card, without_data_time_is_the_same_and_memory_keeps_its_contents) {
  const systole_geometry g = systole_model_geometry(8);
  stream s = stream_make(&g, 12);
  systole_card *with = bench_open(ops, "8", "ideal");
  systole_card *without = bench_open(ops, "8,data=0", "ideal");
  outcome a = bench_run(ops, with, &s), b = bench_run(ops, without, &s);
  cr_expect_eq(a.counters[SYSTOLE_COUNTER_CYCLES], b.counters[SYSTOLE_COUNTER_CYCLES]);
  cr_expect_neq(memcmp(a.activations, s.activations, (size_t)s.activation_bytes), 0);
  cr_expect_eq(memcmp(b.activations, s.activations, (size_t)s.activation_bytes), 0);
  bench_free(&a);
  bench_free(&b);
  ops->close(with);
  ops->close(without);
  stream_free(&s);
}

/* ---- others on the memory
 * ---------------------------------------------------------- */

Test(card, another_initiator_delays_a_run_and_changes_no_result) {
  /* Bound by weights: M is small. */
  const systole_stats alone = multiply("systemc:16", NULL, 16, 512, 512);
  uint64_t before = alone.cycles;
  for (int percent = 10; percent <= 60; percent += 10) {
    char name[32];
    (void)snprintf(name, sizeof name, "systemc:16,traffic=%d", percent);
    const systole_stats s = multiply(name, NULL, 16, 512, 512);
    cr_expect_gt(s.cycles, before, "%d %% of traffic", percent);
    cr_expect_eq(s.ledger.active, alone.ledger.active);
    cr_expect_gt(s.ledger.weight_stall, alone.ledger.weight_stall);
    before = s.cycles;
  }
  /* Half the bandwidth for half the time of somebody who needs all of it. */
  const systole_stats half = multiply("systemc:16,traffic=50", NULL, 16, 512, 512);
  cr_expect_gt((double)half.cycles, 1.4 * (double)alone.cycles);
  cr_expect_lt((double)half.cycles, 2.5 * (double)alone.cycles);
}

Test(card, another_initiator_hardly_delays_who_needs_little_memory) {
  const systole_stats alone = multiply("systemc:16", NULL, 512, 128, 128);
  const systole_stats half = multiply("systemc:16,traffic=50", NULL, 512, 128, 128);
  cr_expect_gt(half.cycles, alone.cycles);
  cr_expect_lt((double)half.cycles, 1.3 * (double)alone.cycles);
}

/* ---- several
 * ----------------------------------------------------------------------- */

enum { CARDS = 6 };

Test(card, several_take_turns_in_one_thread) {
  const systole_geometry g = systole_model_geometry(16);
  systole_card *cards[CARDS];
  placed at[CARDS];
  stream streams[CARDS];
  outcome alone[CARDS];
  int done[CARDS] = {0}, left = CARDS;
  for (int c = 0; c < CARDS; c++) {
    streams[c] = stream_make(&g, (uint64_t)c + 30);
    cards[c] = bench_open(ops, c % 3 == 2 ? "16,mode=lt" : "16", "ideal");
    alone[c] = bench_run(ops, cards[c], &streams[c]);
  }
  for (int c = 0; c < CARDS; c++) {
    at[c] = bench_place(ops, cards[c], &streams[c]);
    bench_start(&at[c]);
  }
  for (int slices = 0; left > 0; slices++) {
    cr_assert_lt(slices, 1000000);
    for (int c = 0; c < CARDS; c++) {
      if (done[c]) continue;
      MUST(ops->wait(cards[c], 0, &done[c])); /* the shortest slice there is */
      left -= done[c];
    }
  }
  for (int c = 0; c < CARDS; c++) {
    uint32_t low = 0;
    uint8_t *results = malloc((size_t)streams[c].activation_bytes);
    cr_assert_not_null(results);
    MUST(ops->read_register(cards[c], SYSTOLE_REG_COUNTERS, &low));
    cr_expect_eq(low, (uint32_t)alone[c].counters[SYSTOLE_COUNTER_CYCLES], "card %d", c);
    MUST(ops->read(cards[c], SYSTOLE_PORT_GMEM0, at[c].launch.activations, results,
                   streams[c].activation_bytes));
    cr_expect_eq(
        memcmp(results, alone[c].activations, (size_t)streams[c].activation_bytes), 0);
    free(results);
    bench_free(&alone[c]);
    ops->close(cards[c]);
    stream_free(&streams[c]);
  }
}

typedef struct worker {
  const char *name;
  int runs;
  uint64_t cycles; /* of each run; 0 after a failure */
  char story[256];
} worker;

static void *work(void *user) {
  worker *w = user;
  enum { M = 40, N = 72, K = 100 };
  static const int8_t a[M * K] = {3, -7, 1}, b[K * N] = {5, 2, -1};
  int32_t c[M * N];
  for (int run = 0; run < w->runs; run++) {
    systole_device *device = NULL;
    systole_stats stats;
    systole_status status = systole_device_open(&device, w->name, NULL);
    if (status == SYSTOLE_OK) {
      status = systole_gemm_s8(device, M, N, K, a, K, b, N, c, N, &stats);
    }
    /* Only the corner of both is not zero: c[0][0] is 3 * 5. */
    const int good = status == SYSTOLE_OK && c[0] == 15 && c[1] == 6 && c[2] == -3;
    if (!good || (run > 0 && stats.cycles != w->cycles)) {
      (void)snprintf(w->story, sizeof w->story, "%s", systole_last_error());
      w->cycles = 0;
      systole_device_close(device);
      return NULL;
    }
    w->cycles = stats.cycles;
    systole_device_close(device);
  }
  return NULL;
}

Test(card, threads_of_their_own) {
  worker workers[4] = {{"systemc:16", 10, 0, ""},
                       {"systemc:16,mode=lt", 10, 0, ""},
                       {"systemc:16", 10, 0, ""},
                       {"model:16", 10, 0, ""}};
  pthread_t threads[4];
  for (int t = 0; t < 4; t++) {
    cr_assert_eq(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
  }
  for (int t = 0; t < 4; t++) cr_assert_eq(pthread_join(threads[t], NULL), 0);
  for (int t = 0; t < 4; t++) {
    cr_expect_gt(workers[t].cycles, 0, "%s: %s", workers[t].name, workers[t].story);
    cr_expect_eq(workers[t].cycles, workers[3].cycles);
  }
}

Test(card, opens_and_closes_two_hundred_times) {
  const systole_geometry g = systole_model_geometry(4);
  stream s = stream_make(&g, 5);
  uint64_t cycles = 0;
  for (int i = 0; i < 200; i++) {
    systole_card *card = bench_open(ops, i % 2 ? "4,mode=lt" : "4", "ideal");
    if (i % 10 == 0) {
      outcome o = bench_run(ops, card, &s);
      if (i > 0) cr_assert_eq(o.counters[SYSTOLE_COUNTER_CYCLES], cycles);
      cycles = o.counters[SYSTOLE_COUNTER_CYCLES];
      bench_free(&o);
    }
    ops->close(card);
  }
  stream_free(&s);
}

/* ---- the middle of a run
 * ------------------------------------------------------------ */

Test(card, ends_in_the_middle_of_a_run) {
  static const char *const names[] = {"16", "16,mode=lt", "16,traffic=30"};
  const systole_geometry g = systole_model_geometry(16);
  stream s = stream_make(&g, 77);
  for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
    for (int slices = 0; slices < 4; slices++) {
      systole_card *card = bench_open(ops, names[n], "ideal");
      outcome whole = bench_run(ops, card, &s);
      placed p = bench_place(ops, card, &s);
      int done = 0;
      bench_start(&p);
      cr_expect_eq(ops->start(card, &p.launch), SYSTOLE_ERR_DEVICE, "a run is going");
      for (int i = 0; i < slices; i++) MUST(ops->wait(card, 0, &done));
      if (slices % 2 == 0) {
        MUST(ops->reset(card));
        outcome after = bench_run(ops, card, &s);
        const char *difference = bench_compare(&whole, &after, &s);
        if (strstr(names[n], "traffic") == NULL) {
          cr_expect_null(difference, "%s, after a reset: %s", names[n], difference);
        }
        cr_expect_eq(
            memcmp(whole.activations, after.activations, (size_t)s.activation_bytes), 0);
        bench_free(&after);
      }
      bench_free(&whole);
      ops->close(card); /* with the run that is going, too */
    }
  }
  stream_free(&s);
}

/* ---- memory that refuses
 * ------------------------------------------------------------ */

Test(card, an_error_of_memory_ends_a_run_and_the_next_one_is_right) {
  static const char *const names[] = {"8", "8,mode=lt"};
  const systole_geometry g = systole_model_geometry(8);
  stream s = stream_make(&g, 9);
  for (size_t n = 0; n < 2; n++) {
    systole_card *card = bench_open(ops, names[n], "ideal");
    const systole_systemc_api *api;
    systole_systemc *platform = systole_card_systemc_platform(card, &api);
    outcome right = bench_run(ops, card, &s);
    /* The first page of the memory behind each port: program, weights or activations. */
    for (int port = 0; port < 2; port++) {
      placed p = bench_place(ops, card, &s);
      const uint64_t at = port == 0 ? p.launch.activations : p.launch.weights;
      uint32_t error = 0, index = 0, detail = 0;
      MUST(api->refuse(platform, port, at, at + s.activation_bytes + s.weight_bytes));
      bench_start(&p);
      bench_wait(&p);
      MUST(ops->read_register(card, SYSTOLE_REG_ERROR_CODE, &error));
      MUST(ops->read_register(card, SYSTOLE_REG_ERROR_INDEX, &index));
      MUST(ops->read_register(card, SYSTOLE_REG_ERROR_DETAIL, &detail));
      cr_expect_eq(error & 0xFF, SYSTOLE_ERROR_SLAVE, "%s, port %d: error %u", names[n],
                   port, error & 0xFF);
      const uint32_t unit = error >> 8;
      cr_expect(port == 1 ? unit == SYSTOLE_UNIT_WEIGHT
                          : unit == SYSTOLE_UNIT_LOAD || unit == SYSTOLE_UNIT_STORE,
                "%s, port %d: unit %u", names[n], port, unit);
      cr_expect_lt(index, s.count);
      cr_expect_eq(systole_opcode_unit((int)SYSTOLE_GET(&s.at[index], OPCODE)), (int)unit,
                   "instruction %u is not the unit's", index);
      cr_expect_lt(detail - (uint32_t)at, s.activation_bytes + s.weight_bytes,
                   "the address is another");
      MUST(api->refuse(platform, port, 1, 0));
      bench_take_away(&p);
      outcome after = bench_run(ops, card, &s);
      const char *difference = bench_compare(&right, &after, &s);
      cr_expect_null(difference, "%s, after an error on port %d: %s", names[n], port,
                     difference);
      bench_free(&after);
    }
    bench_free(&right);
    ops->close(card);
  }
  stream_free(&s);
}

/* A program that waits for `done` by looking at the register. */
Test(card, registers_can_be_polled_during_a_run) {
  const systole_geometry g = systole_model_geometry(16);
  stream s = stream_make(&g, 21);
  systole_card *card = bench_open(ops, "16", "ideal");
  placed p = bench_place(ops, card, &s);
  uint32_t control = 0, dispatched = 0;
  int looks = 0, growing = 0;
  bench_start(&p);
  for (; !(control & 2) && looks < 1000000; looks++) {
    uint32_t now = 0;
    MUST(ops->read_register(card, SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTER_INSTRUCTIONS,
                            &now));
    growing |= now > dispatched;
    cr_assert_geq(now, dispatched, "the number of instructions fell");
    dispatched = now;
    MUST(ops->read_register(card, SYSTOLE_REG_CONTROL, &control));
  }
  cr_expect_gt(looks, 2, "the run was over at once");
  cr_expect(growing, "no instruction was seen to be dispatched");
  cr_expect_eq(dispatched, s.count - 1);
  MUST(ops->read_register(card, SYSTOLE_REG_CONTROL, &control));
  cr_expect_eq(control, 4, "idle, and done has been read");
  bench_wait(&p);
  ops->close(card);
  stream_free(&s);
}

/* ---- names and options
 * -------------------------------------------------------------- */

Test(card, says_what_is_wrong_with_a_name) {
  static const struct {
    const char *name, *says;
  } wrong[] = {
      {"systemc:17", "power of two"},
      {"systemc:", "systemc:"},
      {"systemc:16,mode=fast", "mode=at"},
      {"systemc:16,quantum=5", "only mode=lt"},
      {"systemc:16,mode=lt,quantum=0", "nanoseconds"},
      {"systemc:16,traffic=100", "0 to 95"},
      {"systemc:16,traffic=-1", "0 to 95"},
      {"systemc:16,traffic=", "0 to 95"},
      {"systemc:16,mode=lt,traffic=5", "mode=at"},
      {"systemc:16,colour=red", "colour"},
      {"systemc:nowhere.json", "nowhere.json"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    systole_device *device = NULL;
    const systole_status status = systole_device_open(&device, wrong[i].name, NULL);
    cr_expect(status == SYSTOLE_ERR_ARGUMENT || status == SYSTOLE_ERR_NOT_FOUND, "%s: %d",
              wrong[i].name, status);
    cr_expect_null(device);
    cr_expect_not_null(strstr(systole_last_error(), wrong[i].says), "%s: %s",
                       wrong[i].name, systole_last_error());
  }
}

Test(card, refuses_what_it_cannot_do) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_device *device = NULL;
  options.trace_path = "wave.fst";
  cr_expect_eq(systole_device_open(&device, "systemc:16", &options),
               SYSTOLE_ERR_UNSUPPORTED);
  options.trace_path = NULL;
  options.stall_seed = 3;
  cr_expect_eq(systole_device_open(&device, "systemc:16", &options),
               SYSTOLE_ERR_UNSUPPORTED);
  options.stall_seed = 0;
  options.memory = "ddr9";
  cr_expect_eq(systole_device_open(&device, "systemc:16", &options), SYSTOLE_ERR_ARGUMENT,
               "%s", systole_last_error());
  options.memory = NULL;
  options.memory_bytes = UINT64_C(1) << 50;
  cr_expect_eq(systole_device_open(&device, "systemc:16", &options), SYSTOLE_ERR_ARGUMENT,
               "%s", systole_last_error());
}

Test(card, device_memory_ends) {
  systole_card *card = bench_open(ops, "16", "ideal"); /* 1 GiB */
  uint64_t address = 1, small = 0;
  uint8_t byte = 0;
  cr_expect_eq(ops->alloc(card, SYSTOLE_PORT_GMEM0, UINT64_C(2) << 30, &address),
               SYSTOLE_ERR_DEVICE_MEMORY);
  cr_expect_eq(address, 0);
  cr_expect_not_null(strstr(systole_last_error(), "gmem0"), "%s", systole_last_error());
  MUST(ops->alloc(card, SYSTOLE_PORT_GMEM1, 100, &small));
  cr_expect_eq(small % 4096, 0);
  cr_expect_eq(ops->read(card, SYSTOLE_PORT_GMEM1, 64, &byte, 1), SYSTOLE_ERR_DEVICE);
  cr_expect_eq(ops->write(card, SYSTOLE_PORT_GMEM0, small, &byte, 1), SYSTOLE_ERR_DEVICE,
               "each port has its own memory");
  ops->free(card, SYSTOLE_PORT_GMEM1, small);
  ops->free(card, SYSTOLE_PORT_GMEM1, 0);
  ops->close(card);
  ops->close(NULL);
}
