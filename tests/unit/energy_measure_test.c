/* Windows of rest and work on a made-up machine whose counters a thread advances, and
 * what an amount of energy means. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "made_machine.h"
#include "support/clock.h"
#include "systole/energy.h"

#define ZONE "/sys/class/powercap/intel-rapl:0/"

/* ---- a package that takes 10 W at rest and 30 W at work --------------------------- */

static systole_made m;
static pthread_t thread;
static atomic_int stop, at_work;
static int works; /* calls of the work */
static uint64_t range = 262143328850ull;

static void *draw(void *argument) {
  char path[160], text[32];
  double joules = 1;
  (void)argument;
  snprintf(path, sizeof path, "%s" ZONE "energy_uj", m.root);
  const int fd = open(path, O_WRONLY); /* in place: a reader never finds half of it */
  double then = systole_wall_seconds();
  while (!atomic_load(&stop)) {
    systole_made_wait_ms(1);
    const double now = systole_wall_seconds();
    joules += (now - then) * (atomic_load(&at_work) ? 30 : 10);
    then = now;
    const uint64_t value = (uint64_t)(1e6 * joules) % range;
    const int length =
        snprintf(text, sizeof text, "%012llu\n", (unsigned long long)value);
    if (pwrite(fd, text, (size_t)length, 0) != length) break;
  }
  close(fd);
  return NULL;
}

static void make(void) {
  m = systole_made_new();
  setenv("SYSTOLE_ROOT", m.root, 1);
}

static void start(void) {
  systole_made_put(&m, ZONE "name", "package-0\n");
  systole_made_put(&m, ZONE "energy_uj", "000001000000\n");
  systole_made_number(&m, ZONE "max_energy_range_uj", (long long)range);
  cr_assert_eq(pthread_create(&thread, NULL, draw, NULL), 0);
}

static void finish(void) {
  atomic_store(&stop, 1);
  pthread_join(thread, NULL);
}

static void clean(void) { systole_made_remove(&m); }
TestSuite(measure, .init = make, .fini = clean, .timeout = 60);

static systole_status work_10_ms(void *user) {
  (void)user;
  works++;
  atomic_store(&at_work, 1);
  systole_made_wait_ms(10);
  atomic_store(&at_work, 0);
  return SYSTOLE_OK;
}

Test(measure, tells_total_and_incremental_of_short_work) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  start();
  options.window_s = 0.2;
  options.windows = 5;
  cr_assert_eq(systole_energy_measure(&r, &options, work_10_ms, NULL), SYSTOLE_OK, "%s",
               systole_last_error());
  finish();
  cr_expect_str_eq(r.source, "powercap: package-0");
  cr_expect_str_eq(r.why, "");
  cr_expect_eq(r.windows, 5);
  cr_expect_eq(r.runs, (uint64_t)works - 1, "the first warms up");
  cr_expect_geq(r.runs, 50u, "a run of 10 ms is repeated for 0.2 s, five times");
  cr_expect_float_eq(r.step_s, 0.001, 1e-9);
  cr_expect_geq(r.idle_s, 1.0);
  cr_expect_geq(r.busy_s, 1.0);
  cr_expect_eq(r.idle_w.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(r.idle_w.nominal, 10, 2, "%g W", r.idle_w.nominal);
  cr_expect_float_eq(r.power_w.nominal, 30, 4, "%g W", r.power_w.nominal);
  cr_expect_float_eq(r.incremental_w.nominal, 20, 4, "%g W", r.incremental_w.nominal);
  const double run_s = r.busy_s / (double)r.runs;
  cr_expect_float_eq(r.energy_j.nominal, 30 * run_s, 6 * run_s);
  cr_expect_float_eq(r.incremental_j.nominal, 20 * run_s, 6 * run_s);
  const systole_bounds *const all[] = {&r.idle_w, &r.power_w, &r.incremental_w,
                                       &r.energy_j, &r.incremental_j};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    cr_expect_eq(all[i]->kind, SYSTOLE_KIND_MEASURED);
    cr_expect_lt(all[i]->low, all[i]->nominal);
    cr_expect_lt(all[i]->nominal, all[i]->high);
  }
  cr_expect_leq(r.spread_low_j, r.energy_j.nominal);
  cr_expect_geq(r.spread_high_j, r.energy_j.nominal);
  cr_expect_lt(r.energy_j.low, r.spread_low_j, "the bounds hold the spread");
  cr_expect_gt(r.energy_j.high, r.spread_high_j);
}

/* A counter of 1 J starts again every few dozen milliseconds. */
Test(measure, follows_a_counter_that_starts_again) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  range = 1000000;
  start();
  options.window_s = 0.3;
  options.windows = 1;
  cr_assert_eq(systole_energy_measure(&r, &options, work_10_ms, NULL), SYSTOLE_OK);
  finish();
  cr_expect_float_eq(r.power_w.nominal, 30, 4, "%g W", r.power_w.nominal);
  cr_expect_gt(r.busy_s * r.power_w.nominal, 3.0, "it turned several times");
}

/* One run longer than any window, and a window shorter than the source's resolution. */
Test(measure, lengthens_windows_to_the_source) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  start();
  options.window_s = 0.000001;
  options.windows = 2;
  cr_assert_eq(systole_energy_measure(&r, &options, work_10_ms, NULL), SYSTOLE_OK);
  finish();
  cr_expect_eq(r.power_w.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_geq(r.window_s, 0.02);
  cr_expect_geq(r.busy_s, 0.04);
  cr_expect_geq(r.idle_s, 0.04);
}

static systole_status long_work(void *user) {
  (void)user;
  atomic_store(&at_work, 1);
  systole_made_wait_ms(150);
  atomic_store(&at_work, 0);
  return SYSTOLE_OK;
}

Test(measure, runs_long_work_once_a_window) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  start();
  options.window_s = 0.05;
  options.windows = 2;
  cr_assert_eq(systole_energy_measure(&r, &options, long_work, NULL), SYSTOLE_OK);
  finish();
  cr_expect_eq(r.runs, 2u);
  cr_expect_float_eq(r.energy_j.nominal, 4.5, 0.9, "%g J", r.energy_j.nominal);
}

/* The bounds of a difference are as if both were wrong in opposite directions. */
Test(measure, adds_the_bounds_of_a_difference) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  start();
  options.window_s = 0.1;
  options.windows = 1;
  cr_assert_eq(systole_energy_measure(&r, &options, work_10_ms, NULL), SYSTOLE_OK);
  finish();
  cr_expect_float_eq(r.incremental_w.low, r.power_w.low - r.idle_w.high, 1e-9);
  cr_expect_float_eq(r.incremental_w.high, r.power_w.high - r.idle_w.low, 1e-9);
  cr_expect_float_eq(r.spread_low_j, r.spread_high_j, 1e-12, "one window has no spread");
}

static systole_status vanishing_work(void *user) {
  if (++works == 3) systole_made_unlink(&m, ZONE "energy_uj");
  (void)user;
  const double until = systole_cpu_seconds() + 0.01;
  volatile unsigned x = 1;
  while (systole_cpu_seconds() < until) x = x * 3 + 1;
  return SYSTOLE_OK;
}

Test(measure, a_counter_that_vanishes_leaves_the_model) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  start();
  options.window_s = 0.1;
  cr_assert_eq(systole_energy_measure(&r, &options, vanishing_work, NULL), SYSTOLE_OK);
  finish();
  cr_expect_eq(r.energy_j.kind, SYSTOLE_KIND_MODELLED);
  cr_expect_eq(strncmp(r.source, "model: ", 7), 0, "%s", r.source);
  cr_expect_not_null(
      strstr(r.why, "powercap: package-0 could not be read at work in window 1 of 3"),
      "%s", r.why);
  cr_expect_eq(r.idle_w.kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_eq(r.incremental_j.kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_gt(r.energy_j.nominal, 0);
  cr_expect_gt(r.energy_j.high, 1.5 * r.energy_j.nominal);
}

Test(measure, without_a_source_models_and_says_so) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  options.window_s = 0.05;
  options.windows = 2;
  const double began = systole_wall_seconds();
  works = 10;
  cr_assert_eq(systole_energy_measure(&r, &options, vanishing_work, NULL), SYSTOLE_OK);
  cr_expect_lt(systole_wall_seconds() - began, 5.0);
  cr_expect_eq(r.energy_j.kind, SYSTOLE_KIND_MODELLED);
  cr_expect_eq(r.idle_s, 0.0, "there is nothing to learn from rest");
  cr_expect_eq(r.step_s, 0.0);
  cr_expect_not_null(strstr(r.why, "powercap: "), "%s", r.why);
}

/* A battery's windows are a minute; who did not ask for them does not wait for them. */
Test(measure, a_coarse_source_is_used_when_time_is_given) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  systole_made_put(&m, "/sys/class/power_supply/BAT0/type", "Battery\n");
  systole_made_put(&m, "/sys/class/power_supply/BAT0/status", "Discharging\n");
  systole_made_put(&m, "/sys/class/power_supply/BAT0/power_now", "9000000\n");
  options.window_s = 0.05;
  options.windows = 1;
  works = 10;
  cr_assert_eq(systole_energy_measure(&r, &options, vanishing_work, NULL), SYSTOLE_OK);
  cr_expect_eq(r.energy_j.kind, SYSTOLE_KIND_MODELLED);
  cr_expect_not_null(strstr(r.why, "BAT0, the whole machine needs windows of 60 s"), "%s",
                     r.why);
}

static systole_status failing_work(void *user) {
  (void)user;
  return ++works > 2 ? SYSTOLE_ERR_DEVICE : SYSTOLE_OK;
}

static int asked(void *user) {
  (void)user;
  return works > 1;
}

Test(measure, ends_early_with_the_reason) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  options.window_s = 0.05;
  cr_expect_eq(systole_energy_measure(&r, &options, failing_work, NULL),
               SYSTOLE_ERR_DEVICE);
  cr_expect_eq(r.runs, 0u, "a failure leaves nothing half-told");
  works = 0;
  options.asked_to_stop = asked;
  cr_expect_eq(systole_energy_measure(&r, &options, work_10_ms, NULL),
               SYSTOLE_ERR_INTERRUPTED);
  cr_expect_leq(works, 3);
}

Test(measure, refuses_what_makes_no_sense) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report r;
  cr_expect_eq(systole_energy_measure(&r, &options, NULL, NULL), SYSTOLE_ERR_ARGUMENT);
  cr_expect_eq(systole_energy_measure(NULL, &options, work_10_ms, NULL),
               SYSTOLE_ERR_ARGUMENT);
  options.window_s = NAN;
  cr_expect_eq(systole_energy_measure(&r, &options, work_10_ms, NULL),
               SYSTOLE_ERR_ARGUMENT);
  options.window_s = -1;
  cr_expect_eq(systole_energy_measure(&r, &options, work_10_ms, NULL),
               SYSTOLE_ERR_ARGUMENT);
  options.window_s = 0.1;
  options.windows = 1001;
  cr_expect_eq(systole_energy_measure(&r, &options, work_10_ms, NULL),
               SYSTOLE_ERR_ARGUMENT);
  options.windows = 1;
  options.of = (systole_energy_of)17;
  cr_expect_eq(systole_energy_measure(&r, &options, work_10_ms, NULL),
               SYSTOLE_ERR_ARGUMENT);
  options.of = SYSTOLE_ENERGY_OF_GPU;
  cr_expect_eq(systole_energy_measure(&r, &options, work_10_ms, NULL),
               SYSTOLE_ERR_NOT_FOUND);
  cr_expect_not_null(strstr(systole_last_error(), "nvml: "), "%s", systole_last_error());
  cr_expect_eq(works, 0, "refused before any work");
}

/* ---- doctor's list ---------------------------------------------------------------- */

static const systole_energy_source *named(const systole_energy_source *list, size_t count,
                                          const char *name, const char *of) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(list[i].name, name) == 0 && strcmp(list[i].of, of) == 0) return &list[i];
  }
  cr_assert(0, "no %s of %s", name, of);
  return NULL;
}

Test(measure, lists_what_is_there_and_what_to_do) {
  systole_energy_source *list = NULL;
  size_t count = 0;
  systole_made_put(&m, ZONE "name", "package-0\n");
  systole_made_put(&m, ZONE "energy_uj/file", "");
  systole_made_put(&m, "/sys/class/hwmon/hwmon0/name", "amdgpu\n");
  systole_made_put(&m, "/sys/class/hwmon/hwmon0/power1_average", "31000000\n");
  systole_made_put(&m, "/sys/class/power_supply/BAT0/type", "Battery\n");
  systole_made_put(&m, "/sys/class/power_supply/BAT0/status", "Charging\n");
  cr_assert_eq(systole_energy_source_list(&list, &count), SYSTOLE_OK);
  const systole_energy_source *s = named(list, count, "powercap", "CPU");
  cr_expect(s->there && !s->usable);
  cr_expect_not_null(strstr(s->remedy, "chmod"), "%s", s->remedy);
  s = named(list, count, "hwmon", "CPU");
  cr_expect(!s->there && !s->usable);
  s = named(list, count, "hwmon", "GPU");
  cr_expect(s->there && s->usable, "%s", s->found);
  s = named(list, count, "battery", "machine");
  cr_expect(s->there && !s->usable);
  cr_expect_str_eq(s->remedy, "pull the mains plug");
  s = named(list, count, "nvml", "GPU");
  cr_expect(!s->usable);
  cr_expect_gt(strlen(s->found), 10u);
  s = named(list, count, "model", "CPU");
  cr_expect(s->usable);
  for (size_t i = 0; i < count; i++) cr_expect_gt(strlen(list[i].found), 10u);
  systole_energy_source_list_free(list);
  systole_energy_source_list_free(NULL);
}

/* ---- what it means ---------------------------------------------------------------- */

Test(meaning, landauer) {
  /* k T ln 2 at 300 K is 2.87098e-21 J; 32 bits of it for one MAC. */
  cr_expect_float_eq(systole_energy_landauer_j(1), 32 * 2.87098e-21, 1e-24);
  cr_expect_float_eq(systole_energy_landauer_j(1000000), 1e6 * 32 * 2.87098e-21, 1e-18);
  const systole_bounds pj = {SYSTOLE_KIND_MODELLED, 0.5e-12, 1e-12, 2e-12};
  const systole_bounds t = systole_energy_landauer_times(&pj, 1);
  cr_expect_eq(t.kind, SYSTOLE_KIND_MODELLED);
  cr_expect_float_eq(t.nominal, 1.0885e7, 1e4, "%g", t.nominal);
  cr_expect_float_eq(t.low, 0.5 * t.nominal, 1);
  cr_expect_float_eq(t.high, 2 * t.nominal, 1);
  cr_expect_eq(systole_energy_landauer_times(&pj, 0).kind, SYSTOLE_KIND_UNKNOWN);
  const systole_bounds none = {SYSTOLE_KIND_UNKNOWN, 1, 1, 1};
  cr_expect_eq(systole_energy_landauer_times(&none, 5).kind, SYSTOLE_KIND_UNKNOWN);
}

Test(meaning, kilowatt_hours) {
  const systole_bounds j = {SYSTOLE_KIND_MEASURED, 3600, 7200, 36000};
  const systole_bounds k = systole_energy_kwh_per_thousand(&j);
  cr_expect_eq(k.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(k.low, 1, 1e-12);
  cr_expect_float_eq(k.nominal, 2, 1e-12);
  cr_expect_float_eq(k.high, 10, 1e-12);
  const systole_bounds none = {SYSTOLE_KIND_UNKNOWN, 1, 1, 1};
  cr_expect_eq(systole_energy_kwh_per_thousand(&none).kind, SYSTOLE_KIND_UNKNOWN);
}
