/* The public calls: what they refuse, with which words; faults, and life after them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "product.h"
#include "program/instruction.h"

static systole_device *open_machine(const char *what, uint64_t memory_bytes,
                                    uint32_t timeout_ms) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.memory_bytes = memory_bytes;
  options.timeout_ms = timeout_ms;
  systole_device *device;
  cr_assert_eq(systole_machine_open(&device, what, &options), SYSTOLE_OK, "%s",
               systole_last_error());
  return device;
}

static void story_has(const char *words) {
  cr_assert_not_null(strstr(systole_last_error(), words), "\"%s\" lacks \"%s\"",
                     systole_last_error(), words);
}

static void works(systole_device *device, int64_t m, int64_t n, int64_t k) {
  systole_product p = systole_product_make(m, n, k, 1, 42, SYSTOLE_VALUES_RANDOM);
  cr_assert_eq(systole_gemm_s8(device, m, n, k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, NULL),
               SYSTOLE_OK, "%s", systole_last_error());
  const char *wrong = systole_product_check(&p);
  cr_assert_null(wrong, "%s", wrong);
  systole_product_free(&p);
}

/* ---- opening
 * ---------------------------------------------------------------------------- */

Test(open, unknown_names_are_told_with_the_known_ones) {
  systole_device *device = (systole_device *)1;
  cr_assert_eq(systole_device_open(&device, "abacus", NULL), SYSTOLE_ERR_NOT_FOUND);
  cr_assert_null(device);
  story_has("no device is called \"abacus\"; known are ");
  cr_assert_eq(systole_device_open(&device, "abacus:16", NULL), SYSTOLE_ERR_NOT_FOUND);
  cr_assert_eq(systole_device_open(&device, "", NULL), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_device_open(&device, NULL, NULL), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_device_open(NULL, "cpu", NULL), SYSTOLE_ERR_ARGUMENT);
}

Test(open, options_are_checked) {
  systole_device *device;
  systole_device_options o = SYSTOLE_DEVICE_OPTIONS_INIT;
  o.version = 99;
  cr_assert_eq(systole_device_open(&device, "rtl:16", &o), SYSTOLE_ERR_ARGUMENT);
  story_has("version 99");
  o = (systole_device_options)SYSTOLE_DEVICE_OPTIONS_INIT;
  o.clock_mhz = -1.0;
  cr_assert_eq(systole_device_open(&device, "rtl:16", &o), SYSTOLE_ERR_ARGUMENT);
  story_has("MHz");
  o = (systole_device_options)SYSTOLE_DEVICE_OPTIONS_INIT;
  o.threads = -1;
  cr_assert_eq(systole_device_open(&device, "rtl:16", &o), SYSTOLE_ERR_ARGUMENT);
  story_has("threads");
}

Test(open, lists_every_row_with_a_reason_when_it_is_not_usable) {
  systole_device_info *list;
  size_t count;
  cr_assert_eq(systole_device_list(&list, &count), SYSTOLE_OK);
  cr_assert_gt(count, 0);
  for (size_t i = 0; i < count; i++) {
    cr_assert_gt(strlen(list[i].name), 0);
    cr_assert_gt(strlen(list[i].kind), 0);
    cr_assert_gt(strlen(list[i].about), 0);
    cr_assert_eq(strlen(list[i].reason) == 0, list[i].usable, "%s: %s", list[i].name,
                 list[i].reason);
  }
  systole_device_list_free(list, count);
  systole_device_list_free(NULL, 0);
  cr_assert_eq(systole_device_list(NULL, &count), SYSTOLE_ERR_ARGUMENT);
}

Test(open, geometry_comes_from_the_registers) {
  systole_device *device =
      open_machine("8,ub=128,acc=64,tiles=8,axi=16,features=3", 0, 0);
  systole_geometry g;
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  cr_assert(g.dim == 8 && g.axi_bytes == 16 && g.weight_ports == 1 && g.ub_rows == 128 &&
            g.acc_rows == 64 && g.weight_tiles == 8 && g.features == 3 &&
            g.flat_array == 1);
  cr_assert_str_eq(systole_device_name(device),
                   "functional:8,ub=128,acc=64,tiles=8,axi=16,"
                   "features=3");
  cr_assert_eq(systole_device_geometry(NULL, &g), SYSTOLE_ERR_ARGUMENT);
  double gops;
  const char *instruction;
  cr_assert_eq(systole_device_measured_peak(device, &gops, &instruction),
               SYSTOLE_ERR_UNSUPPORTED);
  cr_assert_eq(gops, 0.0);
  systole_device_close(device);
  systole_device_close(NULL);
}

/* ---- arguments
 * -------------------------------------------------------------------------- */

Test(arguments, of_a_product) {
  systole_device *device = open_machine("4", 0, 0);
  int8_t a[12] = {0}, b[12] = {0};
  int32_t c[12];
  const int64_t huge = (int64_t)1 << 62;
  const struct {
    int64_t m, n, k, lda, ldb, ldc;
    const void *a, *b;
    void *c;
    const char *words;
  } bad[] = {
      {-1, 3, 3, 3, 3, 3, a, b, c, "M is -1"},
      {3, -2, 3, 3, 3, 3, a, b, c, "N is -2"},
      {3, 3, -3, 3, 3, 3, a, b, c, "K is -3"},
      {3, 3, 4, 3, 3, 3, a, b, c, "lda is 3; A has 4 columns"},
      {3, 4, 3, 3, 3, 4, a, b, c, "ldb is 3; B has 4 columns"},
      {3, 4, 3, 3, 4, 3, a, b, c, "ldc is 3; C has 4 columns"},
      {0, 0, 0, 0, 1, 1, a, b, c, "lda is 0"},
      {3, 3, 3, 3, 3, 3, NULL, b, c, "A is NULL"},
      {3, 3, 3, 3, 3, 3, a, NULL, c, "B is NULL"},
      {3, 3, 3, 3, 3, 3, a, b, NULL, "C is NULL"},
      {huge, 3, 3, 3, 3, 3, a, b, c, "63 bits"},
      {3, 3, 3, huge, 3, 3, a, b, c, "larger than any memory"},
      {1, 1, 1, 1, 1, huge, a, b, c, "larger than any memory"},
      {INT64_MAX, INT64_MAX, 1, 1, INT64_MAX, INT64_MAX, a, b, c, "63 bits"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    cr_assert_eq(
        systole_gemm_s8(device, bad[i].m, bad[i].n, bad[i].k, bad[i].a, bad[i].lda,
                        bad[i].b, bad[i].ldb, bad[i].c, bad[i].ldc, NULL),
        SYSTOLE_ERR_ARGUMENT, "case %zu: %s", i, bad[i].words);
    story_has(bad[i].words);
  }
  cr_assert_eq(systole_gemm_s8(NULL, 1, 1, 1, a, 1, b, 1, c, 1, NULL),
               SYSTOLE_ERR_ARGUMENT);
  story_has("device is NULL");
  cr_assert_eq(systole_machine_runs(systole_machine_card(device)), 0);
  cr_assert_eq(systole_machine_allocated(systole_machine_card(device)), 0);
  systole_device_close(device);
}

Test(arguments, of_an_epilogue) {
  systole_device *device = open_machine("4", 0, 0);
  int8_t b[4] = {1, 2, 3, 4};
  int32_t multiplier[2] = {1, 65536};
  uint8_t shift[2] = {0, 0};
  systole_weights *weights = (systole_weights *)1;
  systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
  e.version = 0;
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 2, b, 2, &e),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_null(weights);
  story_has("SYSTOLE_EPILOGUE_INIT");
  e.version = SYSTOLE_EPILOGUE_VERSION;
  e.multiplier = multiplier;
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 2, b, 2, &e),
               SYSTOLE_ERR_ARGUMENT);
  story_has("no shifts");
  e.shift = shift;
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 2, b, 2, &e),
               SYSTOLE_ERR_ARGUMENT);
  story_has("multiplier of column 1 is 65536");
  multiplier[1] = -65537;
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 2, b, 2, &e),
               SYSTOLE_ERR_ARGUMENT);
  multiplier[1] = -65536;
  shift[0] = 48;
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 2, b, 2, &e),
               SYSTOLE_ERR_ARGUMENT);
  story_has("shift of column 0 is 48");
  shift[0] = 47;
  e.clamp_low = 5;
  e.clamp_high = 4;
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 2, b, 2, &e),
               SYSTOLE_ERR_ARGUMENT);
  story_has("5 ... 4");
  e.clamp_high = 5;
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 2, b, 2, &e), SYSTOLE_OK);
  cr_assert_eq(systole_gemm_s8_prepared(weights, -1, b, 2, b, 2, NULL),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_gemm_s8_prepared(weights, 1, b, 1, b, 2, NULL),
               SYSTOLE_ERR_ARGUMENT);
  story_has("lda is 1");
  cr_assert_eq(systole_gemm_s8_prepared(NULL, 1, b, 2, b, 2, NULL), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_weights_prepare(NULL, device, 2, 2, b, 2, &e),
               SYSTOLE_ERR_ARGUMENT);
  systole_weights_free(weights);
  systole_weights_free(NULL);
  systole_device_close(device);
}

Test(empty, needs_no_device_work) {
  systole_device *device = open_machine("4", 0, 0);
  int32_t c[6] = {9, 9, 9, 9, 9, 9};
  systole_stats stats;
  cr_assert_eq(
      systole_gemm_s8(device, 0, 2, 3, NULL, 3, (int8_t[6]){0}, 2, NULL, 2, &stats),
      SYSTOLE_OK);
  cr_assert_eq(stats.macs, 0);
  cr_assert_eq(
      systole_gemm_s8(device, 2, 0, 3, (int8_t[6]){0}, 3, NULL, 1, NULL, 1, NULL),
      SYSTOLE_OK);
  cr_assert_eq(systole_gemm_s8(device, 2, 2, 0, NULL, 1, NULL, 2, c, 3, &stats),
               SYSTOLE_OK);
  const int32_t zeros[6] = {0, 0, 9, 0, 0, 9};
  cr_assert_arr_eq(c, zeros, sizeof zeros);
  cr_assert_eq(stats.has_cycles, 0);

  /* The epilogue works on empty sums too. */
  const int32_t bias[2] = {3, -7}, multiplier[2] = {1, 1};
  const uint8_t shift[2] = {1, 1};
  systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
  e.bias = bias;
  systole_weights *weights;
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 0, NULL, 2, &e), SYSTOLE_OK);
  cr_assert_eq(systole_gemm_s8_prepared(weights, 2, NULL, 1, c, 3, NULL), SYSTOLE_OK);
  const int32_t biases[6] = {3, -7, 9, 3, -7, 9};
  cr_assert_arr_eq(c, biases, sizeof biases);
  systole_weights_free(weights);
  e.multiplier = multiplier;
  e.shift = shift;
  e.zero_point = 10;
  int8_t small[3] = {9, 9, 9};
  cr_assert_eq(systole_weights_prepare(&weights, device, 2, 0, NULL, 2, &e), SYSTOLE_OK);
  cr_assert_eq(systole_gemm_s8_prepared(weights, 1, NULL, 1, small, 3, NULL), SYSTOLE_OK);
  cr_assert(small[0] == 12 && small[1] == 6 && small[2] == 9, "%d %d", small[0],
            small[1]);
  systole_weights_free(weights);
  cr_assert_eq(systole_machine_runs(systole_machine_card(device)), 0);
  systole_device_close(device);
}

/* ---- memory and cutting
 * ----------------------------------------------------------------- */

Test(memory, is_given_back) {
  systole_device *device = open_machine("4", 0, 0);
  systole_card *card = systole_machine_card(device);
  works(device, 33, 17, 9);
  uint64_t after_one = systole_machine_allocated(card);
  for (int i = 0; i < 100; i++) works(device, 33, 17, 9);
  cr_assert_eq(systole_machine_allocated(card), after_one);
  systole_device_close(device);
}

Test(memory, large_products_are_cut_by_rows_and_columns) {
  /* 40 kB: too little for A and C of these at once. */
  systole_device *device = open_machine("4", 40000, 0);
  works(device, 2000, 10, 12);
  cr_assert_gt(systole_machine_runs(systole_machine_card(device)), 3);
  works(device, 300, 700, 4);
  works(device, 1, 1000, 20);
  systole_device_close(device);
  device = open_machine("4", 20000, 0);
  works(device, 400, 900, 2);
  systole_device_close(device);
}

Test(memory, weights_that_do_not_fit_are_refused_and_the_handle_lives) {
  systole_device *device = open_machine("4", 20000, 0);
  systole_product p = systole_product_make(2, 300, 300, 0, 1, SYSTOLE_VALUES_RANDOM);
  systole_weights *weights;
  cr_assert_eq(systole_weights_prepare(&weights, device, 300, 300, p.b, 300, NULL),
               SYSTOLE_ERR_DEVICE_MEMORY);
  cr_assert_null(weights);
  story_has("weights of K = 300 by N = 300");
  /* Weights fit, one row of A and C does not. */
  cr_assert_eq(systole_gemm_s8(device, 2, 4, 300, p.a, 300, p.b, 300, p.c, 300, NULL),
               SYSTOLE_OK, "%s", systole_last_error());
  systole_product_free(&p);
  works(device, 9, 9, 9);
  systole_device_close(device);
  device = open_machine("4", 6000, 0);
  p = systole_product_make(1, 1, 3000, 0, 1, SYSTOLE_VALUES_RANDOM);
  cr_assert_eq(systole_gemm_s8(device, 1, 1, 3000, p.a, 3000, p.b, 1, p.c, 1, NULL),
               SYSTOLE_ERR_DEVICE_MEMORY);
  systole_product_free(&p);
  works(device, 5, 5, 5);
  systole_device_close(device);
}

Test(weights, serve_any_number_of_batches) {
  systole_device *device = open_machine("4", 0, 0);
  systole_product p = systole_product_make(70, 21, 19, 2, 3, SYSTOLE_VALUES_RANDOM);
  systole_weights *weights;
  cr_assert_eq(systole_weights_prepare(&weights, device, p.n, p.k, p.b, p.ldb, NULL),
               SYSTOLE_OK);
  int8_t *b_copy = p.b;
  memset(b_copy, 0, (size_t)(p.k * p.ldb)); /* they were copied */
  uint64_t before = 0;
  for (int round = 0; round < 3; round++) {
    for (int64_t m = 70; m > 60; m--) {
      systole_product_reset(&p);
      p.m = m;
      cr_assert_eq(systole_gemm_s8_prepared(weights, m, p.a, p.lda, p.c, p.ldc, NULL),
                   SYSTOLE_OK);
      const char *wrong = systole_product_check(&p);
      cr_assert_null(wrong, "%s", wrong);
    }
    /* Programs are remembered, but not without end. */
    uint64_t now = systole_machine_allocated(systole_machine_card(device));
    if (round > 0) cr_assert_eq(now, before);
    before = now;
  }
  p.m = 70;
  systole_weights_free(weights);
  systole_product_free(&p);
  systole_device_close(device);
}

/* ---- statistics
 * ------------------------------------------------------------------------- */

Test(stats, are_consistent) {
  systole_device *device = open_machine("8", 0, 0);
  systole_product p = systole_product_make(100, 20, 30, 0, 3, SYSTOLE_VALUES_SPARSE);
  systole_stats s;
  cr_assert_eq(systole_gemm_s8(device, 100, 20, 30, p.a, 30, p.b, 20, p.c, 20, &s),
               SYSTOLE_OK);
  systole_product_free(&p);
  cr_assert_eq(s.macs, 60000);
  cr_assert_eq(s.has_cycles, 1);
  const systole_ledger *l = &s.ledger;
  cr_assert_eq(l->active + l->start + l->drain + l->output_stall + l->input_stall +
                   l->weight_stall + l->weight_shift + l->other,
               s.cycles);
  cr_assert_eq(l->active, 100 * 3 * 4); /* rows, column blocks, reduction blocks */
  cr_assert_float_eq(s.utilisation, 60000.0 / (64.0 * (double)s.cycles), 1e-12);
  cr_assert_float_eq(s.utilisation_ceiling, 20.0 / 24.0 * 30.0 / 32.0, 1e-12);
  /* Each tile once a strip; those of the last column block once more for each of its
   * parts. */
  cr_assert_geq(s.weight_bytes, 12 * 64);
  cr_assert_eq(s.weight_bytes % 64, 0);
  cr_assert_eq(s.ub_read_bytes, 1200 * 8);
  cr_assert_eq(s.acc_write_bytes, 1200 * 32);
  cr_assert_eq(s.acc_read_bytes, 300 * 32);
  cr_assert_eq(s.gmem0_read_bytes, 100 * 32);
  cr_assert_eq(s.gmem0_write_bytes, 100 * 24 * 4);
  cr_assert_eq(s.dram_read_bytes, s.gmem0_read_bytes + s.gmem1_read_bytes);
  cr_assert_geq(s.zero_macs, 60000 / 2);
  cr_assert_float_eq(s.seconds, (double)s.cycles / 300e6, 1e-15);
  cr_assert_float_eq(s.gops, 2e-9 * 60000 / s.seconds, 1e-9);
  cr_assert(s.wall_s > 0.0 && s.host_share > 0.0 && s.host_share < 1.0);
  cr_assert_eq(s.clock_kind, SYSTOLE_KIND_ASSUMED);
  systole_device_close(device);
}

/* ---- progress, interruption, faults
 * ----------------------------------------------------- */

typedef struct watcher {
  int calls, stop_at;
  uint64_t last, total;
} watcher;

static int watch(void *user, uint64_t done, uint64_t total) {
  watcher *w = user;
  cr_assert(done >= w->last && done <= total);
  w->last = done;
  w->total = total;
  return ++w->calls == w->stop_at;
}

Test(progress, grows_and_can_stop) {
  systole_device *device = open_machine("4", 0, 0);
  systole_machine_slice(systole_machine_card(device), 5);
  watcher w = {0, 0, 0, 0};
  systole_device_set_progress(device, watch, &w);
  works(device, 300, 40, 8);
  cr_assert_gt(w.calls, 3);
  cr_assert_eq(w.total, 300 * 40 * 8);
  w = (watcher){0, 2, 0, 0};
  systole_product p = systole_product_make(300, 40, 8, 0, 1, SYSTOLE_VALUES_RANDOM);
  cr_assert_eq(systole_gemm_s8(device, 300, 40, 8, p.a, 8, p.b, 40, p.c, 40, NULL),
               SYSTOLE_ERR_INTERRUPTED);
  story_has("interrupted after");
  systole_product_free(&p);
  systole_device_set_progress(device, NULL, NULL);
  works(device, 30, 40, 8);
  systole_device_close(device);
}

Test(fault, ends_in_a_sentence_and_the_next_run_works) {
  const struct {
    systole_machine_fault fault;
    uint32_t at;
    systole_status status;
    const char *words;
  } faults[] = {
      {SYSTOLE_FAULT_SLVERR, 0, SYSTOLE_ERR_DEVICE,
       "instruction 0 (LOAD, load unit): the memory answered SLVERR"},
      {SYSTOLE_FAULT_SLVERR, 1, SYSTOLE_ERR_DEVICE,
       "instruction 1 (WEIGHTS, weight unit)"},
      {SYSTOLE_FAULT_SLVERR, 4, SYSTOLE_ERR_DEVICE, "(STORE, store unit)"},
      {SYSTOLE_FAULT_HANG, 0, SYSTOLE_ERR_TIMEOUT,
       "no instruction was started for 30 ms"},
      {SYSTOLE_FAULT_MEMORY, 0, SYSTOLE_ERR_DEVICE, "the memory does not answer"},
      {SYSTOLE_FAULT_CARD, 0, SYSTOLE_ERR_DEVICE, "RowsInOrder"},
      {SYSTOLE_FAULT_READ, 0, SYSTOLE_ERR_DEVICE, "refused a read"},
      {SYSTOLE_FAULT_WRITE, 0, SYSTOLE_ERR_DEVICE, "refused a write"},
  };
  systole_device *device = open_machine("4", 0, 30);
  systole_card *card = systole_machine_card(device);
  systole_product p = systole_product_make(5, 4, 4, 0, 1, SYSTOLE_VALUES_RANDOM);
  works(device, 9, 9, 9);
  uint64_t allocated = systole_machine_allocated(card);
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    systole_machine_inject(card, faults[i].fault, faults[i].at);
    cr_assert_eq(systole_gemm_s8(device, 5, 4, 4, p.a, 4, p.b, 4, p.c, 4, NULL),
                 faults[i].status, "%s: %s", faults[i].words, systole_last_error());
    story_has(faults[i].words);
    works(device, 9, 9, 9);
    cr_assert_eq(systole_machine_allocated(card), allocated, "%s", faults[i].words);
  }
  systole_product_free(&p);
  systole_device_close(device);
}

/* ---- buffers and own command streams
 * ---------------------------------------------------- */

Test(buffer, refuses_what_is_outside) {
  systole_device *device = open_machine("4", 10000, 0);
  systole_buffer *buffer = (systole_buffer *)1;
  cr_assert_eq(systole_buffer_create(&buffer, device, (systole_port)2, 64),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_null(buffer);
  cr_assert_eq(systole_buffer_create(&buffer, device, SYSTOLE_PORT_GMEM0, 0),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_buffer_create(&buffer, NULL, SYSTOLE_PORT_GMEM0, 64),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_buffer_create(NULL, device, SYSTOLE_PORT_GMEM0, 64),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_buffer_create(&buffer, device, SYSTOLE_PORT_GMEM0, 1 << 20),
               SYSTOLE_ERR_DEVICE_MEMORY);
  cr_assert_eq(systole_buffer_create(&buffer, device, SYSTOLE_PORT_GMEM0, 100),
               SYSTOLE_OK);
  char data[100], back[100];
  for (int i = 0; i < 100; i++) data[i] = (char)i;
  cr_assert_eq(systole_buffer_write(buffer, 0, data, 100), SYSTOLE_OK);
  cr_assert_eq(systole_buffer_read(buffer, 40, back, 60), SYSTOLE_OK);
  cr_assert_arr_eq(back, data + 40, 60);
  cr_assert_eq(systole_buffer_write(buffer, 1, data, 100), SYSTOLE_ERR_ARGUMENT);
  story_has("100 bytes from 1 on are not inside a buffer of 100");
  cr_assert_eq(systole_buffer_read(buffer, UINT64_MAX, back, 2), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_buffer_read(buffer, 2, back, UINT64_MAX), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_buffer_read(buffer, 0, NULL, 1), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_buffer_write(NULL, 0, data, 1), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_buffer_write(buffer, 100, NULL, 0), SYSTOLE_OK);
  systole_buffer_free(buffer);
  systole_buffer_free(NULL);
  cr_assert_eq(systole_machine_allocated(systole_machine_card(device)), 0);
  systole_device_close(device);
}

Test(run, tells_what_is_wrong_with_a_program) {
  systole_device *device = open_machine("4", 0, 0), *other = open_machine("4", 0, 0);
  systole_buffer *program, *weights, *memory, *foreign;
  cr_assert_eq(systole_buffer_create(&program, device, SYSTOLE_PORT_GMEM1, 128),
               SYSTOLE_OK);
  cr_assert_eq(systole_buffer_create(&weights, device, SYSTOLE_PORT_GMEM1, 64),
               SYSTOLE_OK);
  cr_assert_eq(systole_buffer_create(&memory, device, SYSTOLE_PORT_GMEM0, 64),
               SYSTOLE_OK);
  cr_assert_eq(systole_buffer_create(&foreign, other, SYSTOLE_PORT_GMEM0, 64),
               SYSTOLE_OK);
  cr_assert_eq(systole_run(device, program, 3, weights, memory, NULL),
               SYSTOLE_ERR_ARGUMENT);
  story_has("3 instructions do not fit");
  cr_assert_eq(systole_run(device, program, 0, weights, memory, NULL),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_run(device, memory, 1, weights, memory, NULL),
               SYSTOLE_ERR_ARGUMENT);
  story_has("program must be on gmem1");
  cr_assert_eq(systole_run(device, program, 1, weights, foreign, NULL),
               SYSTOLE_ERR_ARGUMENT);
  story_has("another device");
  cr_assert_eq(systole_run(device, program, 1, NULL, memory, NULL), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_run(NULL, program, 1, weights, memory, NULL),
               SYSTOLE_ERR_ARGUMENT);

  systole_instruction stream[2];
  stream[0] = systole_instruction_make(SYSTOLE_OP_LOAD, 0, 0);
  SYSTOLE_SET(&stream[0], COPY_ROWS, 20);
  SYSTOLE_SET(&stream[0], COPY_LINES, 1);
  SYSTOLE_SET(&stream[0], COPY_BLOCKS, 1);
  stream[1] = systole_instruction_make(SYSTOLE_OP_END, 0, 0);
  cr_assert_eq(systole_buffer_write(program, 0, stream, sizeof stream), SYSTOLE_OK);
  cr_assert_eq(systole_run(device, program, 2, weights, memory, NULL),
               SYSTOLE_ERR_DEVICE);
  story_has("instruction 0 (LOAD, load unit): nothing answers at address");
  SYSTOLE_SET(&stream[0], WAIT, 1u << SYSTOLE_UNIT_STORE);
  cr_assert_eq(systole_buffer_write(program, 0, stream, sizeof stream), SYSTOLE_OK);
  cr_assert_eq(systole_run(device, program, 2, weights, memory, NULL),
               SYSTOLE_ERR_DEVICE);
  story_has("waits for a token from the store unit");
  SYSTOLE_SET(&stream[0], WAIT, 0);
  SYSTOLE_SET(&stream[0], COPY_ROWS, 16);
  cr_assert_eq(systole_buffer_write(program, 0, stream, sizeof stream), SYSTOLE_OK);
  systole_stats stats;
  cr_assert_eq(systole_run(device, program, 2, weights, memory, &stats), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_assert_eq(stats.gmem0_read_bytes, 64);
  cr_assert_eq(stats.macs, 0);
  systole_buffer_free(program);
  systole_buffer_free(weights);
  systole_buffer_free(memory);
  systole_buffer_free(foreign);
  systole_device_close(device);
  systole_device_close(other);
}
