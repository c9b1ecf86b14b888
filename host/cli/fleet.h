/* The devices of one comparison, all open at once. */
#ifndef SYSTOLE_CLI_FLEET_H
#define SYSTOLE_CLI_FLEET_H

#include "measure.h"
#include "report/report.h"

enum { SystoleFleetDevices = 32 };

typedef struct systole_fleet {
  systole_station stations[SystoleFleetDevices];
  systole_report_device devices[SystoleFleetDevices]; /* the same, for the report */
  size_t count;
  char note[160]; /* what was left out of all that is here; "": nothing */
} systole_fleet;

/* names: "rtl:16,cpu", or NULL for all that are usable here, arrays first; of more than
 * two simulated array sizes a small and a large one, and a note says so. *out is zeroed
 * by the caller. A recording is of the one card among them. Returns an exit code; close
 * in every case. */
int systole_fleet_open(systole_fleet *out, const char *names,
                       const systole_device_options *device_options);
void systole_fleet_close(systole_fleet *fleet);

/* Closes one of them; those behind it move up. */
void systole_fleet_remove(systole_fleet *fleet, size_t index);

/* systole_station_finish for the recorded one, close for all. */
int systole_fleet_finish(systole_fleet *fleet, int code, int quiet);

#endif
