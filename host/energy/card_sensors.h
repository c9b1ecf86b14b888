/* Power and temperature of an Alveo card as its driver tells them in /sys, with nothing
 * but reads. Two drivers' forms are known:
 *
 *   xmc.u.N/xmc_power (uW), or the rails xmc_12v_pex_vol (mV) times ..._curr (mA) and
 * their like; xmc_fpga_temp (C): XRT's xmc driver (src/runtime_src/core/pcie/driver,
 * xmc.c) hwmon/hwmonN/power1_input (uW); the tempN_input (mC) labelled "FPGA TEMP": the
 * same card through hwmon, whose `name` ends in "_user" or contains "hwmon_sdm"
 *
 * The driver reads the card's satellite controller at most once a second and answers from
 * its cache in between (xmc.c, cache_expire_secs). */
#ifndef SYSTOLE_ENERGY_CARD_SENSORS_H
#define SYSTOLE_ENERGY_CARD_SENSORS_H

#include <stddef.h>

#include "files.h"

enum { SYSTOLE_CARD_RAILS = 3, SYSTOLE_CARD_PERIOD_MS = 1000 };

typedef struct systole_card_sensors {
  char bdf[32];                   /* "0000:3b:00.1" */
  char power[SYSTOLE_PATH_BYTES]; /* "" when there are only rails */
  char rails[SYSTOLE_CARD_RAILS][2][SYSTOLE_PATH_BYTES]; /* mV, mA */
  int rail_count;
  char temperature[SYSTOLE_PATH_BYTES]; /* "" when there is none */
  double temperature_scale;             /* to degrees Celsius */
  char source[96];                      /* "xmc_power of card 0000:3b:00.1" */
} systole_card_sensors;

/* What one look found. A figure that could not be read is absent. */
typedef struct systole_card_reading {
  int has_power, has_temperature;
  double power_w, temperature_c;
} systole_card_reading;

/* The sensors of the card at `bdf`, or of the only card when it is NULL or "". `root`
 * stands before "/sys". 0 and a sentence in `why` when there are none, several, or none
 * that can be read. */
int systole_card_sensors_find(systole_card_sensors *out, const char *root,
                              const char *bdf, char *why, size_t why_bytes);

void systole_card_sensors_read(const systole_card_sensors *sensors,
                               systole_card_reading *out);

#endif
