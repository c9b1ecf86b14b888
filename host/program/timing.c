#include "program/timing.h"

#include "../../sim/memory/axi_memory.h"
#include "support/error.h"

systole_status systole_memory_timing_of(systole_memory_timing *out, const char *name,
                                        int axi_bytes, double clock_mhz) {
  systole_axi_timing timing;
  if (name == NULL) name = "ideal";
  if (!(clock_mhz > 0.0)) clock_mhz = 300.0;
  *out = (systole_memory_timing){1, 1, 1};
  if (clock_mhz > 2000.0 ||
      systole_axi_preset(&timing, name, axi_bytes, clock_mhz) != 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "no memory is called \"%s\" at %g MHz; known are ideal, ddr4 and "
                        "hbm2, up to 2000 MHz",
                        name, clock_mhz);
  }
  *out = (systole_memory_timing){timing.latency, timing.rate_beats, timing.rate_cycles};
  return SYSTOLE_OK;
}

double systole_memory_rate(const systole_memory_timing *timing, int axi_bytes) {
  return (double)axi_bytes * timing->rate_beats / timing->rate_cycles;
}
