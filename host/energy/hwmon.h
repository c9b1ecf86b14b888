/* Power and energy sensors that Linux shows in /sys/class/hwmon, and whose they are: the
 * sensor of a graphics card says nothing of the CPU. (Documentation/hwmon of the kernel,
 * sysfs-interface.rst and the page of each driver: energyN_input in uJ, powerN_input and
 * powerN_average in uW, inN_input in mV, currN_input in mA.) */
#ifndef SYSTOLE_ENERGY_HWMON_H
#define SYSTOLE_ENERGY_HWMON_H

#include <stdint.h>

#include "files.h"
#include "sampler.h"

enum { SYSTOLE_HWMON_CHANNELS = 16 };

typedef struct systole_hwmon_channel {
  char path[SYSTOLE_PATH_BYTES];    /* energy, power or volts */
  char current[SYSTOLE_PATH_BYTES]; /* "" unless path is volts */
  double last_uj;                   /* of an energy counter */
} systole_hwmon_channel;

typedef struct systole_hwmon {
  systole_hwmon_channel channels[SYSTOLE_HWMON_CHANNELS];
  int count;
  int counts_energy; /* 1: all are energy counters; 0: all tell power */
  double step_s;     /* from one new value to the next */
  double limit_w;    /* power1_cap of a GPU; 0: not known */
  char source[192];  /* "hwmon: amdgpu 0000:03:00.0 power1_average" */
} systole_hwmon;

/* The sensors of `of` under root; of a GPU, that at PCIe address `address` or the only
 * one (NULL or ""). `choice` not "": the chip of that name or folder instead, whatever it
 * belongs to: "ina226", "hwmon3", and one of its rails as "ina3221/VDD_IN". 0 and a
 * reason when there are none. */
int systole_hwmon_find(systole_hwmon *out, const char *root, systole_energy_of of,
                       const char *address, const char *choice,
                       systole_sampler_reason *reason);

/* Sum of the channels' power in watts, or of what their counters advanced since the last
 * call in joules. 0 when one could not be read, went back, or tells what no sensor can.
 */
int systole_hwmon_watts(const systole_hwmon *hwmon, double *watts);
int systole_hwmon_joules(systole_hwmon *hwmon, double *joules);

#endif
