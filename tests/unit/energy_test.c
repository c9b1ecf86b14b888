/* Where figures of energy come from: counters in a made-up /sys, the model of the CPU,
 * the activity model of the accelerator, and the data files behind them. */
#define _GNU_SOURCE
#include "energy/energy.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "energy/sampler.h"
#include "support/clock.h"

/* ---- a made-up machine
 * ----------------------------------------------------------------- */

typedef struct machine {
  char root[64];
} machine;

static machine made(void) {
  machine m;
  snprintf(m.root, sizeof m.root, "/tmp/systole-energy-XXXXXX");
  cr_assert_not_null(mkdtemp(m.root));
  return m;
}

static void put(const machine *m, const char *path, const char *text) {
  char name[512];
  const int length = snprintf(name, sizeof name, "%s%s", m->root, path);
  cr_assert(length > 0 && length < (int)sizeof name);
  for (char *slash = strchr(name + strlen(m->root) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(name, 0755);
    *slash = '/';
  }
  FILE *file = fopen(name, "w");
  cr_assert_not_null(file, "%s", name);
  fputs(text, file);
  fclose(file);
}

static void removed(const machine *m) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", m->root);
  cr_assert_eq(system(command), 0);
}

#define POWERCAP "/sys/class/powercap/"
#define PERF "/sys/bus/event_source/devices/power/"

static void put_zone(const machine *m, const char *zone, const char *name,
                     const char *energy, const char *range) {
  char path[256];
  snprintf(path, sizeof path, POWERCAP "%s/name", zone);
  put(m, path, name);
  snprintf(path, sizeof path, POWERCAP "%s/energy_uj", zone);
  put(m, path, energy);
  snprintf(path, sizeof path, POWERCAP "%s/max_energy_range_uj", zone);
  put(m, path, range);
}

/* still_ms negative: the files of the made-up machine stand still unless a test moves
 * them. */
static systole_energy_meter *opened(const machine *m, int still_ms, int threads) {
  systole_energy_meter_options options = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  options.root = m->root;
  options.threads = threads;
  options.still_ms = still_ms;
  systole_energy_meter *meter = NULL;
  cr_assert_eq(systole_energy_meter_open(&meter, &options), SYSTOLE_OK);
  return meter;
}

static void wait_ms(int ms) {
  const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&t, NULL);
}

/* Works, so that the process has CPU time. */
static void work_ms(int ms) {
  const double until = systole_cpu_seconds() + ms * 1e-3;
  volatile unsigned x = 1;
  while (systole_cpu_seconds() < until) x = x * 3 + 1;
}

static void expect_ordered(const systole_bounds *b) {
  cr_expect_leq(b->low, b->nominal);
  cr_expect_leq(b->nominal, b->high);
}

static int starts(const char *text, const char *with) {
  return strncmp(text, with, strlen(with)) == 0;
}

/* ---- powercap
 * -------------------------------------------------------------------------- */

Test(powercap, adds_packages_and_memory_and_nothing_twice) {
  const machine m = made();
  put_zone(&m, "intel-rapl:0", "package-0\n", "1000000\n", "262143328850\n");
  put_zone(&m, "intel-rapl:0:0", "core\n", "900000\n", "262143328850\n");
  put_zone(&m, "intel-rapl:0:1", "dram\n", "500000\n", "65712999613\n");
  put_zone(&m, "intel-rapl:1", "package-1\n", "70\n", "262143328850\n");
  put_zone(&m, "intel-rapl:2", "psys\n", "5\n", "262143328850\n");
  put_zone(&m, "intel-rapl-mmio:0", "package-0\n", "1000000\n", "262143328850\n");
  systole_energy_meter *meter = opened(&m, -1, 1);
  cr_expect_str_eq(systole_energy_meter_source(meter),
                   "powercap: package-0 dram package-1");
  cr_expect_str_eq(systole_energy_meter_missing(meter), "");

  systole_energy_meter_begin(meter);
  const double start = systole_wall_seconds();
  wait_ms(50);
  put(&m, POWERCAP "intel-rapl:0/energy_uj", "3000000\n");   /* 2 J */
  put(&m, POWERCAP "intel-rapl:0:0/energy_uj", "9900000\n"); /* cores: in the package */
  put(&m, POWERCAP "intel-rapl:0:1/energy_uj", "750000\n");  /* 0.25 J */
  put(&m, POWERCAP "intel-rapl:1/energy_uj", "500070\n");    /* 0.5 J */
  put(&m, POWERCAP "intel-rapl:2/energy_uj", "99000000\n");  /* the whole platform */
  put(&m, POWERCAP "intel-rapl-mmio:0/energy_uj", "3000000\n");
  systole_bounds power, energy;
  systole_energy_meter_end(meter, &power, &energy);
  const double seconds = systole_wall_seconds() - start;
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(energy.nominal, 2.75, 1e-9, "%g J", energy.nominal);
  expect_ordered(&energy);
  cr_expect_lt(energy.low, energy.nominal, "a reading is never exact");
  cr_expect_eq(power.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(power.nominal, 2.75 / seconds, 0.02 * power.nominal);
  systole_energy_meter_close(meter);
  removed(&m);
}

Test(powercap, wraps_around) {
  const machine m = made();
  put_zone(&m, "intel-rapl:0", "package-0\n", "999000\n", "1000000\n");
  systole_energy_meter *meter = opened(&m, -1, 1);
  systole_energy_meter_begin(meter);
  wait_ms(30);
  put(&m, POWERCAP "intel-rapl:0/energy_uj", "4000\n");
  systole_bounds energy;
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(energy.nominal, 0.005, 1e-12, "%g J", energy.nominal);
  systole_energy_meter_close(meter);
  removed(&m);
}

/* Two turns of the counter in one span: seen because it is polled in between. */
Test(powercap, polls_so_that_no_turn_is_lost) {
  const machine m = made();
  put_zone(&m, "intel-rapl:0", "package-0\n", "900000\n", "1000000\n");
  systole_energy_meter *meter = opened(&m, -1, 1);
  systole_energy_meter_begin(meter);
  put(&m, POWERCAP "intel-rapl:0/energy_uj", "100000\n"); /* + 0.2 J */
  systole_energy_meter_poll(meter);
  put(&m, POWERCAP "intel-rapl:0/energy_uj", "950000\n"); /* + 0.85 J */
  systole_energy_meter_poll(meter);
  wait_ms(30);
  put(&m, POWERCAP "intel-rapl:0/energy_uj", "150000\n"); /* + 0.2 J */
  systole_bounds energy;
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_float_eq(energy.nominal, 1.25, 1e-9, "%g J", energy.nominal);
  systole_energy_meter_close(meter);
  removed(&m);
}

/* Without a known range a counter that goes back means nothing: the model answers. */
Test(powercap, does_not_guess_a_range) {
  const machine m = made();
  put_zone(&m, "intel-rapl:0", "package-0\n", "900000\n", "nonsense\n");
  systole_energy_meter *meter = opened(&m, -1, 1);
  systole_energy_meter_begin(meter);
  work_ms(30);
  put(&m, POWERCAP "intel-rapl:0/energy_uj", "100\n");
  systole_bounds energy;
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MODELLED);
  cr_expect(starts(systole_energy_meter_source(meter), "model:"));
  systole_energy_meter_close(meter);
  removed(&m);
}

Test(powercap, leaves_short_spans_to_the_model) {
  const machine m = made();
  put_zone(&m, "intel-rapl:0", "package-0\n", "1\n", "1000000\n");
  systole_energy_meter *meter = opened(&m, -1, 1);
  systole_bounds energy;
  systole_energy_meter_begin(meter);
  put(&m, POWERCAP "intel-rapl:0/energy_uj", "5000\n");
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MODELLED, "a millisecond's step decides this");
  systole_energy_meter_close(meter);
  removed(&m);
}

Test(powercap, a_counter_that_vanishes_is_no_reading) {
  const machine m = made();
  put_zone(&m, "intel-rapl:0", "package-0\n", "1\n", "1000000\n");
  systole_energy_meter *meter = opened(&m, -1, 1);
  char path[256];
  snprintf(path, sizeof path, "%s" POWERCAP "intel-rapl:0/energy_uj", m.root);
  systole_energy_meter_begin(meter);
  wait_ms(30);
  cr_assert_eq(unlink(path), 0);
  systole_bounds energy;
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MODELLED);
  systole_energy_meter_close(meter);
  removed(&m);
}

typedef struct mover {
  const machine *m;
  volatile int stop;
} mover;

static void *move(void *argument) {
  mover *self = argument;
  char path[256], text[32];
  snprintf(path, sizeof path, "%s" POWERCAP "intel-rapl:0/energy_uj", self->m->root);
  /* In place, so that a reader never finds an empty file. */
  const int fd = open(path, O_WRONLY);
  for (int value = 10000000; !self->stop; value += 1000) {
    const int length = snprintf(text, sizeof text, "%d\n", value);
    if (pwrite(fd, text, (size_t)length, 0) != length) break;
    wait_ms(1);
  }
  close(fd);
  return NULL;
}

Test(powercap, tells_a_living_counter_from_a_dead_one) {
  const machine m = made();
  put_zone(&m, "intel-rapl:0", "package-0\n", "10000000\n", "262143328850\n");
  systole_energy_meter *meter = opened(&m, 20, 1);
  cr_expect(starts(systole_energy_meter_source(meter), "model:"));
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "stand still"), "%s",
                     systole_energy_meter_missing(meter));
  systole_energy_meter_close(meter);

  mover alive = {&m, 0};
  pthread_t thread;
  cr_assert_eq(pthread_create(&thread, NULL, move, &alive), 0);
  meter = opened(&m, 5000, 1);
  cr_expect_str_eq(systole_energy_meter_source(meter), "powercap: package-0");
  systole_energy_meter_close(meter);
  alive.stop = 1;
  pthread_join(thread, NULL);
  removed(&m);
}

Test(powercap, absent) {
  const machine m = made();
  systole_energy_meter *meter = opened(&m, -1, 1);
  cr_expect(starts(systole_energy_meter_source(meter), "model:"));
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "powercap:"));
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "perf:"));
  systole_energy_meter_close(meter);

  /* The folder is there, as in most virtual machines, and holds no package. */
  put(&m, POWERCAP "dtpm/enabled", "0\n");
  meter = opened(&m, -1, 1);
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "has no package"), "%s",
                     systole_energy_meter_missing(meter));
  systole_energy_meter_close(meter);
  removed(&m);
}

/* energy_uj is root's alone since 2020 (CVE-2020-8694). The tests may run as root, whom
 * no mode stops: a folder in the file's place cannot be read by anyone. */
Test(powercap, unreadable) {
  const machine m = made();
  put(&m, POWERCAP "intel-rapl:0/name", "package-0\n");
  put(&m, POWERCAP "intel-rapl:0/max_energy_range_uj", "262143328850\n");
  put(&m, POWERCAP "intel-rapl:0/energy_uj/file", "");
  systole_energy_meter *meter = opened(&m, -1, 1);
  cr_expect(starts(systole_energy_meter_source(meter), "model:"));
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "cannot be read"), "%s",
                     systole_energy_meter_missing(meter));
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "chmod"), "what to do");
  systole_energy_meter_close(meter);

  put(&m, POWERCAP "intel-rapl:1/name", "package-1\n");
  put(&m, POWERCAP "intel-rapl:1/energy_uj", "");
  meter = opened(&m, -1, 1);
  cr_expect(starts(systole_energy_meter_source(meter), "model:"),
            "an empty file is no counter");
  systole_energy_meter_close(meter);
  put(&m, POWERCAP "intel-rapl:1/energy_uj", "-5\n");
  meter = opened(&m, -1, 1);
  cr_expect(starts(systole_energy_meter_source(meter), "model:"),
            "nor is a negative number");
  systole_energy_meter_close(meter);
  removed(&m);
}

/* ---- perf
 * ------------------------------------------------------------------------------ */

Test(perf, present_and_empty) {
  const machine m = made();
  put(&m, PERF "type", "14\n");
  put(&m, PERF "cpumask", "0\n");
  put(&m, PERF "events/.keep", "");
  systole_energy_meter *meter = opened(&m, -1, 1);
  cr_expect(starts(systole_energy_meter_source(meter), "model:"));
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "events/energy-pkg"),
                     "%s", systole_energy_meter_missing(meter));
  systole_energy_meter_close(meter);
  removed(&m);
}

Test(perf, what_is_not_understood_is_refused) {
  const machine m = made();
  put(&m, PERF "type", "2147483000\n"); /* a type that no kernel has */
  put(&m, PERF "cpumask", "0\n");
  put(&m, PERF "events/energy-pkg", "config=0x02\n");
  put(&m, PERF "events/energy-pkg.scale", "2.3283064365386962890625e-10\n");
  systole_energy_meter *meter = opened(&m, -1, 1);
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "not understood"));
  systole_energy_meter_close(meter);

  put(&m, PERF "events/energy-pkg", "event=0x02\n");
  put(&m, PERF "events/energy-pkg.scale", "zero\n");
  meter = opened(&m, -1, 1);
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "not a scale"));
  systole_energy_meter_close(meter);

  put(&m, PERF "events/energy-pkg.scale", "2.3283064365386962890625e-10\n");
  meter = opened(&m, -1, 1);
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "cannot be opened"),
                     "%s", systole_energy_meter_missing(meter));
  cr_expect(starts(systole_energy_meter_source(meter), "model:"));
  systole_energy_meter_close(meter);

  put(&m, PERF "cpumask", "\n");
  meter = opened(&m, -1, 1);
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "names no CPU"));
  systole_energy_meter_close(meter);
  removed(&m);
}

/* ---- the model of the CPU
 * -------------------------------------------------------------- */

static void put_cpu(const machine *m, const char *vendor, const char *family,
                    const char *name) {
  char text[512];
  snprintf(text, sizeof text,
           "processor\t: 0\nvendor_id\t: %s\ncpu family\t: %s\nmodel\t\t: 1\nmodel "
           "name\t: %s\n"
           "\nprocessor\t: 1\nvendor_id\t: Other\n",
           vendor, family, name);
  put(m, "/proc/cpuinfo", text);
}

static systole_bounds modelled(const machine *m, int threads, double *cpu_s) {
  systole_energy_meter *meter = opened(m, -1, threads);
  systole_bounds energy;
  const double before = systole_cpu_seconds();
  systole_energy_meter_begin(meter);
  work_ms(40);
  systole_energy_meter_end(meter, NULL, &energy);
  *cpu_s = systole_cpu_seconds() - before;
  systole_energy_meter_close(meter);
  return energy;
}

Test(model, known_cpu_gives_its_tdp_share) {
  const machine m = made();
  put_cpu(&m, "AuthenticAMD", "25", "AMD EPYC 7763 64-Core Processor");
  double cpu_s = 0;
  const systole_bounds e = modelled(&m, 1, &cpu_s);
  cr_expect_eq(e.kind, SYSTOLE_KIND_MODELLED);
  /* 280 W / 64 cores, as rounded in the data file */
  cr_expect_float_eq(e.nominal / cpu_s, 4.38, 0.3, "%g W", e.nominal / cpu_s);
  expect_ordered(&e);
  cr_expect_lt(e.low, e.nominal);
  cr_expect_lt(e.nominal, e.high);
  removed(&m);
}

Test(model, the_most_particular_line_decides) {
  const machine m = made();
  const struct {
    const char *vendor, *family, *name, *says;
  } cases[] = {
      {"AuthenticAMD", "25", "AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763:"},
      {"AuthenticAMD", "25", "AMD EPYC 7R13 Processor", "AMD family 25"},
      {"AuthenticAMD", "26", "AMD EPYC", "AMD family 26"},
      {"GenuineIntel", "6", "Intel(R) Xeon(R) Platinum 8280 CPU @ 2.70GHz", "8280"},
      {"GenuineIntel", "6", "Intel(R) Xeon(R) CPU @ 2.20GHz",
       "Intel Xeon of unknown model"},
      {"GenuineIntel", "6", "12th Gen Intel(R) Core(TM) i5-12400", "Intel Core"},
      {"AuthenticAMD", "99", "something new", "not in the table"},
      {"", "", "", "not in the table"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    put_cpu(&m, cases[i].vendor, cases[i].family, cases[i].name);
    systole_energy_meter *meter = opened(&m, -1, 1);
    cr_expect_not_null(strstr(systole_energy_meter_source(meter), cases[i].says),
                       "%s: %s", cases[i].name, systole_energy_meter_source(meter));
    systole_energy_meter_close(meter);
  }
  removed(&m);
}

Test(model, no_cpuinfo_still_has_bounds) {
  const machine m = made();
  double cpu_s = 0;
  const systole_bounds e = modelled(&m, 1, &cpu_s);
  cr_expect_eq(e.kind, SYSTOLE_KIND_MODELLED);
  cr_expect_gt(e.low, 0);
  expect_ordered(&e);
  removed(&m);
}

Test(model, an_idle_process_uses_nothing) {
  const machine m = made();
  systole_energy_meter *meter = opened(&m, -1, 4);
  systole_bounds power;
  systole_energy_meter_begin(meter);
  wait_ms(60);
  systole_energy_meter_end(meter, &power, NULL);
  cr_expect_eq(power.kind, SYSTOLE_KIND_MODELLED);
  cr_expect_lt(power.high, 10.0, "%g W while asleep", power.high);
  systole_energy_meter_close(meter);
  removed(&m);
}

Test(model, can_be_asked_for_alone) {
  const machine m = made();
  put_zone(&m, "intel-rapl:0", "package-0\n", "1\n", "1000000\n");
  systole_energy_meter_options options = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  options.root = m.root;
  options.still_ms = -1;
  options.model_only = 1;
  systole_energy_meter *meter = NULL;
  cr_assert_eq(systole_energy_meter_open(&meter, &options), SYSTOLE_OK);
  cr_expect(starts(systole_energy_meter_source(meter), "model:"));
  systole_energy_meter_close(meter);
  systole_energy_meter_close(NULL);
  removed(&m);
}

Test(meter, opens_on_this_machine) {
  systole_energy_meter *meter = NULL;
  cr_assert_eq(systole_energy_meter_open(&meter, NULL), SYSTOLE_OK);
  systole_bounds power, energy;
  systole_energy_meter_begin(meter);
  work_ms(60);
  systole_energy_meter_end(meter, &power, &energy);
  cr_expect_neq(energy.kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_gt(energy.nominal, 0);
  cr_expect_gt(power.nominal, 0);
  cr_expect_gt(strlen(systole_energy_meter_source(meter)), 0u);
  systole_energy_meter_close(meter);
}

Test(meter, bounds_of_a_reading_narrow_with_time) {
  const systole_sampler_span shorter = {0.05, 0}, longer = {5.0, 0},
                             too_short = {0.01, 0};
  const systole_bounds a = systole_sampler_measured(10, &shorter, SYSTOLE_SAMPLER_STEP_S);
  const systole_bounds b = systole_sampler_measured(10, &longer, SYSTOLE_SAMPLER_STEP_S);
  cr_expect_gt(a.high - a.low, b.high - b.low);
  cr_expect_eq(systole_sampler_measured(10, &too_short, SYSTOLE_SAMPLER_STEP_S).kind,
               SYSTOLE_KIND_UNKNOWN);
  cr_expect_eq(systole_sampler_measured(0, &longer, SYSTOLE_SAMPLER_STEP_S).kind,
               SYSTOLE_KIND_UNKNOWN);
}

/* ---- the accelerator's activity model
 * -------------------------------------------------- */

static const systole_geometry sixteen = {
    .dim = 16, .axi_bytes = 16, .ub_rows = 16384, .acc_rows = 2048, .weight_tiles = 16};

static systole_stats busy_run(void) {
  systole_stats s;
  memset(&s, 0, sizeof s);
  s.has_cycles = 1;
  s.cycles = 100000;
  s.clock_mhz = 300;
  s.seconds = 100000 / 300e6;
  s.memory = "ideal";
  s.ledger.active = 90000;
  s.zero_macs = 90000 * 256 / 10;
  s.ub_read_bytes = 90000 * 16;
  s.ub_write_bytes = 20000;
  s.acc_read_bytes = s.acc_write_bytes = 90000 * 64;
  s.weight_bytes = 100000;
  s.dram_read_bytes = 300000;
  s.dram_write_bytes = 400000;
  return s;
}

static systole_bounds energy_of(const systole_stats *s, const systole_geometry *g) {
  systole_bounds power, energy;
  systole_energy_accelerator(s, g, &power, &energy);
  cr_expect_eq(power.kind, energy.kind);
  if (energy.kind != SYSTOLE_KIND_UNKNOWN) {
    expect_ordered(&energy);
    cr_expect_float_eq(power.nominal * s->seconds, energy.nominal, 1e-9 * energy.nominal);
    cr_expect_float_eq(power.low * s->seconds, energy.low, 1e-9 * energy.low);
    cr_expect_float_eq(power.high * s->seconds, energy.high, 1e-9 * energy.high);
  }
  return energy;
}

Test(accelerator, bounds_are_ordered_and_apart) {
  const systole_stats s = busy_run();
  const systole_bounds e = energy_of(&s, &sixteen);
  cr_expect_eq(e.kind, SYSTOLE_KIND_MODELLED);
  cr_expect_gt(e.low, 0);
  cr_expect_gt(e.high, 1.5 * e.nominal, "no better than a factor of two is claimed");
  cr_expect_lt(e.low, e.nominal / 1.5);
}

/* Each term by hand, from the coefficients as they are in the file. */
static double nominal(const char *name) {
  size_t count = 0;
  const systole_energy_coefficient *all = systole_energy_coefficients(&count);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(all[i].name, name) == 0 && (strcmp(all[i].technology, "45nm") == 0 ||
                                           strcmp(all[i].technology, "any") == 0)) {
      return all[i].nominal;
    }
  }
  cr_assert(0, "no coefficient %s", name);
  return 0;
}

Test(accelerator, adds_up_what_was_counted) {
  const systole_stats idle = {.has_cycles = 1, .cycles = 1000, .seconds = 1e-5};
  systole_stats s = idle;
  const double base = energy_of(&idle, &sixteen).nominal;
  const double bytes = 16384 * 16 + 2048 * 64 + 16 * 256;
  cr_expect_float_eq(
      base,
      1e-12 * 1000 * 256 * nominal("pe_clock") +
          1e-6 * 1e-5 * (256 * nominal("static_pe") + bytes * nominal("static_sram")),
      1e-6 * base);

  s.ledger.active = 10;
  const double mac = nominal("mac_multiply") + nominal("mac_add");
  cr_expect_float_eq((energy_of(&s, &sixteen).nominal - base) * 1e12,
                     2560 * (mac + nominal("pe_registers")), 1e-3);
  s.zero_macs = 2560;
  cr_expect_float_eq((energy_of(&s, &sixteen).nominal - base) * 1e12,
                     2560 * (mac * nominal("mac_zero_share") + nominal("pe_registers")),
                     1e-3);

  s = idle;
  s.dram_read_bytes = 1000;
  cr_expect_float_eq((energy_of(&s, &sixteen).nominal - base) * 1e12,
                     1000 * nominal("dram_ideal"), 1e-2);
  s.memory = "hbm2";
  cr_expect_float_eq((energy_of(&s, &sixteen).nominal - base) * 1e12,
                     1000 * nominal("dram_hbm2"), 1e-2);
  s.memory = "ddr4";
  cr_expect_float_eq((energy_of(&s, &sixteen).nominal - base) * 1e12,
                     1000 * nominal("dram_ddr4"), 1e-2);

  /* Accumulators: banks of 8 KB in a memory of 128 KB. Low is the published point of 8
   * KB. */
  s = idle;
  s.acc_write_bytes = 100000;
  const systole_bounds with = energy_of(&s, &sixteen),
                       without = energy_of(&idle, &sixteen);
  cr_expect_float_eq((with.low - without.low) * 1e12, 100000 * nominal("sram_8k"), 1);
  cr_expect_gt(with.high - without.high, 1e-12 * 100000 * nominal("sram_32k"));
  cr_expect_lt(with.high - without.high, 1e-12 * 100000 * nominal("sram_1024k"));
}

Test(accelerator, every_event_costs) {
  const systole_stats base = busy_run();
  const systole_bounds before = energy_of(&base, &sixteen);
  for (int event = 0; event < 9; event++) {
    systole_stats more = base;
    switch (event) {
      case 0:
        more.ledger.active += 1000;
        break;
      case 1:
        more.cycles += 1000;
        break;
      case 2:
        more.ub_read_bytes += 1000;
        break;
      case 3:
        more.ub_write_bytes += 1000;
        break;
      case 4:
        more.weight_bytes += 1000;
        break;
      case 5:
        more.acc_read_bytes += 1000;
        break;
      case 6:
        more.acc_write_bytes += 1000;
        break;
      case 7:
        more.dram_read_bytes += 1000;
        break;
      case 8:
        more.dram_write_bytes += 1000;
        break;
    }
    const systole_bounds after = energy_of(&more, &sixteen);
    cr_expect_gt(after.low, before.low, "event %d", event);
    cr_expect_gt(after.nominal, before.nominal, "event %d", event);
    cr_expect_gt(after.high, before.high, "event %d", event);
  }
  systole_stats zeros = base;
  zeros.zero_macs *= 2;
  cr_expect_lt(energy_of(&zeros, &sixteen).nominal, before.nominal, "zeros save energy");
  cr_expect_float_eq(energy_of(&zeros, &sixteen).high, before.high, 1e-15,
                     "or do not, at worst");
}

Test(accelerator, twice_the_run_is_twice_the_energy) {
  const systole_stats once = busy_run();
  systole_stats twice = once;
  uint64_t *const counts[] = {&twice.cycles,          &twice.ledger.active,
                              &twice.zero_macs,       &twice.ub_read_bytes,
                              &twice.ub_write_bytes,  &twice.weight_bytes,
                              &twice.acc_read_bytes,  &twice.acc_write_bytes,
                              &twice.dram_read_bytes, &twice.dram_write_bytes};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) *counts[i] *= 2;
  twice.seconds *= 2;
  const systole_bounds a = energy_of(&once, &sixteen), b = energy_of(&twice, &sixteen);
  cr_expect_float_eq(b.low, 2 * a.low, 1e-9 * b.low);
  cr_expect_float_eq(b.nominal, 2 * a.nominal, 1e-9 * b.nominal);
  cr_expect_float_eq(b.high, 2 * a.high, 1e-9 * b.high);
}

Test(accelerator, no_activity_is_leakage_and_clock) {
  systole_stats s = {.has_cycles = 1, .cycles = 1, .seconds = 1.0};
  const systole_bounds e = energy_of(&s, &sixteen);
  const double bytes = 16384 * 16 + 2048 * 64 + 16 * 256;
  cr_expect_gt(e.nominal, 0);
  cr_expect_lt(e.high, 1e-6 * (256 * 100 + bytes * 2), "leakage alone");
  s.seconds = 2.0;
  cr_expect_float_eq(energy_of(&s, &sixteen).nominal, 2 * e.nominal, 1e-6 * e.nominal);
}

Test(accelerator, unknown_stays_unknown) {
  systole_stats s = busy_run();
  systole_bounds power, energy;
  s.has_cycles = 0;
  systole_energy_accelerator(&s, &sixteen, &power, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_eq(power.kind, SYSTOLE_KIND_UNKNOWN);
  s = busy_run();
  s.seconds = 0;
  cr_expect_eq(energy_of(&s, &sixteen).kind, SYSTOLE_KIND_UNKNOWN);
  s = busy_run();
  const systole_geometry none = {.dim = 0};
  cr_expect_eq(energy_of(&s, &none).kind, SYSTOLE_KIND_UNKNOWN);
  systole_energy_accelerator(&s, &sixteen, NULL, NULL);
}

/* A second at the figures of TPU v1's CNN0 (Jouppi et al., ISCA 2017: 256 x 256 at 700
 * MHz, the array active in 78 % of cycles). The chip took about 12 W more busy than idle
 * in 28 nm; the model speaks of 45 nm, where the same work takes about twice that. Its
 * bounds must hold both. */
Test(accelerator, is_not_far_from_a_real_chip) {
  const systole_geometry tpu = {
      .dim = 256, .ub_rows = 98304, .acc_rows = 4096, .weight_tiles = 4};
  systole_stats s = {.has_cycles = 1, .cycles = 700000000, .seconds = 1};
  s.ledger.active = 547000000;
  s.zero_macs = s.ledger.active * 65536 / 2;
  s.ub_read_bytes = s.ub_write_bytes = s.ledger.active * 256;
  s.acc_read_bytes = s.acc_write_bytes = s.ledger.active * 1024;
  systole_stats idle = {.has_cycles = 1, .cycles = 1, .seconds = 1};
  const systole_bounds busy = energy_of(&s, &tpu), rest = energy_of(&idle, &tpu);
  cr_expect_lt(busy.low - rest.low, 12.0, "%g W", busy.low - rest.low);
  cr_expect_gt(busy.high - rest.high, 24.0, "%g W", busy.high - rest.high);
  cr_expect_gt(busy.nominal - rest.nominal, 12.0, "%g W", busy.nominal - rest.nominal);
  cr_expect_lt(busy.nominal - rest.nominal, 48.0, "%g W", busy.nominal - rest.nominal);

  /* Its own technology. */
  s.technology = idle.technology = "28nm";
  const systole_bounds work = energy_of(&s, &tpu), leak = energy_of(&idle, &tpu);
  cr_expect_lt(work.low - leak.low, 12.0, "%g W", work.low - leak.low);
  cr_expect_gt(work.high - leak.high, 12.0, "%g W", work.high - leak.high);
  cr_expect_gt(work.nominal - leak.nominal, 4.0, "%g W", work.nominal - leak.nominal);
  cr_expect_lt(work.nominal - leak.nominal, 36.0, "%g W", work.nominal - leak.nominal);
}

/* ---- the data file
 * --------------------------------------------------------------------- */

Test(coefficients, are_complete) {
  size_t count = 0, technologies = 0;
  const systole_energy_coefficient *all = systole_energy_coefficients(&count);
  const systole_technology *t = systole_technology_list(&technologies);
  cr_assert_geq(count, 40u);
  cr_assert_eq(technologies, 4u);
  for (size_t i = 0; i < technologies; i++) {
    cr_expect_gt(strlen(t[i].source), 20u, "%s has no source", t[i].name);
    cr_expect_str_eq(systole_technology_title(t[i].name), t[i].title);
  }
  cr_expect_null(systole_technology_title("46nm"));
  cr_expect_null(systole_technology_title(""));
  int published = 0;
  for (size_t i = 0; i < count; i++) {
    const systole_energy_coefficient *c = &all[i];
    cr_expect_gt(strlen(c->name), 0u);
    cr_expect_gt(strlen(c->unit), 0u, "%s", c->name);
    cr_expect_gt(strlen(c->source), 20u, "%s has no source", c->name);
    cr_expect_geq(c->low, 0.0, "%s", c->name);
    cr_expect_leq(c->low, c->nominal, "%s", c->name);
    cr_expect_leq(c->nominal, c->high, "%s", c->name);
    cr_expect(c->nominal > 0 || c->high == 0, "%s of %s", c->name, c->technology);
    const int is_published = strcmp(c->kind, "published") == 0;
    cr_expect(is_published || strcmp(c->kind, "estimate") == 0, "%s: %s", c->name,
              c->kind);
    published += is_published;
    if (!is_published) {
      cr_expect_geq(c->high, 2 * c->nominal, "%s: an estimate widens its bound", c->name);
    }
    for (size_t j = 0; j < i; j++) {
      cr_expect(strcmp(all[j].name, c->name) != 0 ||
                    strcmp(all[j].technology, c->technology) != 0,
                "%s of %s twice", c->name, c->technology);
    }
  }
  cr_expect_gt(published, 10);
}

/* One run in each: finer chips take less, an FPGA takes more than the ASIC of 45 nm. */
Test(technology, orders_as_it_should) {
  static const char *const names[] = {"7nm", "28nm", "45nm", "fpga-16nm"};
  systole_stats s = busy_run();
  systole_bounds before = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    s.technology = names[i];
    const systole_bounds e = energy_of(&s, &sixteen);
    cr_expect_eq(e.kind, SYSTOLE_KIND_MODELLED, "%s", names[i]);
    cr_expect_gt(e.nominal, before.nominal, "%s", names[i]);
    cr_expect_gt(e.high, before.high, "%s", names[i]);
    before = e;
  }
  s.technology = "45nm";
  const systole_bounds named = energy_of(&s, &sixteen);
  s.technology = NULL;
  cr_expect_eq(energy_of(&s, &sixteen).nominal, named.nominal);
  s.technology = "46nm";
  cr_expect_eq(energy_of(&s, &sixteen).kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_str_eq(systole_technology_default(1), "45nm");
  cr_expect_str_eq(systole_technology_default(0), "fpga-16nm");
}

/* An FPGA leaks as a whole, however small the array on it. */
Test(technology, an_fpga_is_charged_for_all_of_it) {
  systole_stats s = {.has_cycles = 1, .cycles = 1, .seconds = 1.0};
  s.technology = "fpga-16nm";
  const systole_bounds e = energy_of(&s, &sixteen);
  cr_expect_float_eq(e.nominal, 8, 0.1, "%g J", e.nominal);
  cr_expect_float_eq(e.high, 25, 0.1, "%g J", e.high);
}

/* An estimate's bounds are wider than those of published values beside it. */
Test(technology, an_estimate_is_less_sure) {
  systole_stats s = busy_run();
  s.technology = "7nm";
  const systole_bounds known = energy_of(&s, &sixteen);
  s.technology = "fpga-16nm";
  const systole_bounds guessed = energy_of(&s, &sixteen);
  cr_expect_gt(guessed.high / guessed.low, known.high / known.low);
}

/* docs/energy.md shows the same figures. */
static int document_has(const char *line) {
  static char text[1 << 16];
  FILE *file = fopen(SYSTOLE_SOURCE_DIR "/docs/energy.md", "r");
  cr_assert_not_null(file, "docs/energy.md is missing");
  const size_t bytes = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  cr_assert_lt(bytes, sizeof text - 1);
  text[bytes] = '\0';
  return strstr(text, line) != NULL;
}

Test(coefficients, stand_in_the_documentation) {
  size_t count = 0;
  const systole_energy_coefficient *all = systole_energy_coefficients(&count);
  char line[1024];
  for (size_t i = 0; i < count; i++) {
    snprintf(line, sizeof line, "| %s | `%s` | %s | %g | %g | %g | %s | %s |\n",
             all[i].technology, all[i].name, all[i].unit, all[i].low, all[i].nominal,
             all[i].high, all[i].kind, all[i].source);
    cr_expect(document_has(line), "docs/energy.md lacks: %s", line);
  }
}
