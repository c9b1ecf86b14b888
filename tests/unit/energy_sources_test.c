/* The sources of energy other than RAPL, on made-up machines: hwmon, NVML through a
 * stand-in for its library, batteries; and that each speaks for its own device only. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "energy/energy.h"
#include "energy/integrator.h"
#include "energy/sampler.h"
#include "made_machine.h"
#include "support/clock.h"

static systole_made m;
static char nvml_file[128];

static void make(void) {
  m = systole_made_new();
  unsetenv("SYSTOLE_ROOT");
  unsetenv("SYSTOLE_NVML");
}
static void clean(void) { systole_made_remove(&m); }

#define HWMON "/sys/class/hwmon/"
#define SUPPLY "/sys/class/power_supply/"

static void put(const char *path, const char *text) { systole_made_put(&m, path, text); }
static void number(const char *path, long long value) {
  systole_made_number(&m, path, value);
}

static systole_energy_meter_options of(systole_energy_of what) {
  systole_energy_meter_options options = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  options.root = m.root;
  options.still_ms = -1; /* nothing moves but what a test moves */
  options.of = what;
  return options;
}

static systole_energy_meter *opened(const systole_energy_meter_options *options) {
  systole_energy_meter *meter = NULL;
  cr_assert_eq(systole_energy_meter_open(&meter, options), SYSTOLE_OK, "%s",
               systole_last_error());
  return meter;
}

static void expect_source(const systole_energy_meter *meter, const char *begin) {
  const char *source = systole_energy_meter_source(meter);
  cr_expect_eq(strncmp(source, begin, strlen(begin)), 0, "'%s' is not '%s'", source,
               begin);
}

static void expect_refused(const systole_energy_meter_options *options,
                           const char *words) {
  systole_energy_meter *meter = NULL;
  cr_expect_eq(systole_energy_meter_open(&meter, options), SYSTOLE_ERR_NOT_FOUND);
  cr_expect_null(meter);
  cr_expect_not_null(strstr(systole_last_error(), words), "no '%s' in: %s", words,
                     systole_last_error());
}

static systole_bounds after_ms(systole_energy_meter *meter, int ms) {
  systole_bounds energy;
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(ms);
  systole_energy_meter_end(meter, NULL, &energy);
  return energy;
}

static void put_amdgpu(const char *hwmon, const char *address, long long microwatts) {
  char path[128], target[64];
  snprintf(path, sizeof path, HWMON "%s/name", hwmon);
  put(path, "amdgpu\n");
  snprintf(path, sizeof path, HWMON "%s/power1_average", hwmon);
  number(path, microwatts);
  snprintf(path, sizeof path, HWMON "%s/power1_label", hwmon);
  put(path, "PPT\n");
  snprintf(path, sizeof path, HWMON "%s/device", hwmon);
  snprintf(target, sizeof target, "../../../%s", address);
  systole_made_link(&m, path, target);
}

/* ---- whose a sensor is ------------------------------------------------------------ */

TestSuite(hwmon, .init = make, .fini = clean, .timeout = 60);

Test(hwmon, a_gpus_sensor_says_nothing_of_the_cpu) {
  put_amdgpu("hwmon0", "0000:03:00.0", 150000000);
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "model: ");
  cr_expect_not_null(
      strstr(systole_energy_meter_missing(meter), "hwmon: none of the 1 chips"), "%s",
      systole_energy_meter_missing(meter));
  systole_energy_meter_close(meter);
  options = of(SYSTOLE_ENERGY_OF_MACHINE);
  expect_refused(&options, "measures the whole machine");

  /* And the other way round. */
  options = of(SYSTOLE_ENERGY_OF_GPU);
  meter = opened(&options);
  expect_source(meter, "hwmon: amdgpu 0000:03:00.0 power1 PPT");
  systole_energy_meter_close(meter);
  put(HWMON "hwmon1/name", "fam15h_power\n");
  number(HWMON "hwmon1/power1_input", 40000000);
  options = of(SYSTOLE_ENERGY_OF_CPU);
  meter = opened(&options);
  expect_source(meter, "hwmon: fam15h_power power1");
  cr_expect_float_eq(systole_energy_meter_shortest_s(meter), 2.0, 1e-9);
  systole_energy_meter_close(meter);
}

Test(hwmon, takes_the_gpu_that_was_named) {
  put_amdgpu("hwmon2", "0000:03:00.0", 30000000);
  put_amdgpu("hwmon10", "0000:83:00.0", 250000000);
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_GPU);
  expect_refused(&options, "there are several");
  options.address = "83:00.0";
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "hwmon: amdgpu 0000:83:00.0 power1");
  systole_energy_meter_close(meter);
  options.address = "0000:99:00.0";
  expect_refused(&options, "measures a GPU");
  options.address = "the big one";
  expect_refused(&options, "no PCIe address");
}

Test(hwmon, integrates_power_over_the_span) {
  put_amdgpu("hwmon0", "0000:03:00.0", 100000000);
  number(HWMON "hwmon0/power1_cap", 300000000);
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_GPU);
  systole_energy_meter *meter = opened(&options);
  systole_bounds power, energy;
  systole_energy_meter_begin(meter);
  const double start = systole_wall_seconds();
  systole_made_wait_ms(1100);
  number(HWMON "hwmon0/power1_average", 200000000);
  systole_made_wait_ms(1100);
  systole_energy_meter_end(meter, &power, &energy);
  const double seconds = systole_wall_seconds() - start;
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(energy.nominal, 150 * seconds, 0.05 * energy.nominal, "%g J",
                     energy.nominal);
  cr_expect_float_eq(power.nominal, 150, 8, "%g W", power.nominal);
  cr_expect_lt(energy.low, 0.9 * energy.nominal);
  cr_expect_gt(energy.high, 1.1 * energy.nominal);

  /* Shorter than its resolution allows: the limit that the driver tells, and modelled. */
  energy = after_ms(meter, 30);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MODELLED);
  expect_source(meter, "model: 0.6 of the board's limit of 300 W");

  /* Gone in the middle. */
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(1100);
  systole_made_unlink(&m, HWMON "hwmon0/power1_average");
  systole_made_wait_ms(1100);
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MODELLED);
  systole_energy_meter_close(meter);
}

Test(hwmon, adds_sockets_and_not_their_cores) {
  put(HWMON "hwmon3/name", "amd_energy\n");
  put(HWMON "hwmon3/energy1_label", "Ecore000\n");
  put(HWMON "hwmon3/energy2_label", "Ecore001\n");
  put(HWMON "hwmon3/energy3_label", "Esocket0\n");
  put(HWMON "hwmon3/energy4_label", "Esocket1\n");
  for (int i = 1; i <= 4; i++) {
    char path[64];
    snprintf(path, sizeof path, HWMON "hwmon3/energy%d_input", i);
    number(path, 1000000);
  }
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "hwmon: amd_energy energy3 Esocket0 energy4 Esocket1");
  systole_bounds energy;
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(30);
  number(HWMON "hwmon3/energy1_input", 9000000);
  number(HWMON "hwmon3/energy3_input", 3000000);
  number(HWMON "hwmon3/energy4_input", 1500000);
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(energy.nominal, 2.5, 1e-9, "%g J", energy.nominal);

  /* 64 bits of microjoules do not wrap: one that goes back began anew. */
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(30);
  number(HWMON "hwmon3/energy3_input", 10);
  number(HWMON "hwmon3/energy4_input", 9000000); /* the other socket goes on */
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MODELLED);
  /* From then on it counts again, and what it missed is not made up. */
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(30);
  number(HWMON "hwmon3/energy3_input", 500010);
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(energy.nominal, 0.5, 1e-9, "%g J", energy.nominal);
  systole_energy_meter_close(meter);
}

Test(hwmon, takes_a_card_and_not_its_package_too) {
  put(HWMON "hwmon1/name", "xe\n");
  put(HWMON "hwmon1/energy1_label", "card\n");
  number(HWMON "hwmon1/energy1_input", 0);
  put(HWMON "hwmon1/energy2_label", "pkg\n");
  number(HWMON "hwmon1/energy2_input", 0);
  systole_made_link(&m, HWMON "hwmon1/device", "../../../0000:03:00.0");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_GPU);
  systole_energy_meter *meter = opened(&options);
  systole_bounds energy;
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(2050);
  number(HWMON "hwmon1/energy1_input", 80000000);
  number(HWMON "hwmon1/energy2_input", 60000000);
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_float_eq(energy.nominal, 80.0, 1e-9, "%g J", energy.nominal);
  systole_energy_meter_close(meter);
}

/* A board's rail is used only when somebody says what it feeds. */
Test(hwmon, uses_rails_of_a_board_when_they_are_named) {
  put(HWMON "hwmon4/name", "ina3221\n");
  put(HWMON "hwmon4/in1_label", "VDD_IN\n");
  number(HWMON "hwmon4/in1_input", 5000);
  number(HWMON "hwmon4/curr1_input", 2000);
  put(HWMON "hwmon4/in2_label", "VDD_CPU_GPU_CV\n");
  number(HWMON "hwmon4/in2_input", 5000);
  number(HWMON "hwmon4/curr2_input", 500);
  put(HWMON "hwmon5/name", "ina226_u79\n");
  number(HWMON "hwmon5/power1_input", 7000000);
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "model: ");
  systole_energy_meter_close(meter);

  options.source = "hwmon:ina3221";
  expect_refused(&options, "several rails: VDD_IN, VDD_CPU_GPU_CV");
  options.source = "hwmon:ina3221/VDD_5V";
  expect_refused(&options, "it has VDD_IN");
  options.source = "hwmon:ina3221/VDD_IN";
  meter = opened(&options);
  expect_source(meter, "hwmon: ina3221 in1 VDD_IN");
  systole_bounds power, energy;
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(2050);
  systole_energy_meter_end(meter, &power, &energy);
  cr_expect_eq(power.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(power.nominal, 10.0, 0.2, "%g W", power.nominal);
  systole_energy_meter_close(meter);

  options.source = "hwmon:hwmon5";
  meter = opened(&options);
  expect_source(meter, "hwmon: ina226_u79 power1");
  systole_energy_meter_close(meter);
  options.source = "hwmon:nothing";
  expect_refused(&options, "none of the 2 chips");
  options.source = "tachometer";
  expect_refused(&options, "there is no source of energy called 'tachometer'");
}

Test(hwmon, takes_nothing_for_a_reading_that_is_none) {
  static const char *const texts[] = {"-5000000\n",   "0\n",    "",
                                      "garbage\n",    "12W\n",  "1e6\n",
                                      " 40\n",        "0x40\n", "99999999999999999999\n",
                                      "20000000000\n"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    put(HWMON "hwmon0/name", "fam15h_power\n");
    put(HWMON "hwmon0/power1_input", texts[i]);
    systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
    systole_energy_meter *meter = opened(&options);
    expect_source(meter, "model: ");
    cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "hwmon: "), "%s",
                       texts[i]);
    systole_energy_meter_close(meter);
  }
  /* A folder in the file's place cannot be read by anyone, root included. */
  systole_made_unlink(&m, HWMON "hwmon0/power1_input");
  put(HWMON "hwmon0/power1_input/file", "");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
  systole_energy_meter *meter = opened(&options);
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "chmod a+r"), "%s",
                     systole_energy_meter_missing(meter));
  systole_energy_meter_close(meter);
}

/* ---- power into energy ------------------------------------------------------------- */

static int ramp(void *user, double *watts) {
  const int look = (*(int *)user)++;
  *watts = look == 0 ? 0 : 10;
  return 1;
}

/* The power between two looks is their mean. */
Test(integrator, takes_the_mean_of_two_looks) {
  int looks = 0;
  systole_integral sum;
  systole_integrator *integrator = systole_integrator_open(ramp, &looks, 60000);
  cr_assert_not_null(integrator);
  cr_assert(systole_integrator_begin(integrator));
  const double start = systole_wall_seconds();
  systole_made_wait_ms(100);
  systole_integrator_end(integrator, &sum);
  const double seconds = systole_wall_seconds() - start;
  cr_expect_eq(sum.samples, 2);
  cr_expect_eq(sum.unread, 0);
  cr_expect_float_eq(sum.joules, 5 * seconds, 0.1 * seconds, "%g J in %g s", sum.joules,
                     seconds);
  systole_integrator_close(integrator);
}

/* ---- NVML ------------------------------------------------------------------------- */

static void make_nvml(void) {
  make();
  snprintf(nvml_file, sizeof nvml_file, "%s/nvml", m.root);
  setenv("SYSTOLE_NVML", SYSTOLE_FAKE_NVML, 1);
  setenv("FAKE_NVML", nvml_file, 1);
}
TestSuite(nvml, .init = make_nvml, .fini = clean, .timeout = 60);

Test(nvml, reads_the_counter) {
  put("/nvml", "energy_mj 5000000\npower_mw 80000\n");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_GPU);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "nvml: energy of Fake GPU A, the whole board");
  cr_expect_float_eq(systole_energy_meter_shortest_s(meter), 2.0, 1e-9);
  systole_bounds energy;
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(2050);
  put("/nvml", "energy_mj 5250500\npower_mw 80000\n");
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(energy.nominal, 250.5, 1e-6, "%g J", energy.nominal);
  cr_expect_lt(energy.low, 0.9 * energy.nominal);

  /* A span shorter than 20 steps of the counter has no figure, nor has one in which the
   * driver began anew, was gone at the end, or did not count. */
  energy = after_ms(meter, 100);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_UNKNOWN);
  systole_energy_meter_close(meter);
  static const char *const ends[] = {"energy_mj 7\n", "", "energy_mj 5250500\n",
                                     "energy_mj 5260500\n"};
  systole_sampler_reason reason = {0, "", ""};
  systole_sampler *sampler = NULL;
  const systole_sampler_span span = {2.05, 0};
  systole_sampler_nvml.open(&sampler, m.root, &options, &reason);
  cr_assert_not_null(sampler, "%s", reason.why);
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    put("/nvml", "energy_mj 5250500\n");
    systole_sampler_nvml.begin(sampler);
    put("/nvml", ends[i]);
    systole_sampler_nvml.end(sampler, &span, &energy);
    cr_expect_eq(energy.kind, i < 3 ? SYSTOLE_KIND_UNKNOWN : SYSTOLE_KIND_MEASURED,
                 "'%s'", ends[i]);
  }
  systole_sampler_nvml.close(sampler);
}

Test(nvml, looks_at_power_where_there_is_no_counter) {
  put("/nvml", "power_mw 60000\nlimit_mw 250000\n");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_GPU);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "nvml: power of Fake GPU A");
  systole_bounds power;
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(2050);
  systole_energy_meter_end(meter, &power, NULL);
  cr_expect_eq(power.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(power.nominal, 60, 1, "%g W", power.nominal);

  systole_bounds energy;
  systole_energy_meter_begin(meter);
  systole_made_wait_ms(1000);
  put("/nvml", "limit_mw 250000\n");
  systole_made_wait_ms(1050);
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MODELLED, "the power vanished");
  expect_source(meter, "model: 0.6 of the board's limit of 250 W");
  cr_expect_float_eq(energy.nominal, 0.6 * 250 * 2.05, 15, "%g J", energy.nominal);
  cr_expect_lt(energy.low, 0.3 * energy.nominal);
  systole_energy_meter_close(meter);
}

Test(nvml, a_counter_that_stands_still_gives_way_to_power) {
  put("/nvml", "energy_mj 5\npower_mw 60000\n");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_GPU);
  options.still_ms = 0;
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "nvml: power");
  systole_energy_meter_close(meter);
}

Test(nvml, finds_the_gpu_that_was_named) {
  static const char *const names[] = {"1", "0000:af:00.0", "GPU-bbbb"};
  put("/nvml", "gpus 2\nenergy_mj 1\nb_energy_mj 2\n");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_GPU);
  expect_refused(&options, "there are 2 NVIDIA GPUs: name one");
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    options.address = names[i];
    systole_energy_meter *meter = opened(&options);
    expect_source(meter, "nvml: energy of Fake GPU B");
    systole_energy_meter_close(meter);
  }
  options.address = "7";
  expect_refused(&options, "of 2 GPUs none is '7'");
  options.address = "0000:99:00.0";
  expect_refused(&options, "of 2 GPUs none is '0000:99:00.0' (Not Found)");
}

Test(nvml, says_why_there_is_nothing) {
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_GPU);
  put("/nvml", "init 9\n");
  expect_refused(&options, "Driver Not Loaded");
  put("/nvml", "init 4\n"); /* NVML_ERROR_NO_PERMISSION */
  expect_refused(&options, "chmod a+rw /dev/nvidia0");
  put("/nvml", "gpus 0\n");
  expect_refused(&options, "there are 0 NVIDIA GPUs");
  put("/nvml", "gpus 1\n");
  expect_refused(&options, "tells neither its energy nor its power");
  put("/nvml", "power_mw 4000000000\n");
  expect_refused(&options, "tells neither");
  setenv("SYSTOLE_NVML", "/nowhere/libnvidia-ml.so.1", 1);
  expect_refused(&options, "which cannot be loaded: unset SYSTOLE_NVML");
  setenv("SYSTOLE_NVML", SYSTOLE_NO_NVML, 1);
  expect_refused(&options, "has no function nvmlInit_v2");
  unsetenv("SYSTOLE_NVML");
  expect_refused(&options, "because SYSTOLE_ROOT is set");
}

/* ---- batteries -------------------------------------------------------------------- */

TestSuite(battery, .init = make, .fini = clean, .timeout = 60);

static void put_battery(const char *name, const char *status, long long microwatts) {
  char path[128];
  snprintf(path, sizeof path, SUPPLY "%s/type", name);
  put(path, "Battery\n");
  snprintf(path, sizeof path, SUPPLY "%s/status", name);
  put(path, status);
  snprintf(path, sizeof path, SUPPLY "%s/power_now", name);
  number(path, microwatts);
}

/* The rows' own tables, because a battery's spans take a minute. */
static systole_bounds battery_energy(double wall_s, void (*in_between)(void)) {
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_MACHINE);
  systole_sampler_reason reason = {0, "", ""};
  systole_sampler *sampler = NULL;
  const systole_sampler_span span = {wall_s, wall_s};
  systole_bounds energy;
  systole_sampler_battery.open(&sampler, m.root, &options, &reason);
  cr_assert_not_null(sampler, "%s", reason.why);
  systole_sampler_battery.begin(sampler);
  systole_made_wait_ms(in_between != NULL ? 1100 : 20); /* it looks once a second */
  if (in_between != NULL) in_between();
  systole_sampler_battery.end(sampler, &span, &energy);
  systole_sampler_battery.close(sampler);
  return energy;
}

static void plug_in(void) { put(SUPPLY "BAT0/status", "Charging\n"); }
static void vanish(void) { systole_made_unlink(&m, SUPPLY "BAT0/power_now"); }
static void spoil(void) { put(SUPPLY "BAT0/power_now", "?\n"); }

Test(battery, speaks_for_the_whole_machine_while_it_discharges) {
  put(SUPPLY "AC/type", "Mains\n");
  put_battery("BAT0", "Discharging\n", 12000000);
  put_battery("hidpp_battery_0", "Discharging\n", 90000000);
  put(SUPPLY "hidpp_battery_0/scope", "Device\n"); /* a mouse */
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "battery: BAT0, the whole machine");
  cr_expect_float_eq(systole_energy_meter_shortest_s(meter), 60, 1e-9);
  cr_expect_eq(after_ms(meter, 30).kind, SYSTOLE_KIND_MODELLED, "too short for it");
  systole_energy_meter_close(meter);

  systole_bounds energy = battery_energy(60, NULL);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(energy.nominal, 12 * 0.02, 12 * 0.02, "%g J", energy.nominal);
  cr_expect_float_eq(energy.high, 1.15 * energy.nominal, 1e-9,
                     "5 %% and two steps of three seconds in sixty");
  cr_expect_eq(battery_energy(59, NULL).kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_eq(battery_energy(0, NULL).kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_eq(battery_energy(60, plug_in).kind, SYSTOLE_KIND_UNKNOWN);
  put_battery("BAT0", "Discharging\n", 12000000);
  cr_expect_eq(battery_energy(60, spoil).kind, SYSTOLE_KIND_UNKNOWN);
  put_battery("BAT0", "Discharging\n", 12000000);
  cr_expect_eq(battery_energy(60, vanish).kind, SYSTOLE_KIND_UNKNOWN);
}

Test(battery, multiplies_current_and_voltage) {
  put(SUPPLY "BAT1/type", "Battery\n");
  put(SUPPLY "BAT1/status", "Discharging\n");
  number(SUPPLY "BAT1/current_now", -1500000); /* some drivers give it a sign */
  number(SUPPLY "BAT1/voltage_now", 12000000);
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_MACHINE);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "battery: BAT1");
  systole_energy_meter_close(meter);
  systole_sampler_reason reason = {0, "", ""};
  systole_sampler *sampler = NULL;
  systole_sampler_battery.open(&sampler, m.root, &options, &reason);
  systole_sampler_battery.begin(sampler);
  const double start = systole_wall_seconds();
  systole_made_wait_ms(50);
  systole_bounds energy;
  const systole_sampler_span span = {60, 0};
  systole_sampler_battery.end(sampler, &span, &energy);
  const double seconds = systole_wall_seconds() - start;
  cr_expect_float_eq(energy.nominal, 18 * seconds, 0.2 * energy.nominal);
  systole_sampler_battery.close(sampler);
}

Test(battery, adds_two_of_which_one_may_rest) {
  put_battery("BAT0", "Discharging\n", 7000000);
  put_battery("BAT1", "Not charging\n", 0);
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_MACHINE);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "battery: BAT0 BAT1");
  systole_energy_meter_close(meter);
  /* One that is charged by the other says nothing of the machine. */
  put_battery("BAT1", "Charging\n", 5000000);
  expect_refused(&options, "battery: ");
}

Test(battery, says_why_there_is_nothing) {
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_MACHINE);
  expect_refused(&options, "power_supply is not there");
  put(SUPPLY "AC/type", "Mains\n");
  expect_refused(&options, "has no battery");
  put_battery("BAT0", "Full\n", 0);
  expect_refused(&options, "is not discharging: pull the mains plug");
  put_battery("BAT0", "Discharging\n", 0);
  expect_refused(&options, "tells neither power_now");
  put(SUPPLY "BAT0/present", "0\n");
  expect_refused(&options, "has no battery");
}

/* ---- powercap, what energy_test.c does not ask ------------------------------------- */

TestSuite(rapl, .init = make, .fini = clean, .timeout = 60);

#define ZONE "/sys/class/powercap/intel-rapl:"

/* One package of two is a figure of something else. */
Test(rapl, two_packages_of_which_one_cannot_be_read_are_none) {
  put(ZONE "0/name", "package-0\n");
  put(ZONE "0/energy_uj", "100\n");
  put(ZONE "0/max_energy_range_uj", "1000\n");
  put(ZONE "1/name", "package-1\n");
  put(ZONE "1/energy_uj/file", "");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "model: ");
  cr_expect_not_null(strstr(systole_energy_meter_missing(meter), "intel-rapl:1"));
  systole_energy_meter_close(meter);
}

/* What is root's alone, seen by somebody else. The tests may run as root, whom no mode
 * stops, so they step down. */
static void deny(const char *path) {
  char name[256];
  snprintf(name, sizeof name, "%s%s", m.root, path);
  cr_assert_eq(chmod(name, 0400), 0);
}

Test(rapl, what_only_root_may_read_is_said_to_be_so) {
  if (geteuid() != 0) return; /* the files would be one's own */
  put(ZONE "0/name", "package-0\n");
  put(ZONE "0/energy_uj", "1000000\n");
  put(HWMON "hwmon0/name", "amd_energy\n");
  put(HWMON "hwmon0/energy1_label", "Esocket0\n");
  put(HWMON "hwmon0/energy1_input", "5\n");
  put_battery("BAT0", "Discharging\n", 5000000);
  deny(ZONE "0/energy_uj");
  deny(HWMON "hwmon0/energy1_input");
  deny(SUPPLY "BAT0/power_now");
  cr_assert_eq(chmod(m.root, 0755), 0);
  systole_energy_source *list = NULL;
  size_t count = 0;
  setenv("SYSTOLE_ROOT", m.root, 1);
  cr_assert_eq(seteuid(65534), 0);
  const systole_status status = systole_energy_source_list(&list, &count);
  cr_assert_eq(seteuid(0), 0);
  cr_assert_eq(status, SYSTOLE_OK);
  int denied = 0;
  for (size_t i = 0; i < count; i++) {
    const systole_energy_source *s = &list[i];
    const int of_ours = strcmp(s->name, "powercap") == 0 ||
                        (strcmp(s->name, "hwmon") == 0 && strcmp(s->of, "CPU") == 0);
    if (!of_ours) continue;
    denied++;
    cr_expect(s->there && !s->usable, "%s", s->found);
    cr_expect_not_null(strstr(s->found, "Permission denied"), "%s", s->found);
    cr_expect_not_null(strstr(s->remedy, "sudo chmod a+r /sys/class/"), "%s", s->remedy);
  }
  cr_expect_eq(denied, 2);
  systole_energy_source_list_free(list);
}

/* Gone at one span's begin and back at its end: what it did before is not the span's. */
Test(rapl, a_counter_that_was_gone_at_the_begin_gives_no_figure) {
  put(ZONE "0/name", "package-0\n");
  put(ZONE "0/energy_uj", "1000000\n");
  put(ZONE "0/max_energy_range_uj", "262143328850\n");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
  systole_energy_meter *meter = opened(&options);
  systole_bounds energy;
  systole_made_unlink(&m, ZONE "0/energy_uj");
  systole_energy_meter_begin(meter);
  put(ZONE "0/energy_uj", "900000000\n");
  systole_made_wait_ms(30);
  systole_energy_meter_end(meter, NULL, &energy);
  cr_expect_eq(energy.kind, SYSTOLE_KIND_MODELLED);
  systole_energy_meter_close(meter);
}

Test(rapl, a_span_of_no_length_has_no_power) {
  put(ZONE "0/name", "package-0\n");
  put(ZONE "0/energy_uj", "1000000\n");
  put(ZONE "0/max_energy_range_uj", "262143328850\n");
  systole_energy_meter_options options = of(SYSTOLE_ENERGY_OF_CPU);
  systole_energy_meter *meter = opened(&options);
  systole_bounds power, energy;
  systole_energy_meter_begin(meter);
  systole_energy_meter_end(meter, &power, &energy);
  cr_expect_neq(energy.kind, SYSTOLE_KIND_MEASURED);
  cr_expect(isfinite(power.nominal) && isfinite(power.high) && power.low >= 0);
  const systole_sampler_span none = {0, 0};
  cr_expect_eq(systole_sampler_measured(5, &none, SYSTOLE_SAMPLER_STEP_S).kind,
               SYSTOLE_KIND_UNKNOWN);
  systole_energy_meter_close(meter);
}

Test(rapl, is_found_under_the_root_of_the_environment) {
  put(ZONE "0/name", "package-0\n");
  put(ZONE "0/energy_uj", "1000000\n");
  put(ZONE "0/max_energy_range_uj", "262143328850\n");
  setenv("SYSTOLE_ROOT", m.root, 1);
  systole_energy_meter_options options = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  options.still_ms = -1;
  systole_energy_meter *meter = opened(&options);
  expect_source(meter, "powercap: package-0");
  systole_energy_meter_close(meter);
}
