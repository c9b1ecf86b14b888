/* Power and temperature of a card, from made-up trees of /sys in both drivers' forms. */
#define _GNU_SOURCE
#include "energy/card_power.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "energy/card_sensors.h"

static char root[64];
static void make(void) {
  strcpy(root, "/tmp/systole-card-XXXXXX");
  cr_assert_not_null(mkdtemp(root));
}
static void clean(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", root);
  cr_assert_eq(system(command), 0);
}
TestSuite(card_power, .init = make, .fini = clean, .timeout = 60);

#define CARD "/sys/bus/pci/devices/0000:3b:00.1"
#define OTHER "/sys/bus/pci/devices/0000:af:00.1"
#define XMC CARD "/xmc.u.19922944"
#define HWMON OTHER "/hwmon/hwmon3"

static const char *at(const char *path) {
  static char name[512];
  snprintf(name, sizeof name, "%s%s", root, path);
  return name;
}

/* Replaced as a whole, as the driver's files are: no reader sees half a number. */
static void put(const char *path, const char *text) {
  char name[512], temporary[600];
  snprintf(name, sizeof name, "%s%s", root, path);
  for (char *slash = strchr(name + strlen(root) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(name, 0755);
    *slash = '/';
  }
  snprintf(temporary, sizeof temporary, "%s.new", name);
  FILE *file = fopen(temporary, "w");
  cr_assert_not_null(file, "%s", temporary);
  fputs(text, file);
  fclose(file);
  cr_assert_eq(rename(temporary, name), 0);
}

static void nap(int ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&time, NULL);
}

static void put_xmc(void) {
  put(XMC "/xmc_power", "25000000\n");
  put(XMC "/xmc_fpga_temp", "41\n");
}

static void put_hwmon(void) {
  put(HWMON "/name", "xilinx_u50_gen3x16_xdma_base_5_user\n");
  put(HWMON "/power1_input", "13250000\n");
  put(HWMON "/temp1_label", "PCB TOP FRONT\n");
  put(HWMON "/temp1_input", "30000\n");
  put(HWMON "/temp4_label", "FPGA TEMP\n");
  put(HWMON "/temp4_input", "47500\n");
}

static systole_card_reading read_of(const char *bdf) {
  systole_card_sensors sensors;
  systole_card_reading reading;
  char why[256];
  cr_assert(systole_card_sensors_find(&sensors, root, bdf, why, sizeof why), "%s", why);
  systole_card_sensors_read(&sensors, &reading);
  return reading;
}

static void expect_none(const char *bdf, const char *words) {
  systole_card_sensors sensors;
  char why[512];
  cr_assert_not(systole_card_sensors_find(&sensors, root, bdf, why, sizeof why));
  cr_assert_not_null(strstr(why, words), "no '%s' in: %s", words, why);
}

Test(card_power, reads_both_forms) {
  put("/sys/bus/pci/devices/0000:00:00.0/vendor", "0x8086\n");
  put_xmc();
  systole_card_reading r = read_of(NULL);
  cr_expect_eq(r.power_w, 25.0);
  cr_expect_eq(r.temperature_c, 41.0);
  put_hwmon();
  r = read_of("0000:af:00.1");
  cr_expect_float_eq(r.power_w, 13.25, 1e-9);
  cr_expect_float_eq(r.temperature_c, 47.5, 1e-9);
  /* Shorter addresses, and the managing function beside the user's. */
  cr_expect_eq(read_of("3b:00.1").power_w, 25.0);
  cr_expect_eq(read_of("0000:3b:00.0").power_w, 25.0);
}

Test(card_power, adds_rails_where_there_is_no_sum) {
  put(XMC "/xmc_12v_pex_vol", "12000\n");
  put(XMC "/xmc_12v_pex_curr", "1500\n");
  put(XMC "/xmc_3v3_pex_vol", "3300\n");
  put(XMC "/xmc_3v3_pex_curr", "1000\n");
  put(XMC "/xmc_12v_aux_vol", "12000\n"); /* without its current: left out */
  const systole_card_reading r = read_of("");
  cr_expect(r.has_power);
  cr_expect_float_eq(r.power_w, 18.0 + 3.3, 1e-9);
  cr_expect_not(r.has_temperature);
}

Test(card_power, says_why_there_is_nothing) {
  expect_none(NULL, "cannot be read");
  put("/sys/bus/pci/devices/0000:00:00.0/vendor", "0x8086\n");
  expect_none(NULL, "none of");
  expect_none("0000:3b:00.1", "has no sensors");
  expect_none("3b", "no PCIe address");
  expect_none("0000:3b:00.1x", "no PCIe address");
  put_xmc();
  put_hwmon();
  expect_none(NULL, "name one, as card=");
  put(HWMON "/name", "nvme\n");
  cr_expect_eq(read_of(NULL).power_w, 25.0);
}

Test(card_power, says_that_it_may_not_read) {
  if (geteuid() == 0) cr_skip_test("root may read everything");
  put_xmc();
  cr_assert_eq(chmod(at(XMC "/xmc_power"), 0), 0);
  expect_none("0000:3b:00.1", "sudo chmod a+r");
}

Test(card_power, takes_no_nonsense_for_a_reading) {
  static const char *const texts[] = {
      "",    "\n",           "abc\n", "-5\n",
      "0\n", "4294967295\n", "12x\n", "99999999999999999999\n"};
  put_xmc();
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    systole_card_sensors sensors;
    systole_card_reading r;
    char why[256];
    put(XMC "/xmc_power", "25000000\n");
    cr_assert(systole_card_sensors_find(&sensors, root, "", why, sizeof why));
    put(XMC "/xmc_power", texts[i]);
    systole_card_sensors_read(&sensors, &r);
    cr_expect_not(r.has_power, "'%s' is %g W", texts[i], r.power_w);
    cr_expect(r.has_temperature);
  }
}

/* ---- spans --------------------------------------------------------------------------
 */

static systole_card_power *opened(int period_ms) {
  systole_card_power *power = NULL;
  cr_assert_eq(systole_card_power_open(&power, root, "", period_ms), SYSTOLE_OK, "%s",
               systole_last_error());
  return power;
}

static systole_card_span span_of(systole_card_power *power, int ms) {
  systole_card_span span;
  cr_assert_eq(systole_card_power_begin(power), SYSTOLE_OK);
  nap(ms);
  systole_card_power_end(power, &span);
  return span;
}

Test(card_power, tells_total_and_what_the_work_took) {
  systole_bounds watts, joules;
  put_xmc();
  systole_card_power *power = opened(10);
  const systole_card_span idle = span_of(power, 300);
  put(XMC "/xmc_power", "40000000\n");
  put(XMC "/xmc_fpga_temp", "55\n");
  const systole_card_span busy = span_of(power, 400);
  cr_expect_eq(idle.power_w.kind, SYSTOLE_KIND_MEASURED, "%s", idle.why);
  cr_expect_float_eq(idle.power_w.nominal, 25.0, 1.0);
  cr_expect_float_eq(busy.power_w.nominal, 40.0, 1.5);
  cr_expect_float_eq(busy.energy_j.nominal, busy.power_w.nominal * busy.wall_s, 1e-9);
  cr_expect(busy.power_w.low < 40.0 && 40.0 < busy.power_w.high);
  cr_expect_gt(busy.samples, 5);
  cr_expect_eq(busy.temperature_c, 55.0);
  systole_card_power_incremental(&busy, &idle, &watts, &joules);
  cr_expect_eq(watts.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(watts.nominal, busy.power_w.nominal - idle.power_w.nominal, 1e-9);
  cr_expect(watts.low < watts.nominal && watts.nominal < watts.high);
  cr_expect_float_eq(joules.nominal, watts.nominal * busy.wall_s, 1e-9);
  systole_card_power_close(power);
}

Test(card_power, has_no_figure_for_a_short_span) {
  systole_bounds watts, joules;
  put_xmc();
  systole_card_power *power = opened(1000);
  const systole_card_span span = span_of(power, 20);
  cr_expect_eq(span.power_w.kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_not_null(strstr(span.why, "too few"), "%s", span.why);
  systole_card_power_incremental(&span, &span, &watts, &joules);
  cr_expect_eq(watts.kind, SYSTOLE_KIND_UNKNOWN);
  systole_card_power_close(power);
}

Test(card_power, has_no_figure_when_sensors_vanish) {
  systole_card_span span;
  put_xmc();
  systole_card_power *power = opened(5);
  cr_assert_eq(systole_card_power_begin(power), SYSTOLE_OK);
  nap(60);
  cr_assert_eq(unlink(at(XMC "/xmc_power")), 0);
  nap(60);
  put_xmc();
  nap(30);
  systole_card_power_end(power, &span);
  cr_expect_eq(span.power_w.kind, SYSTOLE_KIND_UNKNOWN);
  cr_expect_not_null(strstr(span.why, "could not be read"), "%s", span.why);
  /* The next span is whole again. */
  span = span_of(power, 120);
  cr_expect_eq(span.power_w.kind, SYSTOLE_KIND_MEASURED, "%s", span.why);
  systole_card_power_close(power);
}

Test(card_power, can_be_closed_while_it_samples) {
  put_xmc();
  for (int i = 0; i < 20; i++) {
    systole_card_power *power = opened(1);
    cr_assert_eq(systole_card_power_begin(power), SYSTOLE_OK);
    cr_assert_eq(systole_card_power_begin(power), SYSTOLE_OK, "starts over");
    systole_card_power_close(power);
  }
  systole_card_power_close(NULL);
}

Test(card_power, is_a_row_of_the_meter) {
  systole_energy_meter_options options = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  systole_energy_meter *meter = NULL;
  systole_bounds watts, joules;
  options.root = root;
  options.card = "0000:3b:00.1";
  options.card_period_ms = 10;
  cr_assert_eq(systole_energy_meter_open(&meter, &options), SYSTOLE_ERR_NOT_FOUND);
  cr_assert_null(meter);
  cr_expect_not_null(strstr(systole_last_error(), "has no sensors"));
  put_xmc();
  cr_assert_eq(systole_energy_meter_open(&meter, &options), SYSTOLE_OK);
  systole_energy_meter_begin(meter);
  nap(200);
  systole_energy_meter_poll(meter);
  systole_energy_meter_end(meter, &watts, &joules);
  cr_expect_eq(watts.kind, SYSTOLE_KIND_MEASURED);
  cr_expect_float_eq(watts.nominal, 25.0, 1.5);
  cr_expect_str_eq(systole_energy_meter_source(meter), "xmc_power of card 0000:3b:00.1");
  systole_energy_meter_close(meter);
}
