/* Bandwidth of a simulated device's memory, by the very law that its simulation obeys. */
#include <string.h>

#include "../../sim/memory/axi_memory.h"
#include "report/report.h"

double systole_report_array_bandwidth(const systole_result *result) {
  systole_axi_timing timing;
  const systole_geometry *geometry = &result->geometry;
  if (result->stats.memory == NULL || geometry->axi_bytes < 4 ||
      !(result->stats.clock_mhz > 0) ||
      systole_axi_preset(&timing, result->stats.memory, geometry->axi_bytes,
                         result->stats.clock_mhz) != 0) {
    return 0;
  }
  const double channels =
      2 + geometry->weight_ports; /* activations in, results out, weights */
  return channels * geometry->axi_bytes * result->stats.clock_mhz * 1e6 / 1e9 *
         timing.rate_beats / timing.rate_cycles;
}
