/* Waveforms: written when asked for, complete, with the window that was asked for; and a
 * sentence when they cannot be. They are read with the reader of the format's own
 * library. */
/* mkstemp, setenv. */
#define _POSIX_C_SOURCE 200809L
#include <criterion/criterion.h>
#include <errno.h>
#include <fstapi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "card/systole_isa.h"
#include "job.h"

static const char *const models[] = {COSIM_MODELS};

/* A model whose waveform outgrows the buffers of the file's writer: rtl:16 if it is
 * built. */
static const char *wide_model(void) {
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
    if (strcmp(models[i], "16") == 0) return models[i];
  }
  return models[0];
}

/* What a waveform says of the clock and of one result. */
typedef struct wave {
  fstHandle clock, interrupt;
  uint64_t rises, changes, first, last, interrupts;
  uint64_t variables;
} wave;

static void on_change(void *user, uint64_t time, fstHandle handle,
                      const unsigned char *value) {
  wave *w = user;
  if (w->changes++ == 0) w->first = time;
  w->last = time;
  if (handle == w->clock) w->rises += value[0] == '1';
  if (handle == w->interrupt) w->interrupts += value[0] == '1';
}

static wave read_wave(const char *path) {
  wave w = {0};
  struct fstHier *hier;
  int depth = 0;
  void *reader = fstReaderOpen(path);
  cr_assert_not_null(reader, "%s is no waveform", path);
  while ((hier = fstReaderIterateHier(reader))) {
    if (hier->htyp == FST_HT_SCOPE) depth++;
    if (hier->htyp == FST_HT_UPSCOPE) depth--;
    if (hier->htyp != FST_HT_VAR || depth > 2) continue;
    if (!strcmp(hier->u.var.name, "ap_clk")) w.clock = hier->u.var.handle;
    if (!strcmp(hier->u.var.name, "interrupt")) w.interrupt = hier->u.var.handle;
  }
  w.variables = fstReaderGetVarCount(reader);
  fstReaderSetFacProcessMaskAll(reader);
  cr_assert(fstReaderIterBlocks(reader, on_change, &w, NULL));
  fstReaderClose(reader);
  cr_assert(w.clock && w.interrupt, "ap_clk and interrupt are in the waveform");
  return w;
}

static void temporary_path(char *path, size_t bytes) {
  const char *folder = getenv("TMPDIR");
  (void)snprintf(path, bytes, "%s/systole_wave_XXXXXX", folder ? folder : "/tmp");
  const int file = mkstemp(path);
  cr_assert_geq(file, 0);
  close(file);
}

Test(waveform, holds_every_cycle_of_every_run) {
  char path[256];
  systole_device_options options = job_options();
  temporary_path(path, sizeof path);
  options.trace_path = path;
  job j = job_open(models[0], &options, 20, 3, 1);
  cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
  job_expect_right(&j);
  const uint64_t cycles = job_counter(&j, SYSTOLE_COUNTER_CYCLES);
  cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
  job_expect_right(&j);
  job_close(&j);
  const wave w = read_wave(path);
  cr_expect_geq(w.rises, 2 * cycles);
  cr_expect_leq(w.rises, 2 * cycles + 200,
                "two runs and their register accesses, no more");
  cr_expect_eq(w.interrupts, 2);
  cr_expect_gt(w.variables, 500);
  cr_expect_gt(w.changes, 10 * cycles);
  (void)unlink(path);
}

Test(waveform, time_is_that_of_the_assumed_clock) {
  char path[256];
  systole_device_options options = job_options();
  temporary_path(path, sizeof path);
  options.trace_path = path;
  options.clock_mhz = 100.0; /* 10 ns a cycle, unit 1 ps */
  job j = job_open(models[0], &options, 20, 3, 1);
  cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
  job_close(&j);
  const wave w = read_wave(path);
  cr_expect_leq(w.last - w.first, w.rises * 10000);
  cr_expect_geq(w.last - w.first, (w.rises - 2) * 10000);
  (void)unlink(path);
}

Test(waveform, window_of_the_first_run) {
  char path[256];
  systole_device_options options = job_options();
  temporary_path(path, sizeof path);
  options.trace_path = path;
  options.trace_first_cycle = 150;
  options.trace_cycles = 64;
  job j = job_open(models[0], &options, 20, 3, 1);
  for (int run = 0; run < 2; run++) {
    cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
    job_expect_right(&j);
  }
  job_close(&j);
  const wave w = read_wave(path);
  cr_expect_eq(w.rises, 64);
  (void)unlink(path);
}

Test(waveform, does_not_change_the_run) {
  char path[256];
  systole_device_options options = job_options();
  temporary_path(path, sizeof path);
  job plain = job_open(models[0], &options, 60, 5, 2);
  options.trace_path = path;
  job traced = job_open(models[0], &options, 60, 5, 2);
  cr_assert_eq(job_run(&plain), SYSTOLE_OK, "%s", systole_last_error());
  cr_assert_eq(job_run(&traced), SYSTOLE_OK, "%s", systole_last_error());
  job_expect_right(&traced);
  for (int c = 0; c < SYSTOLE_COUNTERS; c++) {
    cr_expect_eq(job_counter(&plain, c), job_counter(&traced, c), "counter %d", c);
  }
  job_close(&plain);
  job_close(&traced);
  (void)unlink(path);
}

Test(waveform, of_two_devices_at_once) {
  char path[2][256];
  job j[2];
  for (int d = 0; d < 2; d++) {
    systole_device_options options = job_options();
    temporary_path(path[d], sizeof path[d]);
    options.trace_path = path[d];
    j[d] = job_open(models[0], &options, 20, 3 + (uint32_t)d, 1);
    job_start(&j[d]);
  }
  for (int left = 2, done[2] = {0, 0}; left;) {
    for (int d = 0; d < 2; d++) {
      if (done[d]) continue;
      cr_assert_eq(systole_card_rtl.wait(j[d].card, 0, &done[d]), SYSTOLE_OK, "%s",
                   systole_last_error());
      left -= done[d];
    }
  }
  for (int d = 0; d < 2; d++) {
    const uint64_t cycles = job_counter(&j[d], SYSTOLE_COUNTER_CYCLES);
    job_close(&j[d]);
    const wave w = read_wave(path[d]);
    cr_expect_geq(w.rises, cycles);
    cr_expect_leq(w.rises, cycles + 100);
    (void)unlink(path[d]);
  }
}

Test(waveform, none_is_written_unasked) {
  char path[256];
  struct stat info;
  systole_device_options options = job_options();
  temporary_path(path, sizeof path);
  job j = job_open(models[0], &options, 20, 3, 1);
  cr_assert_eq(job_run(&j), SYSTOLE_OK, "%s", systole_last_error());
  job_close(&j);
  cr_assert_eq(stat(path, &info), 0);
  cr_expect_eq(info.st_size, 0);
  (void)unlink(path);
}

/* A limit on the size of files stands for a full disk. It also holds for the writer's
 * temporary files, which need less than a mebibyte; the waveform is about three. */
Test(waveform, a_full_disk_is_noticed_when_the_run_ends) {
  char path[256];
  const struct rlimit limit = {1 << 20, 1 << 20};
  systole_device_options options = job_options();
  temporary_path(path, sizeof path);
  options.trace_path = path;
  job j = job_open(wide_model(), &options, 512, 60, 1);
  (void)signal(SIGXFSZ, SIG_IGN);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  cr_expect_eq(job_run(&j), SYSTOLE_ERR_IO, "%s", systole_last_error());
  cr_expect_not_null(strstr(systole_last_error(), path), "%s", systole_last_error());
  job_close(&j);
  (void)unlink(path);
}

Test(waveform, places_that_cannot_be_written_are_refused_at_open) {
  static const char *const bad[] = {"/nonexistent/folder/wave.fst", "/", "/dev/full"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    systole_card *card = NULL;
    systole_device_options options = job_options();
    options.trace_path = bad[i];
    cr_expect_eq(systole_card_rtl.open(&card, models[0], &options), SYSTOLE_ERR_IO, "%s",
                 bad[i]);
    cr_expect_null(card);
    cr_expect_not_null(strstr(systole_last_error(), bad[i]), "%s", systole_last_error());
  }
}
