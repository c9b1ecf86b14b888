/* One NVIDIA GPU's energy and power through the driver's own library, bound when it is
 * asked for: nothing of NVIDIA's is needed to build, and where there is no driver there
 * is a sentence. */
#ifndef SYSTOLE_ENERGY_NVML_H
#define SYSTOLE_ENERGY_NVML_H

#include <stddef.h>

#include "sampler.h"

typedef struct systole_nvml systole_nvml;

/* The GPU at `address`: a PCIe address ("0000:3b:00.0"), an index ("0"), a UUID
 * ("GPU-..."), or NULL or "" for the only one. The library is libnvidia-ml.so.1, or the
 * file that the environment variable SYSTOLE_NVML names; under a made-up root
 * (SYSTOLE_ROOT) only the latter. *out NULL and a reason when there is none. */
void systole_nvml_open(systole_nvml **out, const char *root, const char *address,
                       systole_sampler_reason *reason);
void systole_nvml_close(systole_nvml *nvml);

/* Joules since the driver was loaded (Volta and later); 0 on failure. The counter has
 * millijoules and 64 bits: it does not wrap. */
int systole_nvml_energy_j(const systole_nvml *nvml, double *joules);

/* Watts of the whole board now; 0 on failure. */
int systole_nvml_power_w(const systole_nvml *nvml, double *watts);

/* The most that the board may draw, in watts; 0 on failure. */
int systole_nvml_limit_w(const systole_nvml *nvml, double *watts);

/* "NVIDIA H200"; never NULL. Borrowed. */
const char *systole_nvml_name(const systole_nvml *nvml);

#endif
