/* The rtl card on the real kernel: what it offers, runs, memory presets, stalls, faults.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "card/systole_isa.h"
#include "job.h"
#include "support/error.h"

/* The models of this build, as in a device's name: {"16", "64"}. */
static const char *const models[] = {COSIM_MODELS};
enum { MODELS = sizeof models / sizeof models[0] };

/* ---- what there is
 * -------------------------------------------------------------------------- */

typedef struct listing {
  int built, missing;
} listing;

static void see(void *user, const systole_device_info *info) {
  listing *l = user;
  cr_expect_str_eq(info->kind, "accelerator");
  cr_expect_eq(strncmp(info->name, "rtl:", 4), 0);
  if (info->usable) {
    cr_expect_str_eq(info->reason, "");
    for (int i = 0; i < MODELS; i++) l->built += strcmp(info->name + 4, models[i]) == 0;
  } else {
    cr_expect_not_null(strstr(info->reason, "-DSYSTOLE_DIMS="), "%s", info->reason);
    l->missing++;
  }
}

Test(card, list_names_what_is_built_and_how_to_build_the_rest) {
  listing l = {0, 0};
  systole_card_rtl.list(see, &l);
  cr_expect_eq(l.built, MODELS);
}

Test(card, names_that_are_none_are_not_found) {
  static const char *const bad[] = {"",        "0",   "1",   "17",
                                    "512",     "16x", "16:", "16:flat",
                                    " 16",     "+16", "-16", "99999999999999999999",
                                    "readable"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    systole_card *card = (systole_card *)&card;
    cr_expect_eq(systole_card_rtl.open(&card, bad[i], NULL), SYSTOLE_ERR_NOT_FOUND,
                 "rtl:%s", bad[i]);
    cr_expect_null(card);
    cr_expect_gt(strlen(systole_last_error()), 20);
  }
}

Test(card, a_size_that_is_not_built_says_how_to_build_it) {
  systole_card *card = NULL;
  cr_expect_eq(systole_card_rtl.open(&card, "256:readable", NULL), SYSTOLE_ERR_NOT_FOUND);
  cr_expect_not_null(strstr(systole_last_error(), "SYSTOLE_READABLE_DIMS"), "%s",
                     systole_last_error());
}

Test(card, bad_options_are_refused_with_a_sentence) {
  systole_card *card = NULL;
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.memory = "ddr9";
  cr_expect_eq(systole_card_rtl.open(&card, models[0], &options), SYSTOLE_ERR_ARGUMENT);
  cr_expect_not_null(strstr(systole_last_error(), "ideal, ddr4, hbm2"), "%s",
                     systole_last_error());
  options.memory = NULL;
  options.clock_mhz = -1.0;
  cr_expect_eq(systole_card_rtl.open(&card, models[0], &options), SYSTOLE_ERR_ARGUMENT);
  options.clock_mhz = 0.0;
  options.memory_bytes = UINT64_MAX;
  cr_expect_eq(systole_card_rtl.open(&card, models[0], &options), SYSTOLE_ERR_ARGUMENT);
  cr_expect_null(card);
}

Test(card, memory_runs_out_with_a_sentence_and_comes_back) {
  systole_card *card = NULL;
  uint64_t a = 0, b = 0;
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.memory_bytes = 1 << 20;
  cr_assert_eq(systole_card_rtl.open(&card, models[0], &options), SYSTOLE_OK);
  cr_expect_eq(systole_card_rtl.alloc(card, SYSTOLE_PORT_GMEM0, 1 << 20, &a), SYSTOLE_OK);
  cr_expect_eq(a % 4096, 0);
  cr_expect_eq(systole_card_rtl.alloc(card, SYSTOLE_PORT_GMEM0, 1, &b),
               SYSTOLE_ERR_DEVICE_MEMORY);
  cr_expect_eq(b, 0);
  cr_expect_not_null(strstr(systole_last_error(), "1048576"), "%s", systole_last_error());
  cr_expect_eq(systole_card_rtl.alloc(card, SYSTOLE_PORT_GMEM1, 1 << 20, &b), SYSTOLE_OK,
               "each port has memory of its own");
  systole_card_rtl.free(card, SYSTOLE_PORT_GMEM0, 0);
  systole_card_rtl.free(card, SYSTOLE_PORT_GMEM0, a);
  cr_expect_eq(systole_card_rtl.alloc(card, SYSTOLE_PORT_GMEM0, 4096, &a), SYSTOLE_OK);
  uint8_t byte = 1;
  cr_expect_eq(systole_card_rtl.write(card, SYSTOLE_PORT_GMEM1, a, &byte, 1),
               SYSTOLE_ERR_ARGUMENT, "an address of one port is none of the other");
  cr_expect_eq(
      systole_card_rtl.read(card, SYSTOLE_PORT_GMEM0, a + (1 << 20) - 1, &byte, 2),
      SYSTOLE_ERR_ARGUMENT);
  systole_card_rtl.close(card);
  systole_card_rtl.close(NULL);
}

/* ---- runs
 * ---------------------------------------------------------------------------------------
 */

Test(card, registers_tell_the_geometry) {
  for (int i = 0; i < MODELS; i++) {
    const systole_device_options options = job_options();
    job j = job_open(models[i], &options, 1, 1, 1);
    const uint32_t geometry = job_register(&j, SYSTOLE_REG_GEOMETRY);
    cr_expect_eq(job_register(&j, SYSTOLE_REG_IDENTITY), SYSTOLE_IDENTITY_VALUE);
    cr_expect_eq(1u << (geometry & 0xFF), (uint32_t)j.dim);
    cr_expect_eq(1u << (geometry >> 8 & 0xFF), (uint32_t)j.api->axi_bytes);
    cr_expect_eq((int)(geometry >> 24 & 1), strchr(models[i], ':') == NULL);
    job_close(&j);
  }
}

Test(card, products_are_right_and_cycles_repeat) {
  for (int i = 0; i < MODELS; i++) {
    static const uint32_t sizes[][2] = {{1, 1}, {7, 3}, {100, 20}, {512, 4}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
      const systole_device_options options = job_options();
      job j = job_open(models[i], &options, sizes[s][0], sizes[s][1], 7 + s);
      cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
      job_expect_right(&j);
      const uint64_t cycles = job_counter(&j, SYSTOLE_COUNTER_CYCLES);
      for (int again = 0; again < 2; again++) {
        cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
        job_expect_right(&j);
        cr_expect_eq(job_counter(&j, SYSTOLE_COUNTER_CYCLES), cycles);
      }
      cr_expect_gt(systole_card_rtl.run_cpu_seconds(j.card), 0.0);
      job_close(&j);
    }
  }
}

/* The checkers, the waveform variant and the length of a slice must not change time. */
Test(card, watching_does_not_change_what_is_watched) {
  for (int i = 0; i < MODELS; i++) {
    systole_device_options options = job_options();
    job watched = job_open(models[i], &options, 200, 10, 3);
    options.check_protocol = 0;
    job free_running = job_open(models[i], &options, 200, 10, 3);
    cr_assert_eq(job_run(&watched), SYSTOLE_OK, "%s", systole_last_error());
    job_spoil(&free_running);
    job_start(&free_running);
    cr_assert_eq(job_wait(&free_running, 0), SYSTOLE_OK, "%s", systole_last_error());
    job_expect_right(&watched);
    job_expect_right(&free_running);
    for (int c = 0; c < SYSTOLE_COUNTERS; c++) {
      cr_expect_eq(job_counter(&watched, c), job_counter(&free_running, c), "counter %d",
                   c);
    }
    job_close(&watched);
    job_close(&free_running);
  }
}

/* What the kernel counts is what crossed the ports. */
Test(card, byte_counters_agree_with_the_memory) {
  for (int i = 0; i < MODELS; i++) {
    const systole_device_options options = job_options();
    job j = job_open(models[i], &options, 100, 5, 11);
    systole_rtl_traffic before[2], after[2];
    for (int p = 0; p < 2; p++) j.api->traffic(j.model, p, &before[p]);
    cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
    for (int p = 0; p < 2; p++) j.api->traffic(j.model, p, &after[p]);
    const uint64_t bytes = (uint64_t)j.api->axi_bytes;
    cr_expect_eq(job_counter(&j, SYSTOLE_COUNTER_GMEM0_READ_BYTES),
                 (after[0].read_beats - before[0].read_beats) * bytes);
    cr_expect_eq(job_counter(&j, SYSTOLE_COUNTER_GMEM1_READ_BYTES),
                 (after[1].read_beats - before[1].read_beats) * bytes);
    cr_expect_eq(job_counter(&j, SYSTOLE_COUNTER_GMEM0_WRITE_BYTES),
                 after[0].written_bytes - before[0].written_bytes);
    cr_expect_eq(after[0].written_bytes - before[0].written_bytes, job_result_bytes(&j));
    job_close(&j);
  }
}

Test(card, start_and_wait_out_of_turn) {
  const systole_device_options options = job_options();
  job j = job_open(models[0], &options, 100, 20, 5);
  int done = 0;
  cr_expect_eq(systole_card_rtl.wait(j.card, 1, &done), SYSTOLE_OK);
  cr_expect_eq(done, 1, "nothing is going");
  job_start(&j);
  cr_expect_eq(systole_card_rtl.start(j.card, &j.launch), SYSTOLE_ERR_DEVICE);
  cr_expect_not_null(strstr(systole_last_error(), "while another one is going"));
  cr_assert_eq(job_wait(&j, 100), SYSTOLE_OK, "%s", systole_last_error());
  job_expect_right(&j);
  job_start(&j);
  job_close(&j); /* mid-run */
}

Test(card, reset_in_the_middle_of_a_run) {
  for (int i = 0; i < MODELS; i++) {
    const systole_device_options options = job_options();
    job j = job_open(models[i], &options, 300, 10, 9);
    for (uint64_t cycles = 1; cycles < 3000; cycles = cycles * 3 + 7) {
      job_spoil(&j);
      job_start(&j);
      cr_assert_eq(j.api->idle(j.model, cycles), SYSTOLE_OK, "%s", j.api->story(j.model));
      cr_assert_eq(systole_card_rtl.reset(j.card), SYSTOLE_OK, "%s",
                   systole_last_error());
      cr_assert_eq(job_run(&j), SYSTOLE_OK, "after %lu cycles: %s", cycles,
                   systole_last_error());
      job_expect_right(&j);
    }
    job_close(&j);
  }
}

/* ---- memory
 * ---------------------------------------------------------------------------------------
 */

Test(card, presets_cost_time_and_change_nothing_else) {
  for (int i = 0; i < MODELS; i++) {
    static const char *const presets[] = {"ideal", "ddr4", "hbm2"};
    uint64_t cycles[3];
    for (int p = 0; p < 3; p++) {
      systole_device_options options = job_options();
      options.memory = presets[p];
      job j = job_open(models[i], &options, 64, 30, 13);
      cr_expect_str_eq(systole_card_rtl.memory_name(j.card), presets[p]);
      cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
      job_expect_right(&j);
      cycles[p] = job_counter(&j, SYSTOLE_COUNTER_CYCLES);
      job_close(&j);
    }
    cr_expect(cycles[0] < cycles[1] && cycles[1] < cycles[2], "%lu, %lu, %lu", cycles[0],
              cycles[1], cycles[2]);
  }
}

Test(card, random_stalls_delay_and_change_nothing_else) {
  for (int i = 0; i < MODELS; i++) {
    uint64_t quiet = 0;
    for (uint64_t seed = 0; seed <= 12; seed++) {
      systole_device_options options = job_options();
      uint64_t cycles[2];
      options.stall_seed = seed;
      for (int twice = 0; twice < 2; twice++) {
        job j = job_open(models[i], &options, 33, 6, seed);
        cr_assert_eq(job_run(&j), SYSTOLE_OK, "seed %lu: %s", seed, systole_last_error());
        job_expect_right(&j);
        cycles[twice] = job_counter(&j, SYSTOLE_COUNTER_CYCLES);
        cr_assert_eq(job_run(&j), SYSTOLE_OK, "seed %lu: %s", seed, systole_last_error());
        job_expect_right(&j);
        job_close(&j);
      }
      cr_expect_eq(cycles[0], cycles[1], "seed %lu repeats", seed);
      if (seed == 0) quiet = cycles[0];
      cr_expect_geq(cycles[0], quiet, "seed %lu", seed);
    }
  }
}

/* ---- faults
 * -----------------------------------------------------------------------------------------
 */

typedef struct fault_case {
  const char *name;
  int port, channels;
  uint32_t unit;
} fault_case;

static const fault_case fault_cases[] = {
    {"program fetch", 1, SYSTOLE_AXI_R, SYSTOLE_UNIT_FETCH},
    {"weights", 1, SYSTOLE_AXI_R, SYSTOLE_UNIT_WEIGHT},
    {"activations", 0, SYSTOLE_AXI_R, SYSTOLE_UNIT_LOAD},
    {"results", 0, SYSTOLE_AXI_B, SYSTOLE_UNIT_STORE},
};
enum { FAULT_CASES = sizeof fault_cases / sizeof fault_cases[0] };

/* An address in the middle of what the case is about. */
static uint64_t fault_address(const job *j, int which) {
  const uint64_t dim = (uint64_t)j->dim;
  switch (which) {
    case 0:
      return j->launch.program + 128;
    case 1:
      return j->launch.weights + dim * dim * j->tiles / 2;
    case 2:
      return j->launch.activations + dim * j->rows / 2;
    default:
      return job_results(j) + job_result_bytes(j) / 2;
  }
}

/* SLVERR and DECERR anywhere end the run with the unit in the error register, everything
 * drained (the checkers see to that), and the next run of the same handle is right. */
Test(card, error_responses_end_the_run_and_the_next_one_works) {
  for (int i = 0; i < MODELS; i++) {
    for (uint64_t seed = 0; seed <= 2; seed++) {
      systole_device_options options = job_options();
      options.stall_seed = seed;
      job j = job_open(models[i], &options, 100, 8, 21);
      for (int f = 0; f < FAULT_CASES; f++) {
        for (int decode = 0; decode <= 1; decode++) {
          const fault_case *c = &fault_cases[f];
          const uint64_t address = fault_address(&j, f);
          const systole_axi_fault fault = {
              address, address, c->channels,
              decode ? SYSTOLE_AXI_DECERR : SYSTOLE_AXI_SLVERR, 0};
          cr_assert_eq(j.api->fault(j.model, c->port, &fault), 0);
          cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s, seed %lu: %s", c->name, seed,
                       systole_last_error());
          const uint32_t code = job_register(&j, SYSTOLE_REG_ERROR_CODE);
          cr_expect_eq(code & 0xFF,
                       (uint32_t)(decode ? SYSTOLE_ERROR_DECODE : SYSTOLE_ERROR_SLAVE),
                       "%s: 0x%x", c->name, code);
          cr_expect_eq(code >> 8 & 0xFF, c->unit, "%s: 0x%x", c->name, code);
          j.api->heal(j.model, c->port);
          cr_assert_eq(job_run(&j), SYSTOLE_OK, "after %s, seed %lu: %s", c->name, seed,
                       systole_last_error());
          job_expect_right(&j);
        }
      }
      job_close(&j);
    }
  }
}

Test(card, addresses_outside_the_memory_are_decode_errors) {
  for (int i = 0; i < MODELS; i++) {
    const systole_device_options options = job_options();
    job j = job_open(models[i], &options, 10, 2, 23);
    const systole_launch good = j.launch;
    for (int which = 0; which < 3; which++) {
      if (which == 0) j.launch.program = 64;
      if (which == 1) j.launch.weights = UINT64_C(1) << 50;
      if (which == 2) j.launch.activations = good.program; /* of the other port */
      job_start(&j);
      cr_assert_eq(job_wait(&j, 100), SYSTOLE_OK, "%s", systole_last_error());
      cr_expect_eq(job_register(&j, SYSTOLE_REG_ERROR_CODE) & 0xFF, SYSTOLE_ERROR_DECODE);
      j.launch = good;
      cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
      job_expect_right(&j);
    }
    job_close(&j);
  }
}

/* A memory that falls silent is a timeout with its story; reset makes the card usable. */
static void expect_silence(job *j, const char *what) {
  job_spoil(j);
  job_start(j);
  cr_expect_eq(job_wait(j, 100), SYSTOLE_ERR_TIMEOUT, "%s", what);
  cr_expect_not_null(strstr(systole_last_error(), "memory does not answer"), "%s: %s",
                     what, systole_last_error());
  cr_expect_eq(job_register(j, SYSTOLE_REG_ERROR_CODE) & 0xFF, SYSTOLE_ERROR_MEMORY, "%s",
               what);
  cr_expect_eq(systole_card_rtl.start(j->card, &j->launch), SYSTOLE_ERR_DEVICE,
               "%s: a wedged card takes no new run", what);
  for (int port = 0; port < 2; port++) j->api->heal(j->model, port);
  cr_assert_eq(systole_card_rtl.reset(j->card), SYSTOLE_OK, "%s: %s", what,
               systole_last_error());
  cr_assert_eq(job_run(j), SYSTOLE_OK, "after %s: %s", what, systole_last_error());
  job_expect_right(j);
}

Test(card, silent_memory_times_out_and_reset_helps) {
  for (int i = 0; i < MODELS; i++) {
    systole_device_options options = job_options();
    options.timeout_ms = 10000; /* long after the kernel's own watchdog */
    job j = job_open(models[i], &options, 100, 8, 25);
    for (int f = 0; f < FAULT_CASES; f++) {
      const uint64_t address = fault_address(&j, f);
      const systole_axi_fault fault = {address, address, fault_cases[f].channels, 0, 1};
      cr_assert_eq(j.api->fault(j.model, fault_cases[f].port, &fault), 0);
      expect_silence(&j, fault_cases[f].name);
    }
    static const struct {
      const char *name;
      int port, channels;
    } hangs[] = {{"ar of gmem0", 0, SYSTOLE_AXI_AR}, {"r of gmem0", 0, SYSTOLE_AXI_R},
                 {"aw of gmem0", 0, SYSTOLE_AXI_AW}, {"w of gmem0", 0, SYSTOLE_AXI_W},
                 {"b of gmem0", 0, SYSTOLE_AXI_B},   {"ar of gmem1", 1, SYSTOLE_AXI_AR},
                 {"r of gmem1", 1, SYSTOLE_AXI_R}};
    for (size_t h = 0; h < sizeof hangs / sizeof hangs[0]; h++) {
      j.api->hang(j.model, hangs[h].port, hangs[h].channels);
      expect_silence(&j, hangs[h].name);
    }
    job_close(&j);
  }
}

Test(card, an_unknown_opcode_is_named_and_the_next_run_works) {
  for (int i = 0; i < MODELS; i++) {
    const systole_device_options options = job_options();
    job j = job_open(models[i], &options, 40, 3, 27);
    uint8_t opcode = 0xEE, good = 0;
    const uint64_t at = j.launch.program + 64 * 3 + 1;
    cr_assert_eq(systole_card_rtl.read(j.card, SYSTOLE_PORT_GMEM1, at, &good, 1),
                 SYSTOLE_OK);
    cr_assert_eq(systole_card_rtl.write(j.card, SYSTOLE_PORT_GMEM1, at, &opcode, 1),
                 SYSTOLE_OK);
    cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
    cr_expect_eq(job_register(&j, SYSTOLE_REG_ERROR_CODE) & 0xFF, SYSTOLE_ERROR_OPCODE);
    cr_expect_eq(job_register(&j, SYSTOLE_REG_ERROR_INDEX), 3);
    cr_expect_eq(job_register(&j, SYSTOLE_REG_ERROR_DETAIL), 0xEE);
    cr_assert_eq(systole_card_rtl.write(j.card, SYSTOLE_PORT_GMEM1, at, &good, 1),
                 SYSTOLE_OK);
    cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
    job_expect_right(&j);
    job_close(&j);
  }
}
