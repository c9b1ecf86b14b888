/* The card `xrt` on the simulated card, through the real libxrt_coreutil: the same
 * results, cycles and ledger as the card `rtl`, and every way to open, share and abandon
 * it. */
#include "card/card.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "card/systole_isa.h"
#include "product.h"
#include "shapes.h"
#include "support/clock.h"
#include "systole/systole.h"

enum { kThreads = 4, kRuns = 250, kCycles = 100 };

static const char *const models[] = {XRT_MODELS}; /* {"16", "64"} */
enum { MODELS = sizeof models / sizeof models[0] };

static void set_up(void) {
  setenv("XILINX_XRT", XRT_FOLDER, 1);
  unsetenv("SYSTOLE_SIM_CARDS");
}
TestSuite(card, .init = set_up, .timeout = 240);

/* "xrt:FOLDER/systole-16.xclbin" and more behind it. The name lives until the fourth call
 * after. */
static const char *xrt_name(const char *model, const char *more) {
  static char names[4][512];
  static int next;
  char *name = names[next++ % 4];
  (void)snprintf(name, sizeof names[0], "xrt:%s/systole-%s.xclbin%s", XRT_FOLDER, model,
                 more);
  return name;
}

static systole_device *open_device(const char *name) {
  systole_device *device = NULL;
  cr_assert_eq(systole_device_open(&device, name, NULL), SYSTOLE_OK, "%s",
               systole_last_error());
  return device;
}

static systole_card *open_card(const char *more) {
  systole_card *card = NULL;
  cr_assert_eq(systole_card_xrt.open(&card, xrt_name(models[0], more) + 4, NULL),
               SYSTOLE_OK, "%s", systole_last_error());
  return card;
}

static systole_stats multiply(systole_device *device, systole_product *p) {
  systole_stats stats;
  memset(&stats, 0, sizeof stats);
  systole_product_reset(p);
  cr_assert_eq(systole_gemm_s8(device, p->m, p->n, p->k, p->a, p->lda, p->b, p->ldb, p->c,
                               p->ldc, &stats),
               SYSTOLE_OK, "%s", systole_last_error());
  const char *wrong = systole_product_check(p);
  cr_assert_null(wrong, "%s", wrong);
  return stats;
}

/* ---- the same as rtl -----------------------------------------------------------------
 */

static void expect_equal(const systole_stats *a, const systole_stats *b,
                         const systole_shape *s) {
  cr_expect_eq(a->cycles, b->cycles, "%ld x %ld x %ld: %lu cycles, not %lu", s->m, s->n,
               s->k, a->cycles, b->cycles);
  cr_expect_eq(memcmp(&a->ledger, &b->ledger, sizeof a->ledger), 0, "%s", s->why);
  cr_expect_eq(a->instructions, b->instructions);
  cr_expect_eq(a->zero_macs, b->zero_macs);
  cr_expect_eq(a->gmem0_read_bytes, b->gmem0_read_bytes);
  cr_expect_eq(a->gmem0_write_bytes, b->gmem0_write_bytes);
  cr_expect_eq(a->gmem1_read_bytes, b->gmem1_read_bytes);
  cr_expect_eq(a->ub_read_bytes, b->ub_read_bytes);
  cr_expect(a->cycles == 0 || a->seconds == b->seconds,
            "time is that of the simulated clock");
  cr_expect_eq(a->clock_kind, b->clock_kind);
  cr_expect_str_eq(a->memory ? a->memory : "", b->memory ? b->memory : "");
}

/* "xocl" for "xrt". */
static const char *ocl_name(const char *model, const char *more) {
  static char names[4][512];
  static int next;
  char *name = names[next++ % 4];
  (void)snprintf(name, sizeof names[0], "xocl:%s", xrt_name(model, more) + 4);
  return name;
}

static void expect_as_rtl(const char *(*named)(const char *, const char *),
                          int count_models) {
  for (int m = 0; m < count_models; m++) {
    systole_shape shapes[SYSTOLE_MAX_SHAPES];
    char rtl_name[32];
    systole_geometry geometry, wanted;
    (void)snprintf(rtl_name, sizeof rtl_name, "rtl:%s", models[m]);
    systole_device *rtl = open_device(rtl_name);
    systole_device *xrt = open_device(named(models[m], ""));
    systole_device_geometry(rtl, &wanted);
    systole_device_geometry(xrt, &geometry);
    cr_expect_eq(memcmp(&geometry, &wanted, sizeof wanted), 0);
    const size_t count = systole_shapes(shapes, wanted.dim);
    for (size_t i = 0; i < count; i++) {
      const systole_shape *s = &shapes[i];
      systole_product p =
          systole_product_make(s->m, s->n, s->k, 0, i + 1, SYSTOLE_VALUES_RANDOM);
      const systole_stats ours = multiply(xrt, &p), theirs = multiply(rtl, &p);
      expect_equal(&ours, &theirs, s);
      systole_product_free(&p);
    }
    systole_device_close(xrt);
    systole_device_close(rtl);
  }
}

Test(card, products_cycles_and_ledgers_are_those_of_rtl) {
  expect_as_rtl(xrt_name, MODELS);
}

/* ---- through OpenCL ------------------------------------------------------------------
 * XRT's libxilinxopencl on the same simulated card. */

static int has_opencl(void) {
  systole_device *device = NULL;
  const systole_status status =
      systole_device_open(&device, ocl_name(models[0], ""), NULL);
  const int absent =
      status != SYSTOLE_OK && strstr(systole_last_error(), "this build has no OpenCL");
  if (!absent) cr_assert_eq(status, SYSTOLE_OK, "%s", systole_last_error());
  systole_device_close(device);
  return !absent;
}

Test(card, opencl_gives_the_same_too) {
  if (!has_opencl()) cr_skip_test("built without OpenCL's headers");
  expect_as_rtl(ocl_name, 1);
}

Test(card, opencl_and_xrt_share_a_card) {
  setenv("SYSTOLE_SIM_CARDS", "2", 1);
  if (!has_opencl()) cr_skip_test("built without OpenCL's headers");
  systole_device *devices[3] = {open_device(ocl_name(models[0], ":cu=systole_1")),
                                open_device(xrt_name(models[0], ":cu=systole_2")),
                                open_device(ocl_name(models[0], ":card=1"))};
  systole_product p = systole_product_make(50, 60, 70, 0, 4, SYSTOLE_VALUES_EXTREME);
  for (int i = 0; i < 6; i++) (void)multiply(devices[i % 3], &p);
  systole_device *taken = NULL;
  cr_expect_eq(systole_device_open(&taken, xrt_name(models[0], ":cu=systole_1"), NULL),
               SYSTOLE_ERR_NOT_FOUND);
  cr_expect_eq(systole_device_open(&taken, ocl_name(models[0], ":card=7"), NULL),
               SYSTOLE_ERR_NOT_FOUND);
  cr_expect_eq(
      systole_device_open(&taken, ocl_name(models[0], ":card=0000:3b:00.1"), NULL),
      SYSTOLE_ERR_ARGUMENT);
  for (int i = 0; i < 3; i++) systole_device_close(devices[i]);
  systole_product_free(&p);
}

Test(card, opencl_runs_out_of_memory_in_words) {
  if (!has_opencl()) cr_skip_test("built without OpenCL's headers");
  systole_card *card = NULL;
  uint64_t address = 1;
  cr_assert_eq(systole_card_xocl.open(&card, ocl_name(models[0], "") + 5, NULL),
               SYSTOLE_OK);
  cr_expect_eq(
      systole_card_xocl.alloc(card, SYSTOLE_PORT_GMEM0, UINT64_C(20) << 30, &address),
      SYSTOLE_ERR_DEVICE_MEMORY, "%s", systole_last_error());
  cr_expect_eq(address, 0);
  cr_expect_eq(systole_card_xocl.alloc(card, SYSTOLE_PORT_GMEM0, 5000, &address),
               SYSTOLE_OK, "%s", systole_last_error());
  uint32_t sent = 77, got = 0;
  cr_expect_eq(
      systole_card_xocl.write(card, SYSTOLE_PORT_GMEM0, address + 4996, &sent, 4),
      SYSTOLE_OK);
  cr_expect_eq(systole_card_xocl.read(card, SYSTOLE_PORT_GMEM0, address + 4996, &got, 4),
               SYSTOLE_OK);
  cr_expect_eq(got, sent);
  systole_card_xocl.close(card);
}

/* ---- many at once --------------------------------------------------------------------
 */

typedef struct worker {
  const char *name;
  int runs, wrong;
  char story[512];
} worker;

static void *work(void *user) {
  worker *w = user;
  systole_device *device = NULL;
  systole_product p =
      systole_product_make(9, 21, 33, 0, (uint64_t)w->runs, SYSTOLE_VALUES_RANDOM);
  systole_status status = systole_device_open(&device, w->name, NULL);
  for (int i = 0; i < w->runs && status == SYSTOLE_OK; i++) {
    systole_product_reset(&p);
    status =
        systole_gemm_s8(device, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, NULL);
    w->wrong += status == SYSTOLE_OK && systole_product_check(&p) != NULL;
  }
  if (status != SYSTOLE_OK) {
    (void)snprintf(w->story, sizeof w->story, "%s", systole_last_error());
  }
  systole_device_close(device);
  systole_product_free(&p);
  return NULL;
}

static void expect_threads(const char *const names[kThreads], int runs) {
  worker workers[kThreads];
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; i++) {
    workers[i] = (worker){names[i], runs, 0, ""};
    cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < kThreads; i++) {
    pthread_join(threads[i], NULL);
    cr_expect_str_eq(workers[i].story, "", "%s: %s", names[i], workers[i].story);
    cr_expect_eq(workers[i].wrong, 0);
  }
}

/* Two cards with two compute units each. */
Test(card, a_thousand_runs_from_four_threads) {
  setenv("SYSTOLE_SIM_CARDS", "2", 1);
  char names[kThreads][512];
  const char *pointers[kThreads];
  for (int i = 0; i < kThreads; i++) {
    (void)snprintf(names[i], sizeof names[i], "%s",
                   xrt_name(models[0], i / 2 ? ":card=1" : ":card=0"));
    pointers[i] = names[i];
  }
  expect_threads(pointers, kRuns);
}

/* Threads that come and go: opening meets runs of others. */
Test(card, threads_open_and_close_while_others_run) {
  setenv("SYSTOLE_SIM_CARDS", "4", 1);
  char names[kThreads][512];
  const char *pointers[kThreads];
  for (int i = 0; i < kThreads; i++) {
    char more[32];
    (void)snprintf(more, sizeof more, ":card=%d", i);
    (void)snprintf(names[i], sizeof names[i], "%s", xrt_name(models[0], more));
    pointers[i] = names[i];
  }
  for (int round = 0; round < 10; round++) expect_threads(pointers, 3);
}

static int threads_of_process(void) {
  char line[256];
  int threads = -1;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "Threads: %d", &threads) == 1) break;
  }
  if (file) fclose(file);
  return threads;
}

Test(card, opens_and_closes_a_hundred_times) {
  systole_product p = systole_product_make(5, 6, 7, 0, 3, SYSTOLE_VALUES_RANDOM);
  int after_first = 0;
  for (int i = 0; i < kCycles; i++) {
    systole_device *device =
        open_device(xrt_name(models[0], i % 2 ? ":cu=systole_2" : ""));
    (void)multiply(device, &p);
    systole_device_close(device);
    if (i == 1) after_first = threads_of_process();
  }
  cr_expect_eq(threads_of_process(), after_first, "threads are left");
  systole_product_free(&p);
}

Test(card, a_unit_is_had_once_and_then_again) {
  systole_device *first = open_device(xrt_name(models[0], ""));
  systole_device *second = open_device(xrt_name(models[0], "")), *third = NULL;
  cr_expect_eq(systole_device_open(&third, xrt_name(models[0], ""), NULL),
               SYSTOLE_ERR_NOT_FOUND);
  cr_expect_not_null(strstr(systole_last_error(), "already open"), "%s",
                     systole_last_error());
  cr_expect_eq(systole_device_open(&third, xrt_name(models[0], ":cu=systole_1"), NULL),
               SYSTOLE_ERR_NOT_FOUND);
  systole_device_close(first);
  third = open_device(xrt_name(models[0], ":cu=systole_1"));
  systole_product p = systole_product_make(40, 40, 40, 0, 8, SYSTOLE_VALUES_EXTREME);
  (void)multiply(third, &p);
  (void)multiply(second, &p);
  systole_product_free(&p);
  systole_device_close(third);
  systole_device_close(second);
}

/* ---- memory --------------------------------------------------------------------------
 */

/* Gigabytes of the card's memory are had, in the bank of the port, and cost nothing. */
Test(card, memory_is_as_large_as_the_cards) {
  systole_card *card = open_card("");
  uint64_t blocks[16] = {0};
  int count = 0;
  const uint64_t size = UINT64_C(1) << 30;
  while (count < 15 && systole_card_xrt.alloc(card, SYSTOLE_PORT_GMEM0, size,
                                              &blocks[count]) == SYSTOLE_OK) {
    count++;
  }
  cr_expect_eq(count, 15, "%s", systole_last_error());
  uint64_t sent = UINT64_C(0x1122334455667788), got = 0;
  for (int i = 0; i < count; i++) {
    const uint64_t at = blocks[i] + size - sizeof sent;
    sent += (uint64_t)i;
    cr_assert_eq(systole_card_xrt.write(card, SYSTOLE_PORT_GMEM0, at, &sent, sizeof sent),
                 SYSTOLE_OK, "%s", systole_last_error());
    cr_assert_eq(systole_card_xrt.read(card, SYSTOLE_PORT_GMEM0, at, &got, sizeof got),
                 SYSTOLE_OK);
    cr_expect_eq(got, sent);
  }
  cr_expect_eq(systole_card_xrt.read(card, SYSTOLE_PORT_GMEM1, blocks[0], &got, 1),
               SYSTOLE_ERR_ARGUMENT, "that is the other port's");
  uint64_t more = 1;
  cr_expect_eq(systole_card_xrt.alloc(card, SYSTOLE_PORT_GMEM0, 2 * size, &more),
               SYSTOLE_ERR_DEVICE_MEMORY);
  cr_expect_eq(more, 0);
  cr_expect_not_null(strstr(systole_last_error(), "DDR[0]"), "%s", systole_last_error());
  systole_card_xrt.free(card, SYSTOLE_PORT_GMEM0, blocks[3]);
  cr_expect_eq(systole_card_xrt.alloc(card, SYSTOLE_PORT_GMEM0, size, &more), SYSTOLE_OK);
  systole_card_xrt.free(card, SYSTOLE_PORT_GMEM0, 0);
  systole_card_xrt.close(card);
}

/* ---- runs that are abandoned ---------------------------------------------------------
 */

static int stop_soon(void *user, uint64_t done, uint64_t total) {
  (void)done;
  (void)total;
  return ++*(int *)user > 1;
}

/* A product of seconds, interrupted; the same handle is good afterwards. */
Test(card, an_interrupted_run_leaves_the_device_usable) {
  systole_device *device = open_device(xrt_name(models[0], ""));
  systole_product big =
      systole_product_make(2000, 1500, 1500, 0, 2, SYSTOLE_VALUES_SPARSE);
  systole_product small = systole_product_make(33, 21, 47, 0, 2, SYSTOLE_VALUES_RANDOM);
  int calls = 0;
  systole_device_set_progress(device, stop_soon, &calls);
  cr_expect_eq(systole_gemm_s8(device, big.m, big.n, big.k, big.a, big.lda, big.b,
                               big.ldb, big.c, big.ldc, NULL),
               SYSTOLE_ERR_INTERRUPTED, "%s", systole_last_error());
  systole_device_set_progress(device, NULL, NULL);
  (void)multiply(device, &small);
  systole_device_close(device);
  systole_product_free(&small);
  systole_product_free(&big);
}

/* An instruction stream of one MATMUL over and over, for runs of any length. */
typedef struct stream {
  systole_card *card;
  systole_launch launch;
} stream;

static stream make_stream(systole_card *card, const void *program, uint32_t count) {
  stream s = {card, {0, 0, 0, count}};
  const uint64_t bytes = (uint64_t)count * SYSTOLE_INSTRUCTION_BYTES;
  cr_assert_eq(systole_card_xrt.alloc(card, SYSTOLE_PORT_GMEM1, bytes, &s.launch.program),
               SYSTOLE_OK);
  cr_assert_eq(
      systole_card_xrt.alloc(card, SYSTOLE_PORT_GMEM1, 1 << 16, &s.launch.weights),
      SYSTOLE_OK);
  cr_assert_eq(
      systole_card_xrt.alloc(card, SYSTOLE_PORT_GMEM0, 1 << 16, &s.launch.activations),
      SYSTOLE_OK);
  cr_assert_eq(
      systole_card_xrt.write(card, SYSTOLE_PORT_GMEM1, s.launch.program, program, bytes),
      SYSTOLE_OK);
  return s;
}

static const uint8_t kEnd[SYSTOLE_INSTRUCTION_BYTES] = {SYSTOLE_ISA_VERSION,
                                                        SYSTOLE_OP_END};

/* Many LOADs of many rows, to have a run that is still going. Returns the count. */
static uint32_t fill_long(uint8_t *program, uint32_t count) {
  memset(program, 0, (size_t)count * SYSTOLE_INSTRUCTION_BYTES);
  for (uint32_t i = 0; i + 1 < count; i++) {
    uint8_t *at = program + (size_t)i * SYSTOLE_INSTRUCTION_BYTES;
    at[0] = SYSTOLE_ISA_VERSION;
    at[1] = SYSTOLE_OP_LOAD;
    at[SYSTOLE_COPY_ROWS_LSB / 8] = 0xFF; /* 255 rows */
    at[SYSTOLE_COPY_LINES_LSB / 8] = 16;  /* the same again and again */
    at[SYSTOLE_COPY_BLOCKS_LSB / 8] = 1;
  }
  memcpy(program + (size_t)(count - 1) * SYSTOLE_INSTRUCTION_BYTES, kEnd, sizeof kEnd);
  return count;
}

static void run_to_end(stream *s) {
  int done = 0;
  cr_assert_eq(systole_card_xrt.start(s->card, &s->launch), SYSTOLE_OK, "%s",
               systole_last_error());
  while (!done) {
    cr_assert_eq(systole_card_xrt.wait(s->card, 100, &done), SYSTOLE_OK, "%s",
                 systole_last_error());
  }
}

static uint32_t reg(systole_card *card, uint32_t offset) {
  uint32_t value = 0;
  cr_assert_eq(systole_card_xrt.read_register(card, offset, &value), SYSTOLE_OK, "%s",
               systole_last_error());
  return value;
}

Test(card, registers_can_be_read_while_a_run_is_going) {
  enum { COUNT = 4000 };
  uint8_t *program = malloc((size_t)COUNT * SYSTOLE_INSTRUCTION_BYTES);
  systole_card *card = open_card("");
  stream s = make_stream(card, program, fill_long(program, COUNT));
  int done = 0;
  cr_assert_eq(systole_card_xrt.start(card, &s.launch), SYSTOLE_OK);
  cr_assert_eq(systole_card_xrt.start(card, &s.launch), SYSTOLE_ERR_DEVICE,
               "one run at a time");
  cr_assert_eq(systole_card_xrt.wait(card, 20, &done), SYSTOLE_OK);
  cr_assert_eq(done, 0, "the stream is too short for this machine");
  const uint32_t early =
      reg(card, SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTER_INSTRUCTIONS);
  cr_expect_eq(reg(card, SYSTOLE_REG_CONTROL) & 6, 0, "neither done nor idle");
  cr_assert_eq(systole_card_xrt.wait(card, 20, &done), SYSTOLE_OK);
  const uint32_t later =
      reg(card, SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTER_INSTRUCTIONS);
  cr_expect_gt(later, early, "%u, then %u", early, later);
  cr_expect_eq(reg(card, SYSTOLE_REG_IDENTITY), SYSTOLE_IDENTITY_VALUE);
  /* Cut off: the kernel is reset, and runs again. */
  cr_assert_eq(systole_card_xrt.reset(card), SYSTOLE_OK, "%s", systole_last_error());
  cr_expect_eq(reg(card, SYSTOLE_REG_CONTROL) >> 2 & 1, 1, "idle");
  cr_assert_eq(systole_card_xrt.write(card, SYSTOLE_PORT_GMEM1, s.launch.program, kEnd,
                                      sizeof kEnd),
               SYSTOLE_OK);
  s.launch.instructions = 1;
  run_to_end(&s);
  cr_expect_eq(reg(card, SYSTOLE_REG_ERROR_CODE), 0);
  systole_card_xrt.close(card);
  free(program);
}

Test(card, closing_in_the_middle_of_a_run_ends_it) {
  enum { COUNT = 60000 }; /* minutes, if nobody ended them */
  uint8_t *program = malloc((size_t)COUNT * SYSTOLE_INSTRUCTION_BYTES);
  const double began = systole_wall_seconds();
  for (int i = 0; i < 5; i++) {
    systole_card *card = open_card(i % 2 ? ":cu=systole_2" : ":cu=systole_1");
    stream s = make_stream(card, program, fill_long(program, COUNT));
    cr_assert_eq(systole_card_xrt.start(card, &s.launch), SYSTOLE_OK);
    if (i > 2) (void)systole_card_xrt.wait(card, 5, &(int){0});
    systole_card_xrt.close(card);
  }
  cr_expect_lt(systole_wall_seconds() - began, 20.0);
  systole_card *card = open_card("");
  stream s = make_stream(card, kEnd, 1);
  run_to_end(&s);
  systole_card_xrt.close(card);
  free(program);
}

/* The kernel's errors arrive as through any card, and addresses outside the port's bank
 * are answered with an error by the memory. */
Test(card, errors_of_the_kernel_arrive) {
  uint8_t bad[SYSTOLE_INSTRUCTION_BYTES] = {SYSTOLE_ISA_VERSION, 77};
  systole_card *card = open_card("");
  stream s = make_stream(card, bad, 1);
  run_to_end(&s);
  cr_expect_eq(reg(card, SYSTOLE_REG_ERROR_CODE) & 0xFF, SYSTOLE_ERROR_OPCODE);
  cr_expect_eq(reg(card, SYSTOLE_REG_ERROR_DETAIL), 77);

  uint8_t *program = calloc(2, SYSTOLE_INSTRUCTION_BYTES);
  (void)fill_long(program, 2);
  program[SYSTOLE_COPY_OFFSET_LSB / 8 + 5] = 0x40; /* 64 TiB further */
  stream far = make_stream(card, program, 2);
  run_to_end(&far);
  cr_expect_eq(reg(card, SYSTOLE_REG_ERROR_CODE) & 0xFF, SYSTOLE_ERROR_DECODE);

  stream good = make_stream(card, kEnd, 1);
  run_to_end(&good);
  cr_expect_eq(reg(card, SYSTOLE_REG_ERROR_CODE), 0);
  free(program);
  systole_card_xrt.close(card);
}

/* Programs are found behind the start of a buffer, too. */
Test(card, a_program_may_lie_inside_a_buffer) {
  systole_card *card = open_card("");
  uint8_t program[4 * SYSTOLE_INSTRUCTION_BYTES] = {0};
  memcpy(program + 3 * SYSTOLE_INSTRUCTION_BYTES, kEnd, sizeof kEnd);
  stream s = make_stream(card, program, 4);
  s.launch.program += 3 * SYSTOLE_INSTRUCTION_BYTES;
  s.launch.instructions = 1;
  for (int i = 0; i < 3; i++) run_to_end(&s);
  cr_expect_eq(reg(card, SYSTOLE_REG_ERROR_CODE), 0);
  s.launch.program = 64;
  cr_expect_eq(systole_card_xrt.start(card, &s.launch), SYSTOLE_ERR_ARGUMENT);
  systole_card_xrt.close(card);
}

/* ---- processes that end --------------------------------------------------------------
 */

typedef enum ending { ENDING_RETURN, ENDING_RUNNING, ENDING_KILLED } ending;

/* In a process of its own: opens, perhaps runs, and ends without closing. */
static int end_process(ending how) {
  int ready[2], status = 0;
  char byte;
  cr_assert_eq(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    enum { COUNT = 60000 };
    uint8_t *program = malloc((size_t)COUNT * SYSTOLE_INSTRUCTION_BYTES);
    systole_card *card = open_card("");
    stream s = make_stream(card, program, fill_long(program, COUNT));
    if (how != ENDING_RETURN) {
      int done = 0;
      cr_assert_eq(systole_card_xrt.start(card, &s.launch), SYSTOLE_OK);
      (void)systole_card_xrt.wait(card, 10, &done);
    }
    free(program);
    (void)!write(ready[1], "x", 1);
    if (how == ENDING_KILLED) pause();
    exit(0);
  }
  cr_assert_eq(read(ready[0], &byte, 1), 1);
  if (how == ENDING_KILLED) kill(child, SIGKILL);
  const double until = systole_wall_seconds() + 20;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (systole_wall_seconds() > until) {
      kill(child, SIGKILL);
      (void)waitpid(child, &status, 0);
      cr_assert_fail("the process hangs at its end");
    }
    const struct timespec moment = {0, 5000000};
    nanosleep(&moment, NULL);
  }
  close(ready[0]);
  close(ready[1]);
  return status;
}

Test(card, a_process_may_end_with_a_device_open) {
  for (int i = 0; i < 3; i++) {
    const int status = end_process(ENDING_RETURN);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
  }
}

Test(card, a_process_may_end_in_the_middle_of_a_run) {
  for (int i = 0; i < 3; i++) {
    const int status = end_process(ENDING_RUNNING);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
  }
}

Test(card, a_killed_process_leaves_nothing_behind) {
  const int status = end_process(ENDING_KILLED);
  cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status 0x%x", status);
  systole_card *card = open_card("");
  stream s = make_stream(card, kEnd, 1);
  run_to_end(&s);
  systole_card_xrt.close(card);
}
