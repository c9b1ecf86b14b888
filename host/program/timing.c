#include "program/timing.h"

#include "../../sim/memory/axi_memory.h"
#include "support/error.h"

systole_status systole_memory_timing_of(systole_memory_timing *out, const char *name,
                                        int axi_bytes, double clock_mhz) {
  systole_axi_timing ports[2];
  if (name == NULL) name = "ideal";
  if (!(clock_mhz > 0.0)) clock_mhz = 300.0;
  *out = (systole_memory_timing)SYSTOLE_MEMORY_TIMING_IDEAL;
  const int found =
      clock_mhz > 2000.0 ? -1 : systole_axi_ports(ports, name, axi_bytes, clock_mhz);
  if (found == -2) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the memory \"%s\" makes no sense; behind the preset's name may "
                        "stand +gmem0=, +gmem1= (GB/s, 0.001 to 10000) and +latency0=, "
                        "+latency1= (cycles to 1000000, or e.g. 80ns)",
                        name);
  }
  if (found != 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "no memory is called \"%s\" at %g MHz; known are ideal, ddr4 and "
                        "hbm2, up to 2000 MHz",
                        name, clock_mhz);
  }
  *out = (systole_memory_timing){ports[0].latency,     ports[0].rate_beats,
                                 ports[0].rate_cycles, ports[1].latency,
                                 ports[1].rate_beats,  ports[1].rate_cycles};
  return SYSTOLE_OK;
}

double systole_memory_rate(const systole_memory_timing *timing, int axi_bytes) {
  return (double)axi_bytes * timing->rate_beats / timing->rate_cycles;
}
