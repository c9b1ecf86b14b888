/* Bandwidth of a simulated device's memory, by the very law that its simulation obeys. */
#include <string.h>

#include "../../sim/memory/axi_memory.h"
#include "report/report.h"

double systole_report_array_bandwidth(const systole_result *result) {
  systole_axi_timing ports[2];
  const systole_geometry *geometry = &result->geometry;
  if (result->stats.memory == NULL || geometry->axi_bytes < 4 ||
      !(result->stats.clock_mhz > 0) ||
      systole_axi_ports(ports, result->stats.memory, geometry->axi_bytes,
                        result->stats.clock_mhz) != 0) {
    return 0;
  }
  /* Activations in, results out, weights in. */
  const double beats =
      2.0 * ports[0].rate_beats / ports[0].rate_cycles +
      (double)geometry->weight_ports * ports[1].rate_beats / ports[1].rate_cycles;
  return beats * geometry->axi_bytes * result->stats.clock_mhz * 1e6 / 1e9;
}
